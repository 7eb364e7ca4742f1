r"""Do errors of the denoiser persist along the flow? (Appendix of de Albuquerque and Pearson, 2024.)

    r_t = D(x_0 + n_t, t) - x_0,      n_t ~ N(0, C(t)),

whitened as r_t / c_out(t), so that all times and directions have equal weight. The noise of a point is independent at
each time, as in the paper, so that two times share the point alone.  The correlation of times a and b is

    corr(a, b) = sum cov(r_a, r_b) / sqrt(sum var r_a  sum var r_b),     sums over coordinates.

Moments are summed over batches of points in float64; no residual is kept.

A small correlation does not show that errors cancel along the flow.  Where the exact velocity v is known,
`error_growth` compares the error of the end point with what the network's errors along the exact path sum up to.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.data.splits import Splits
from inflationary_flows.data.toys import Mixture
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.denoisers import Denoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.grids import TimeGrid
from inflationary_flows.mathematics.oracles import exact_denoiser
from inflationary_flows.mathematics.pfode import VelocityField, convert
from inflationary_flows.seeding import derive_seed

_BATCH = 1_000
# Of the exact paths: means over 200 have an error of some percent, 65 times resolve the solver's 95 steps.
_PATHS, _PLACES = 200, 65


@torch.no_grad()
def residual_correlation(
    denoiser: Denoiser, basis: Eigenbasis, points: np.ndarray, *, times: int, seed: int
) -> list[dict[str, Any]]:
    """Correlates the denoiser's residuals between times.

    Arguments:
        denoiser: Trained or exact.
        basis: Eigenbasis of the data.
        points: Points, shape (n, D), data units.
        times: Number of times, evenly spaced on the schedule's clock.
        seed: Seed of the noise; a point's noise does not depend on the batches.

    Returns:
        Rows of time_a, time_b (shares of the clock, a <= b), t_a, t_b, correlation, n.
    """
    schedule = denoiser.schedule
    clocks = np.linspace(0, 1, times)
    at = [float(schedule.time_at(float(clock))) for clock in clocks]
    u = basis.to_eigen(torch.from_numpy(np.asarray(points, dtype=np.float64)))
    n, dimension = u.shape
    streams = [np.random.default_rng(derive_seed("residual noise", seed, place)) for place in range(times)]
    total = np.zeros((times, dimension))
    products = np.zeros((times, times))
    for start in range(0, n, _BATCH):
        part = u[start : start + _BATCH]
        residuals = np.empty((times, len(part), dimension))
        for place, t in enumerate(at):
            noise = torch.from_numpy(streams[place].standard_normal(part.shape)) * schedule.gamma(t).sqrt()
            error = denoiser(part + noise, t) - part
            residuals[place] = (error / schedule.c_out(t).clamp(min=1e-300)).numpy()
        total += residuals.sum(1)
        flat = residuals.reshape(times, -1)
        products += flat @ flat.T
    covariance = products / n - (total / n) @ (total / n).T
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    return [
        {
            "time_a": float(clocks[a]),
            "time_b": float(clocks[b]),
            "t_a": at[a],
            "t_b": at[b],
            "correlation": float(correlation[a, b]),
            "n": n,
        }
        for a in range(times)
        for b in range(a, times)
    ]


@torch.no_grad()
def error_growth(flow: Flow, exact: Denoiser, points: np.ndarray, *, times: int) -> list[dict[str, Any]]:
    r"""Errors of end points beside the sum of the errors of the velocity on the way, in whitened coordinates.

        path_error = \int |v_network - v| ds,    net_error = | \int (v_network - v) ds |,    both along the exact path.

    Arguments:
        flow: The trained flow; its solver and grid integrate both.
        exact: The exact denoiser.
        points: Points, shape (n, D), data units; generation starts from their exact latents.
        times: Number of times on the grid of the solver that the errors are summed over.

    Returns:
        Rows of direction (inflate, generate), endpoint_error, path_error, net_error (each the root mean square over
        points, whitened units), n.
    """
    schedule, settings = flow.schedule, flow.settings(None, None)
    grid = TimeGrid(schedule, settings.grid)
    places = np.linspace(0, 1, times).tolist()
    at = [grid.time(s) for s in places]
    truth = Flow(exact, flow.basis, solver=flow.solver)
    inside = torch.from_numpy(truth.noised_data(np.asarray(points, dtype=np.float64), 0))
    start = flow.whiten_data(inside)
    end, frames, _ = truth.carry(start, "inflate", settings, at)
    fields = [VelocityField(denoiser, grid) for denoiser in (flow.denoiser, exact)]
    errors = []
    for s, t, frame in zip(places, at, frames, strict=True):
        y = convert(frame, schedule, t, "scaled", "whitened")
        learned, true = (field(y, s) for field in fields)
        errors.append(learned - true)
    along = torch.stack(errors)
    rows = []
    directions: tuple[tuple[Literal["inflate", "generate"], Tensor], ...] = (("inflate", start), ("generate", end))
    for direction, first in directions:
        ends = [each.carry(first, direction, settings)[0].double() for each in (flow, truth)]
        sums = {
            "endpoint_error": (ends[0] - ends[1]).norm(dim=1),
            "path_error": torch.trapezoid(along.norm(dim=2), dx=1 / (times - 1), dim=0),
            "net_error": torch.trapezoid(along, dx=1 / (times - 1), dim=0).norm(dim=1),
        }
        means = {name: float(value.square().mean().sqrt()) for name, value in sums.items()}
        rows.append({"direction": direction, **means, "n": len(start)})
    return rows


def measure(flow: Flow, *, splits: Splits, mixture: Mixture | None, samples: int, times: int, seed: int) -> Measured:
    """Rows of `residual_correlation`, and of `error_growth` where the density is known.

    Residuals of the exact denoiser are correlated, too, where it is known.
    """
    denoisers: dict[str, Denoiser] = {"learned": flow.denoiser}
    growth: list[dict[str, Any]] = []
    if mixture is not None:
        denoisers["exact"] = exact_denoiser(flow.schedule, flow.basis, *mixture)
        growth = error_growth(flow, denoisers["exact"], splits.test[: min(samples, _PATHS)], times=_PLACES)
    rows = [
        {"denoiser": name, **row}
        for name, denoiser in denoisers.items()
        for row in residual_correlation(denoiser, flow.basis, splits.test[:samples], times=times, seed=seed)
    ]
    return Measured({"residual_correlation": rows, "error_growth": growth})
