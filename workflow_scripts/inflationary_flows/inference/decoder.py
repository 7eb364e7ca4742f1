r"""The flow as a differentiable function from whitened latents to data, for samplers that need its gradient.

    x = f(y):   y(T) = y  ->  pfODE backwards  ->  y(t_min)  ->  x = mean + scale W sqrt(xi + gamma(t_min)) y(t_min)

in the whitened latents y = z / latent_std, whose prior is N(0, I).  Gradients pass through the solver's steps
(discretise, then differentiate): they are exact derivatives of the computed map, up to rounding.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from inflationary_flows.errors import DataError
from inflationary_flows.mathematics.denoisers import Denoiser
from inflationary_flows.mathematics.eigenbasis import NO_TRANSFORMS
from inflationary_flows.mathematics.flow import ADAPTIVE, Flow
from inflationary_flows.mathematics.grids import TimeGrid
from inflationary_flows.mathematics.likelihood import jacobian_field, trace_field
from inflationary_flows.mathematics.pfode import VelocityField
from inflationary_flows.mathematics.points import standard_normal
from inflationary_flows.mathematics.prior import LatentPrior
from inflationary_flows.mathematics.solvers import FIXED_STEP, solve
from inflationary_flows.seeding import derive_seed


class Decoder:
    """Whitened latents to data with gradients, by a fixed-step solver.

    Arguments:
        flow: Flow; its network's weights are taken as constants.
        solver, steps: Integration other than the flow's own.
        checkpointed: Whether to use gradient checkpointing: a step stores two points instead of the network's hidden
            layers, for a third more time.

    Raises:
        DataError: for `dopri5`, whose steps depend on the whole batch: one latent would change another's density.
    """

    def __init__(
        self, flow: Flow, *, solver: str | None = None, steps: int | None = None, checkpointed: bool = False
    ) -> None:
        self.settings = flow.settings(solver, steps)
        if self.settings.method == ADAPTIVE:
            raise DataError("solver", "a fixed-step solver", ADAPTIVE, "take adams_bashforth6 or rk4 for inference")
        self.flow = copy.copy(flow)
        if checkpointed:
            self.flow.denoiser = _Checkpointed(flow.denoiser)
        # The same flow of transformed columns: whitening is linear there.
        self._linear = copy.copy(self.flow)
        self._linear.basis = replace(flow.basis, transforms=NO_TRANSFORMS)
        origin = torch.zeros(1, flow.dimension, dtype=torch.float64)
        shifts = torch.eye(flow.dimension, dtype=torch.float64)
        # The linear part of x -> y(t_min), column by column.
        self._whitening = (self._linear.whiten_data(shifts) - self._linear.whiten_data(origin)).T
        self._unwhitening = torch.linalg.inv(self._whitening)

    @property
    def dimension(self) -> int:
        """Number of coordinates D."""
        return self.flow.dimension

    @cached_property
    def prior(self) -> LatentPrior:
        """The flow's prior of latents; Gaussian compressed ones where those of the flow have no density."""
        own = self.flow.prior()
        return own if own.bandwidth is not None else self.flow.prior("gaussian")

    @torch.no_grad()
    def draw_prior(self, n: int, seed: int) -> tuple[Tensor, Tensor]:
        """Draws of the prior: whitened latents and transformed columns, shape (n, D) each."""
        y = self.prior.sample(n, seed) / self.flow.schedule.latent_std
        return y, self.transformed(y)

    def whitened(self, r: Tensor) -> Tensor:
        """Transformed columns, shape (n, D), in coordinates in which those of the data have mean 0 and covariance 1."""
        return self._linear.whiten_data(r)

    def unwhitened(self, e: Tensor) -> Tensor:
        """Transformed columns, shape (n, D), of such coordinates."""
        return self._linear.unwhiten_data(e)

    @property
    def evaluations(self) -> int:
        """Network evaluations of one point."""
        return self.flow.evaluations(self.settings.method, self.settings.steps)

    def __call__(self, y: Tensor) -> Tensor:
        """Whitened latents, shape (n, D), to data, shape (n, D), data units, float64."""
        return self.flow.unwhiten_data(self.flow.carry(y, "generate", self.settings)[0])

    def transformed(self, y: Tensor) -> Tensor:
        """Whitened latents, shape (n, D), to transformed columns, shape (n, D): unbounded coordinates, float64."""
        return self._linear.unwhiten_data(self.flow.carry(y, "generate", self.settings)[0])

    @torch.no_grad()
    def transformed_with_jacobian(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Transformed columns and their derivatives J_ij = dr_i / dy_j, shapes (n, D) and (n, D, D), forwards."""
        state = torch.cat([self._with_derivatives(part, 1.0, 0.0) for part in y.split(self._rows)])
        inner = state[:, self.dimension :].unflatten(1, (self.dimension, self.dimension))
        points = self._linear.unwhiten_data(state[:, : self.dimension])
        return points, self._unwhitening @ inner

    def _with_derivatives(self, y: Tensor, start: float, end: float) -> Tensor:
        """Whitened points at the other end, and derivatives by those at the start, shape (n, D + D^2), float64."""
        denoiser, dimension = self.flow.denoiser, self.dimension
        points = y.to(denoiser.device, self.flow.dtype)
        matrix = torch.eye(dimension, dtype=points.dtype, device=points.device).expand(len(points), -1, -1)
        velocity = VelocityField(denoiser, TimeGrid(self.flow.schedule, self.settings.grid))
        state, _ = solve(
            jacobian_field(velocity),
            torch.cat([points, matrix.flatten(1)], 1),
            start,
            end,
            solver=FIXED_STEP[self.settings.method],
            steps=self.settings.steps,
        )
        return state.double().to(y.device)

    @torch.no_grad()
    def log_density(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """Log density of transformed columns, shape (n, D) to (n,), and their whitened latents, shape (n, D).

        The density is that of the flow's prior, by the exact trace of the Jacobian.
        """
        flow = self.flow
        start = flow.basis.scale.log().sum() + flow.schedule.total_std(flow.schedule.t_min).log().sum()
        values, latents = [r.new_empty(0)], [r.new_empty(0, self.dimension)]
        for part in r.split(self._rows):
            y = self._linear.whiten_data(part).to(flow.denoiser.device, flow.dtype)
            velocity = VelocityField(flow.denoiser, TimeGrid(flow.schedule, self.settings.grid))
            state, _ = solve(
                trace_field(velocity),
                torch.cat([y, y.new_zeros(len(y), 1)], 1),
                0.0,
                1.0,
                solver=FIXED_STEP[self.settings.method],
                steps=self.settings.steps,
            )
            y, volume = state[:, :-1].double().cpu(), state[:, -1].double().cpu()
            values.append(self.prior.log_density(y) + volume - start)
            latents.append(y)
        return torch.cat(values), torch.cat(latents)

    @property
    def _rows(self) -> int:
        """Points whose derivatives are carried at once."""
        return max(1, self.flow.batch_size // (1 + self.dimension // 4))

    def jacobian(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Data and the derivatives J_ij = dx_i / dy_j, shapes (n, D) and (n, D, D), by D backward passes."""
        points = y.detach().requires_grad_(True)
        with torch.enable_grad():
            x = self(points)
            rows = [
                torch.autograd.grad(x[:, i].sum(), points, retain_graph=i + 1 < self.dimension)[0]
                for i in range(self.dimension)
            ]
        return x.detach(), torch.stack(rows, 1)

    def encode_with_jacobian(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data to whitened latents and the derivatives J_ij = dy_i / dx_j, differentiable themselves.

        The derivatives are those of the solver's steps, so that |det J| is exactly the change of density under them.

        Arguments:
            x: Points, shape (n, D), data units.

        Returns:
            Whitened latents, shape (n, D), and derivatives, shape (n, D, D), float64.

        Raises:
            DataError: if a point lies outside the support of a column.
        """
        transforms = self.flow.basis.transforms
        transforms.check(x, self.flow.columns)
        state = self._with_derivatives(self._linear.whiten_data(transforms.forward(x)), 0.0, 1.0)
        # dy(t_min)/dx of transformed columns: the whitening of the data is linear.
        jacobian = state[:, self.dimension :].unflatten(1, (self.dimension, self.dimension)) @ self._whitening
        if transforms:
            jacobian = jacobian * transforms.log_slopes(x).exp()[:, None]
        return state[:, : self.dimension], jacobian

    @torch.no_grad()
    def encode(self, x: Tensor | np.ndarray) -> Tensor:
        """Data, shape (n, D), to whitened latents, shape (n, D), by the same solver; no gradients.

        Raises:
            DataError: if a point, such as a noisy observation, lies outside the support of a column.
        """
        points = torch.as_tensor(x, dtype=torch.float64)
        self.flow.basis.transforms.check(points, self.flow.columns)
        y = self.flow.whiten_data(points)
        return self.flow.carry(y, "inflate", self.settings)[0].double()

    @torch.no_grad()
    def invert(self, x: Tensor | np.ndarray, rounds: int = 3) -> Tensor:
        """Whitened latents that this decoder takes to x, shape (n, D), also where few steps do not return."""
        x = torch.as_tensor(x, dtype=torch.float64)
        there = y = self.encode(x)
        for _ in range(rounds):
            y = y + there - self.encode(self(y))
        return y


# Solvers for inference, by their evaluations: of few steps, a formula of six slopes is unstable below forty.
_SOLVERS = (
    ("adams_bashforth4", 10),
    ("rk4", 4),
    ("adams_bashforth4", 12),
    ("adams_bashforth4", 16),
    ("adams_bashforth4", 20),
    ("adams_bashforth4", 30),
    ("adams_bashforth4", 48),
)
_PROBED = 64
# Error of generated points, in standard deviations of their columns, that 95 % of numbers stay below: in few columns,
# which may nearly follow from each other, and in many, such as pixels.
_ERROR, _ERROR_OF_MANY, _MANY_COLUMNS = 0.005, 0.05, 32


@torch.no_grad()
def inference_decoder(flow: Flow) -> Decoder:
    """The decoder with the fewest steps that generates what the flow generates; with those of the flow if none does."""
    method, steps = _SOLVERS[-1]
    fine = Decoder(flow) if flow.solver.method != ADAPTIVE else Decoder(flow, solver=method, steps=2 * steps)
    y = standard_normal(_PROBED, flow.dimension, derive_seed("inference steps"))
    expected = fine.transformed(y)
    spread = expected.std(0) / flow.basis.scale
    # Columns of next to no variance, such as pixels at the edge, are compared with the others.
    spread = flow.basis.scale * spread.clamp(min=float(spread.square().mean().sqrt()) / 5)
    most = _ERROR if flow.dimension <= _MANY_COLUMNS else _ERROR_OF_MANY
    for solver, steps in _SOLVERS:
        decoder = Decoder(flow, solver=solver, steps=steps)
        if decoder.evaluations >= fine.evaluations:
            break
        if float(((decoder.transformed(y) - expected).abs() / spread).quantile(0.95)) < most:
            return decoder
    return fine


# Heun's and Runge's methods are off by less than others in so few steps.
_ROUGH = (("heun", 3), ("rk4", 3))


def rougher(decoder: Decoder) -> list[Decoder]:
    """Decoders of the same flow with fewer evaluations, the roughest first, for what is corrected later."""
    rough = [Decoder(decoder.flow, solver=solver, steps=steps) for solver, steps in _ROUGH]
    return [one for one in rough if one.evaluations < decoder.evaluations]


class _Checkpointed(Denoiser):
    """A denoiser with gradient checkpointing."""

    def __init__(self, inner: Denoiser) -> None:
        super().__init__(inner.schedule)
        self.inner = inner

    def raw(self, y: Tensor, t: float | Tensor) -> Tensor:
        """F of the inner denoiser."""
        result: Tensor = checkpoint(self.inner.raw, y, t, use_reentrant=False, preserve_rng_state=False)
        return result
