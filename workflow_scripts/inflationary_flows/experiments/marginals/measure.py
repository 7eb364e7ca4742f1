r"""Three descriptions of the same marginals p_t (figure 1 of de Albuquerque and Pearson, 2024).

    sde             paths of the forward SDE, by Euler and Maruyama
    fokker_planck   the density itself, by finite volumes
    pfode           integral lines of the probability-flow ODE with the exact score

The data are a Gaussian mixture on the line, whose marginals are known in closed form.  Each description is compared
with them by the Wasserstein-1 distance in scaled coordinates A(t) u, where all marginals are of one size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.fokker_planck import Cells, solve_fokker_planck
from inflationary_flows.mathematics.line_mixture import LineMixture, LineMixtureDenoiser
from inflationary_flows.mathematics.schedules import Kernel, make_schedule
from inflationary_flows.mathematics.sde import euler_maruyama
from inflationary_flows.seeding import derive_seed

MARGINALS_COLUMNS = ("description", "t", "t_fraction", "distance", "reference", "n")
SDE, FOKKER_PLANCK, PFODE = "sde", "fokker_planck", "pfode"

# Largest mass of a marginal beyond the outermost cells, on either side.
_BEYOND = 1e-9


def make_line_flow(
    mixture: LineMixture, *, kernel: Kernel, gamma0: float, signal_left: float, solver: str, solver_steps: int
) -> Flow:
    """The exact flow of a mixture on the line.

    Arguments:
        mixture: Data.
        kernel, gamma0, signal_left: Of `make_schedule`; gamma0 is a share of the data's variance.
        solver, solver_steps: Integration.
    """
    one = torch.ones(1, dtype=torch.float64)
    basis = Eigenbasis(mixture.mean * one, one, one[None], mixture.variance * one)
    # `proportional` has gamma0 as a share of the variance already: it says where time begins.
    unit = mixture.variance if kernel == "floor" else 1.0
    schedule = make_schedule(basis.eigenvalues, kernel=kernel, gamma0=gamma0 * unit, signal_left=signal_left)
    return Flow(LineMixtureDenoiser(schedule, mixture), basis, solver=SolverSettings(solver, solver_steps))


def follow_sde(
    flow: Flow, x: np.ndarray, times: Sequence[float], *, steps: int, seed: int, kept: Sequence[int] | None = None
) -> np.ndarray:
    """Paths of the forward SDE.

    Arguments:
        flow: Flow of one dimension.
        x: Where paths are at the first time, shape (n,), data units.
        times: Times (k,), ascending.
        steps: Steps between two of them.
        seed: Seed of the noise.
        kept: Numbers of the times to keep, all of them if absent.

    Returns:
        Scaled coordinates, shape (k, n).
    """
    schedule = flow.schedule
    start = flow.basis.to_eigen(torch.from_numpy(x)[:, None]) * schedule.scale(times[0])
    frames = euler_maruyama(schedule, start, times, steps=steps, seed=seed)
    chosen = [frame[:, 0] for place, frame in enumerate(frames) if kept is None or place in kept]
    return torch.stack(chosen).numpy()


def follow_pfode(flow: Flow, x: np.ndarray, times: Sequence[float]) -> np.ndarray:
    """Integral lines of the pfODE; arguments and result as of `follow_sde`."""
    return flow.inflate(x[:, None], times=times)[:, :, 0]


def record_marginals(
    *,
    means: Sequence[float],
    stds: Sequence[float],
    weights: Sequence[float],
    kernel: Kernel = "floor",
    gamma0: float = 1e-3,
    signal_left: float = 1e-2,
    paths: int = 40,
    samples: int = 20_000,
    times: int = 241,
    checks: int = 13,
    sde_steps: int = 5,
    cells: int = 600,
    grid_steps: int = 2,
    solver: str = "adams_bashforth6",
    solver_steps: int = 240,
    seed: int = 0,
) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """Describes the marginals of a mixture in three ways, and measures how far each is from the closed form.

    Arguments:
        means, stds, weights: The mixture, data units; weights add up to 1.
        kernel, gamma0, signal_left: The schedule, see `make_line_flow`.
        paths: Paths and lines that are drawn, which start at evenly spaced quantiles of the first marginal.
        samples: Points that both samplers carry from the first marginal, the same ones, for the table.
        times: Times at which they are drawn, evenly spaced on the schedule's clock.
        checks: Times of the table among these, the first and the last included.
        sde_steps, grid_steps: Steps of the SDE and of the Fokker-Planck equation between two times.
        cells: Cells of the grid.
        solver, solver_steps: Integration of the pfODE.
        seed: Seed of samples and noise.

    Returns:
        Arrays, in scaled coordinates: `times` (k,); `starts` (p,), levels of the quantiles that paths start at, and
        `components` (p,), the component that each most probably comes from; `sde_paths` and `pfode_lines` (k, p);
        `faces` (J + 1,) of the grid; `density` (k, J) of the Fokker-Planck equation and `exact_density` (k, J), means
        over cells; `sde_ends` and `pfode_ends` (2, n), samples at the first and at the last time; `data_density` and
        `latent_density` (J,), at the middles of cells, of the data without any kernel and of the Gaussian latents.

        Rows of description, t, t_fraction (0 at the first time, 1 at the last), distance (Wasserstein-1, to the exact
        marginal, scaled units), reference (the same of n independent draws of the exact marginal on average; 0 for
        `fokker_planck`), n (points, or cells).

    Raises:
        ScheduleError: if the settings of the schedule do not fit each other.
    """
    mixture = LineMixture.of(means, stds, weights)
    flow = make_line_flow(
        mixture, kernel=kernel, gamma0=gamma0, signal_left=signal_left, solver=solver, solver_steps=solver_steps
    )
    schedule = flow.schedule
    when = schedule.time_at(torch.linspace(0, 1, times, dtype=torch.float64)).tolist()
    when[0], when[-1] = schedule.t_min, schedule.t_max
    exact = [mixture.at(schedule, t) for t in when]
    checked = np.linspace(0, times - 1, checks).round().astype(int).tolist()

    starts = (np.arange(paths) + 0.5) / paths
    first, scale = exact[0], float(schedule.scale(when[0]))
    drawn = mixture.mean + first.quantile(starts) / scale
    drawn_paths = follow_sde(flow, drawn, when, steps=sde_steps, seed=derive_seed("drawn paths", seed))
    drawn_lines = follow_pfode(flow, drawn, when)

    ends = np.array([marginal.quantile(np.array([_BEYOND, 1 - _BEYOND])) for marginal in exact])
    grid = Cells(float(np.abs(ends).max()), cells)
    exact_masses = np.array([np.diff(marginal.cdf(grid.faces)) for marginal in exact])
    begin = exact_masses[0] / exact_masses[0].sum()
    masses = np.array(list(solve_fokker_planck(schedule, grid, begin, when, steps=grid_steps)))

    x = mixture.mean + first.sample(samples, seed) / scale
    moved = {
        SDE: follow_sde(flow, x, when, steps=sde_steps, seed=derive_seed("sample paths", seed), kept=checked),
        PFODE: follow_pfode(flow, x, [when[place] for place in checked]),
    }

    rows = []
    for k, place in enumerate(checked):
        marginal, t = exact[place], when[place]
        at = {"t": t, "t_fraction": (t - when[0]) / (when[-1] - when[0])}
        expected = marginal.expected_distance(samples)
        off_grid = marginal.distance_of_cells(grid.faces, masses[place])
        rows.append(_row(FOKKER_PLANCK, at, off_grid, 0.0, cells))
        rows += [_row(name, at, marginal.distance(points[k]), expected, samples) for name, points in moved.items()]
    rows.sort(key=lambda row: (SDE, FOKKER_PLANCK, PFODE).index(row["description"]))

    # The data and the prior of latents: close to the first and the last marginal.
    data = LineMixture(scale * mixture.centred().means, scale * mixture.stds, mixture.weights)
    latents = LineMixture.of([0.0], [float(schedule.latent_std)], [1.0])
    arrays = {
        "times": np.array(when),
        "starts": starts,
        "components": first.component(drawn_lines[0]),
        "sde_paths": drawn_paths,
        "pfode_lines": drawn_lines,
        "faces": grid.faces,
        "density": masses / grid.width,
        "exact_density": exact_masses / grid.width,
        "sde_ends": moved[SDE][[0, -1]],
        "pfode_ends": moved[PFODE][[0, -1]],
        "data_density": data.density(grid.centres),
        "latent_density": latents.density(grid.centres),
    }
    return arrays, rows


def _row(description: str, at: dict[str, float], distance: float, reference: float, n: int) -> dict[str, Any]:
    return {"description": description, **at, "distance": distance, "reference": reference, "n": n}


def measure(**settings: Any) -> Measured:
    """Rows and arrays of `record_marginals`."""
    arrays, rows = record_marginals(**settings)
    return Measured({"marginals": rows}, {"marginals": arrays})
