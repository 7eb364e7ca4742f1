r"""A flow: the invertible map between data and latents that a schedule and a denoiser define.

    inflate    data -> latents:  x -> u = W^T ((x - mean) / scale) -> y(t_min) -> y(T) -> z
    generate   latents -> data:  the same curves backwards

with y the whitened coordinates and z = A(T) sqrt(xi + gamma(T)) y(T).

Latents live in the scaled coordinates of the eigenbasis, where their exact covariance is diag(A(T)^2 (xi + gamma(T))).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import DataError, shorten
from inflationary_flows.mathematics.denoisers import Denoiser, NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.grids import GridSettings, TimeGrid
from inflationary_flows.mathematics.likelihood import carry_volume, probe_generator, rademacher
from inflationary_flows.mathematics.noise import NoiseLevel, noise_of
from inflationary_flows.mathematics.pfode import Coordinates, VelocityField, convert
from inflationary_flows.mathematics.points import (
    Points,
    Rows,
    checked,
    column_names,
    like,
    real,
    reals,
    require_finite,
    require_near,
    standard_normal,
    whole,
)
from inflationary_flows.mathematics.prior import CompressedPrior, LatentPrior, require_prior
from inflationary_flows.mathematics.schedules import Schedule
from inflationary_flows.mathematics.solvers import (
    EULER,
    FIXED_STEP,
    HEUN_THEN_EULER,
    FixedStepSolver,
    solve,
    solve_adaptive,
)
from inflationary_flows.mathematics.uncertainty import PropagatedPoint, summarise
from inflationary_flows.seeding import derive_seed

if TYPE_CHECKING:
    import pandas as pd

# The authors integrate in scaled coordinates on uniform times, toys by Euler and images by Heun; kept for comparison.
EULER_SCALED, HEUN_SCALED = "euler_scaled", "heun_scaled"
SCALED: dict[str, FixedStepSolver] = {EULER_SCALED: EULER, HEUN_SCALED: HEUN_THEN_EULER}
ADAPTIVE = "dopri5"
SOLVERS = (*FIXED_STEP, ADAPTIVE, *SCALED)
# Every fixed-step solver, in whitened or scaled coordinates.
_METHODS = {**FIXED_STEP, **SCALED}
# Numbers of a batch: 2,048 points of a toy or the digits, 85 of colour images.
_BATCH_NUMBERS = 2**18
# Coordinates up to which the trace of a Jacobian is exact by default: D gradients, a tenth of a second a digit.
EXACT_TRACE = 64


@dataclass(frozen=True)
class SolverSettings:
    """Settings of the pfODE's integration.

    Attributes:
        method: One of `SOLVERS`.
        steps: Number of uniform steps on the grid; `dopri5` chooses its own.
        grid: Where along the schedule the steps lie; those in scaled coordinates have their own, uniform in time.
        tolerance: Relative and absolute tolerance of `dopri5`.
    """

    method: str = "adams_bashforth6"
    steps: int = 95
    grid: GridSettings = field(default_factory=GridSettings)
    tolerance: float = 1e-6


def require_device(device: str | torch.device) -> None:
    """Raises DataError if this machine has no such device."""
    try:
        torch.zeros(1, device=torch.device(device)).tolist()
    except (RuntimeError, AssertionError, TypeError, ValueError) as problem:
        known = "cpu, cuda" if torch.cuda.is_available() else "cpu"
        raise DataError(
            "device", f"a device of this machine, such as {known}", shorten(device), "torch has no other here"
        ) from problem


def require_solver(chosen: Any) -> SolverSettings:
    """Settings of an integration; DataError if the solver is unknown, or a number is none that it can have."""
    if not isinstance(chosen, SolverSettings):
        hint = "mathematics.flow has SolverSettings(method, steps)"
        raise DataError("solver", "settings of a solver", shorten(chosen), hint)
    if chosen.method not in SOLVERS:
        raise DataError("solver", f"one of {', '.join(SOLVERS)}", shorten(chosen.method), "check the spelling")
    steps = whole(chosen.steps, "steps", 1)
    return replace(chosen, steps=steps, tolerance=real(chosen.tolerance, "tolerance", 0.0, 1.0, "1e-6 is usual"))


class Flow:
    """Carries points between data and latents, in batches of bounded memory.

    Arguments:
        denoiser: Denoiser of the schedule, trained or exact.
        basis: Eigenbasis of the data.
        solver: Default integration; every method takes others.
        compressed_prior: Compressed directions of latents in `sample`: `gaussian` with the exact variances, `empirical`
            rows of `compressed_latents`, or `zero`.
        compressed_latents: Compressed coordinates of inflated training data, shape (m, D - d), in latent units.
        batch_size: Points carried at once; results do not depend on it. The default keeps a small network in cache, and
            carries fewer points of many coordinates.
        dtype: Precision of the integration; a network runs in its own.
        columns: Names of the D coordinates, if they have names: data frames are read by them.
        rows: Training rows, shape (m, D), data units, float64, where flows of other schedules have the same network.
        held_out: Likewise rows that these flows are judged on.

    Points come as tensors, arrays of any real type and layout, lists or data frames; what is neither is a DataError.
    Results come in the caller's kind of container: tensors for tensors, data frames for data frames, else arrays; of
    float32 if float32 was given, else float64.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        basis: Eigenbasis,
        *,
        solver: SolverSettings | None = None,
        compressed_prior: CompressedPrior = "gaussian",
        compressed_latents: Tensor | None = None,
        batch_size: int | None = None,
        dtype: torch.dtype = torch.float64,
        columns: Sequence[str] = (),
        rows: Tensor | None = None,
        held_out: Tensor | None = None,
    ) -> None:
        self.denoiser = denoiser
        self.basis = basis
        self.solver = solver or SolverSettings()
        self.compressed_prior = compressed_prior
        self.compressed_latents = compressed_latents
        self.batch_size = batch_size or min(2048, max(64, _BATCH_NUMBERS // basis.dimension))
        self.dtype = dtype
        self.columns = tuple(columns)
        self.rows = rows
        self.held_out = held_out

    def __repr__(self) -> str:
        """Kind of schedule and dimensions, in short."""
        schedule = self.schedule
        kept = "all kept" if schedule.kept_dims == self.dimension else f"{schedule.kept_dims} kept"
        return f"<{type(self).__name__} of {self.dimension} columns, {kept}, kernel {schedule.kernel}>"

    @property
    def schedule(self) -> Schedule:
        """The flow's schedule."""
        return self.denoiser.schedule

    @property
    def dimension(self) -> int:
        """Number of coordinates D."""
        return self.basis.dimension

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns: x0, x1, ... if they have none."""
        return self.columns or column_names(self.dimension)

    @property
    def latent_columns(self) -> tuple[str, ...]:
        """Names of latents in data frames: z1, ..., zD."""
        return tuple(f"z{place}" for place in range(1, self.dimension + 1))

    def double(self) -> Flow:
        """The same flow with its network in float64, for measuring solvers below float32 rounding."""
        twin = copy.copy(self)
        twin.dtype = torch.float64
        if isinstance(self.denoiser, NetworkDenoiser):
            twin.denoiser = self.denoiser.of(copy.deepcopy(self.denoiser.network).double())
        return twin

    def to(self, device: str | torch.device) -> Flow:
        """The same flow with its network on another device; points stay where the caller has them.

        Raises:
            DataError: if this machine has no such device.
        """
        require_device(device)
        twin = copy.copy(self)
        if isinstance(self.denoiser, NetworkDenoiser):
            twin.denoiser = self.denoiser.of(copy.deepcopy(self.denoiser.network).to(device))
        return twin

    def settings(
        self, solver: str | None = None, steps: int | None = None, tolerance: float | None = None
    ) -> SolverSettings:
        """The default integration with some settings replaced.

        Raises:
            DataError: if the solver is unknown, there is no step, or the tolerance is no positive number.
        """
        chosen = replace(
            self.solver,
            method=solver or self.solver.method,
            steps=self.solver.steps if steps is None else steps,
            tolerance=self.solver.tolerance if tolerance is None else tolerance,
        )
        return require_solver(chosen)

    def evaluations(self, solver: str | None = None, steps: int | None = None) -> int:
        """Network evaluations of one way with a fixed-step solver.

        Raises:
            DataError: for `dopri5`, which chooses its steps as it goes.
        """
        chosen = self.settings(solver, steps)
        if chosen.method == ADAPTIVE:
            raise DataError("solver", "a fixed-step solver", ADAPTIVE, "use carry(), which counts as it goes")
        return _METHODS[chosen.method].evaluations(chosen.steps)

    def carry(
        self,
        points: Tensor,
        direction: Literal["inflate", "generate"],
        settings: SolverSettings,
        times: Sequence[float] = (),
    ) -> tuple[Tensor, Tensor, int]:
        """Carries whitened points from one end of the schedule to the other.

        Arguments:
            points: Whitened points y at t_min (inflate) or T (generate), shape (n, D).
            direction: Which way.
            settings: Integration.
            times: Times to read off, in any order.

        Returns:
            Whitened points at the other end, shape (n, D); scaled coordinates A u at the asked times, shape
            (len(times), n, D); evaluations of the network for each point.
        """
        schedule = self.schedule
        scaled = settings.method in SCALED
        coordinates: Coordinates = "scaled" if scaled else "whitened"
        grid = TimeGrid(schedule, GridSettings("time") if scaled else settings.grid)
        start, end = (0.0, 1.0) if direction == "inflate" else (1.0, 0.0)
        order = sorted(range(len(times)), key=lambda i: times[i], reverse=direction == "generate")
        at = [grid.position(float(times[i])) for i in order]
        ends, frames, evaluations = [], [], 0
        for batch in points.split(self.batch_size):
            velocity = VelocityField(self.denoiser, grid, coordinates)
            y = batch.to(self.denoiser.device, self.dtype)
            y = convert(y, schedule, grid.time(start), "whitened", coordinates)
            if settings.method == ADAPTIVE:
                y, seen = solve_adaptive(velocity, y, start, end, tolerance=settings.tolerance, at=at)
            else:
                method = _METHODS[settings.method]
                y, seen = solve(velocity, y, start, end, solver=method, steps=settings.steps, at=at)
            ends.append(convert(y, schedule, grid.time(end), coordinates, "whitened").to(points.device))
            snapshots: list[Tensor] = [y] * len(order)
            for place, frame in zip(order, seen, strict=True):
                snapshots[place] = convert(frame, schedule, float(times[place]), coordinates, "scaled")
            stacked = torch.stack(snapshots) if snapshots else y.new_empty(0, *y.shape)
            frames.append(stacked.to(points.device))
            evaluations = max(evaluations, velocity.evaluations)
        if not ends:
            return points.to(self.dtype), points.new_empty(len(times), *points.shape), 0
        return torch.cat(ends), torch.cat(frames, 1), evaluations

    def whiten_data(self, x: Tensor) -> Tensor:
        """Data, shape (n, D), to whitened coordinates at t_min, float64; whole numbers as middles of cells."""
        return self.basis.to_eigen(x) * self.schedule.c_in(self.schedule.t_min)

    def unwhiten_data(self, y: Tensor) -> Tensor:
        """The inverse of `whiten_data`; whole numbers come as points of their cells."""
        return self.basis.from_eigen(y.double() * self.schedule.total_std(self.schedule.t_min))

    @torch.no_grad()
    def inflate(
        self,
        x: Points,
        *,
        times: Sequence[float] | None = None,
        solver: str | None = None,
        steps: int | None = None,
    ) -> Points:
        """Carries data to latents.

        Arguments:
            x: Points, shape (n, D), data units.
            times: If given, the trajectory at these times of the schedule instead of the latents.
            solver, steps: Integration other than the flow's own.

        Returns:
            Latents, shape (n, D), or scaled eigen coordinates A(t) u, shape (len(times), n, D).

        Raises:
            DataError: if x holds anything else than D finite numbers a row, or lies too far from the data, or a time is
                not one of the schedule.
        """
        y = require_near(self.whiten_data(self._points(x, "x")), "x")
        y, frames, _ = self.carry(y, "inflate", self.settings(solver, steps), self._times(times))
        return self._like(y.double() * self.schedule.latent_std if times is None else frames, x, self.latent_columns)

    @torch.no_grad()
    def generate(
        self,
        z: Points,
        *,
        times: Sequence[float] | None = None,
        solver: str | None = None,
        steps: int | None = None,
    ) -> Points:
        """Carries latents to data, whole numbers rounded; arguments and errors as of `inflate`, backwards."""
        latents = checked(z, self.dimension, "z", columns=self.latent_columns)
        y = require_near(latents / self.schedule.latent_std, "z")
        y, frames, _ = self.carry(y, "generate", self.settings(solver, steps), self._times(times))
        if times is not None:
            return self._like(frames, z)
        points = self.basis.transforms.rounded(self.unwhiten_data(y))
        result: Any = self._like(points, z, self.columns)
        if hasattr(result, "columns"):
            # Whole numbers of a data frame are of a whole type, those that float64 can count.
            for place in self.basis.transforms.integers:
                if bool((points[:, place].abs() <= 2**53).all()):
                    result[result.columns[place]] = points[:, place].numpy().astype("int64")
        found: Points = result
        return found

    def round_trip(self, x: Points, *, solver: str | None = None, steps: int | None = None) -> Points:
        """Inflates and generates again: an exact flow returns x, shape (n, D), data units."""
        # In float64 in between, whatever the caller's numbers are.
        points = self._points(x, "x")
        again = self.generate(self.inflate(points, solver=solver, steps=steps), solver=solver, steps=steps)
        return self._like(again, x, self.columns)

    def propagate(
        self,
        x0: Points,
        noise_std: NoiseLevel | None,
        n: int,
        seed: int = 0,
        *,
        levels: Sequence[float] = (0.5, 0.9),
    ) -> PropagatedPoint:
        """Carries a distribution of a point that one already holds to its latent.

        This is no posterior given an observation, which would weigh points by the density of the data:
        `infer` of the public `Flow` samples that one, with the flow as prior.

        Arguments:
            x0: A point, shape (D,) or (1, D), around which a Gaussian is drawn; or, with noise_std None, samples of any
                distribution, shape (m, D), which are carried as they are. Data units.
            noise_std: Standard deviation of the Gaussian, data units: one number, D of them, by name perhaps, or a
                covariance, as of `noise_of`.
            n: Number of samples; of given samples the first n.
            seed: Seed of the Gaussian.
            levels: Levels of the equal-tailed intervals.

        Raises:
            DataError: if shapes do not fit, numbers are not finite, noise_std is no such noise, or n is below 2.
        """
        whole(n, "n", 2)
        reals(levels, "levels", 0.0, 1.0, "0.9 is the 90 % interval")
        if noise_std is None:
            x = self._points(x0, "x0")[:n]
        else:
            noise = noise_of(noise_std, self.dimension, columns=self.columns)
            centre = self._points(x0, "x0", single=True)
            if len(centre) != 1:
                raise DataError("x0", "one point", f"{len(centre)}", "pass noise_std=None to carry given samples")
            x = centre + noise.sample(n, derive_seed("ball", whole(seed, "seed")))
            try:
                self.basis.transforms.check(x, self.columns, whole=False)
            except DataError as problem:
                problem.hint = "lower noise_std, or carry samples that columns can hold, with noise_std=None"
                raise
        return summarise(x.numpy(), self.inflate(x).numpy(), self.schedule.kept_dims, levels)

    def sample_latents(self, n: int, seed: int, compressed_prior: CompressedPrior | None = None) -> Tensor:
        """Draws latents from the prior.

        Arguments:
            n: Number of latents.
            seed: Seed; the same seed gives the same first latents for any n.
            compressed_prior: Other than the flow's own.

        Returns:
            Latents, shape (n, D), float64.

        Raises:
            DataError: if `empirical` is asked of a flow that holds no inflated training data, or n or the seed is no
                whole number.
        """
        return self.prior(compressed_prior).sample(whole(n, "n", 0), whole(seed, "seed"))

    def prior(self, compressed_prior: CompressedPrior | None = None) -> LatentPrior:
        """The prior of latents, with compressed directions as asked, by default as of the flow."""
        chosen = require_prior(compressed_prior or self.compressed_prior)
        return LatentPrior(self.schedule, chosen, self.compressed_latents)

    def noised_latents(self, x: Points, seed: int) -> Points:
        """Latents from the true p_T: data plus kernel noise at T, scaled, shape (n, D).

        Points generated from them show the flow's own error, without the gap between p_T and the prior.
        """
        schedule = self.schedule
        u = self.basis.to_eigen(self.basis.transforms.dequantised(self._points(x, "x")))
        angle = schedule.angle(schedule.t_max)
        noise = standard_normal(len(u), self.dimension, derive_seed("kernel noise", whole(seed, "seed")))
        y = torch.cos(angle) * u / schedule.eigenvalues.sqrt() + torch.sin(angle) * noise
        return self._like(y * schedule.latent_std, x, self.latent_columns)

    def noised_data(self, x: Points, seed: int) -> Points:
        """Data plus kernel noise at t_min, data units, shape (n, D): the distribution that the flow starts from.

        Whole numbers come as points of their cells.
        """
        schedule = self.schedule
        u = self.basis.to_eigen(self.basis.transforms.dequantised(self._points(x, "x")))
        noise = standard_normal(len(u), self.dimension, derive_seed("first noise", whole(seed, "seed")))
        return self._like(self.basis.from_eigen(u + schedule.gamma(schedule.t_min).sqrt() * noise), x, self.columns)

    def sample(self, n: int, seed: int, compressed_prior: CompressedPrior | None = None) -> np.ndarray:
        """Generates n new data points from the prior, shape (n, D), data units."""
        return self.generate(self.sample_latents(n, seed, compressed_prior)).numpy()

    @overload
    def log_prob(
        self,
        x: pd.DataFrame,
        *,
        exact: bool | None = None,
        probes: int = 8,
        seed: int = 0,
        return_error: Literal[False] = False,
        steps: int | None = None,
    ) -> pd.Series: ...

    @overload
    def log_prob(
        self,
        x: pd.DataFrame,
        *,
        exact: bool | None = None,
        probes: int = 8,
        seed: int = 0,
        return_error: Literal[True],
        steps: int | None = None,
    ) -> tuple[pd.Series, pd.Series]: ...

    @overload
    def log_prob(
        self,
        x: Rows,
        *,
        exact: bool | None = None,
        probes: int = 8,
        seed: int = 0,
        return_error: Literal[False] = False,
        steps: int | None = None,
    ) -> Rows: ...

    @overload
    def log_prob(
        self,
        x: Rows,
        *,
        exact: bool | None = None,
        probes: int = 8,
        seed: int = 0,
        return_error: Literal[True],
        steps: int | None = None,
    ) -> tuple[Rows, Rows]: ...

    def log_prob(
        self,
        x: Any,
        *,
        exact: bool | None = None,
        probes: int = 8,
        seed: int = 0,
        return_error: bool = False,
        steps: int | None = None,
    ) -> Any:
        """Log density of the flow's model at x, in nats, by the instantaneous change of variables.

        Along dy/dt = v the density obeys d log p / dt = -div v; the latent density is that of the flow's prior. It is a
        density in the units of x, whatever transforms columns have. Whole numbers have probabilities instead: means of
        the density over 32 points of their cells, for 32 times the cost.

        Arguments:
            x: Points, shape (n, D), data units.
            exact: Exact trace of the Jacobian (D evaluations of a gradient), else Hutchinson's estimate; by default
                exact up to D = 64.
            probes: Rademacher probes of the estimate, for each point its own: errors of points are independent.
            seed: Seed of the probes.
            return_error: Whether to return the standard error of the estimate as well, which falls as 1 / sqrt(probes).
            steps: Solver steps other than the flow's own.

        Returns:
            Log densities, shape (n,), of a data frame a series: of the data smoothed by the kernel at t_min. With
            `return_error` their standard errors, too, shape (n,): zero where the trace is exact.

        Raises:
            DataError: as of `inflate`, or if there is no probe, or one of which no error can be told.
        """
        schedule = self.schedule
        exactly = self.dimension <= EXACT_TRACE if exact is None else exact
        points = self._points(x, "x", whole=True)
        require_near(self.whiten_data(points), "x")
        # The spread of one probe is unknown.
        whole(probes, "probes", 2 if return_error and not exactly else 1)
        prior, signs = self.prior(), probe_generator(whole(seed, "seed"))
        chosen = self.settings(steps=steps)
        if chosen.method in (*SCALED, ADAPTIVE):
            chosen = replace(chosen, method="rk4")
        start_factor = self.basis.scale.log().sum() + schedule.total_std(schedule.t_min).log().sum()
        values, errors = [points.new_empty(0)], [points.new_empty(0)]
        transforms = self.basis.transforms
        for rows in points.split(max(1, self.batch_size // transforms.cell_points)) if len(points) else ():
            batch = transforms.cells(rows)
            y = self.whiten_data(batch).to(self.denoiser.device, self.dtype)
            velocity = VelocityField(self.denoiser, TimeGrid(schedule, chosen.grid))
            solver = FIXED_STEP[chosen.method]
            own = None if exactly else rademacher(len(y), probes, self.dimension, signs)
            y, log_volume = carry_volume(velocity, y, own, solver, chosen.steps)
            latent = prior.log_density(y)
            found = latent + log_volume.mean(1) - start_factor + transforms.log_slope(batch)
            spread = log_volume.std(1) if log_volume.shape[1] > 1 else torch.zeros_like(latent)
            value, error = transforms.over_cells(found, spread / math.sqrt(log_volume.shape[1]))
            values.append(value)
            errors.append(error)
        result = self._like(torch.cat(values), x)
        return (result, self._like(torch.cat(errors), x)) if return_error else result

    def _points(self, x: Any, name: str, *, single: bool = False, whole: bool = False) -> Tensor:
        """The caller's points of data, shape (n, D), float64, in their support; whole numbers as asked."""
        points = checked(x, self.dimension, name, columns=self.columns, single=single)
        self.basis.transforms.check(points, self.columns, whole=whole)
        return points

    def _like(self, values: Tensor, template: Points, names: Sequence[str] = ()) -> Points:
        """Results in the kind of container that the caller gave, if they are finite."""
        require_finite(values, "result", "finite numbers", "that row lies too far from the data: leave it out")
        result: Points = like(values, template, names)
        return result

    def _times(self, times: Sequence[float] | None) -> Sequence[float]:
        """The caller's times of the schedule, to rounding."""
        low, high = self.schedule.t_min, self.schedule.t_max
        return () if times is None else reals(times, "times", low, high, "the schedule has these times", ends=True)
