"""How good a trained flow is: generated points against fresh ones, latents against their exact law.

Generation is judged twice.  Latents from the true p_T, which are held-out data plus kernel noise,
show the flow's own error; latents from the prior show that error and the prior gap.  For flows with
compressed directions the prior is judged in both forms, Gaussian and empirical.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from inflationary_flows.data.splits import Splits
from inflationary_flows.data.toys import Mixture
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.denoisers import Denoiser
from inflationary_flows.mathematics.eigenbasis import Rows
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.oracles import exact_denoiser
from inflationary_flows.metrics.density import measure_density
from inflationary_flows.metrics.latents import measure_latents, measure_neighbourhoods
from inflationary_flows.metrics.two_sample import (
    c2st_accuracy,
    energy_distance,
    sliced_wasserstein,
    standardise,
)
from inflationary_flows.training.validation import (
    excess_denoising_error,
    excess_times,
    mean_excess,
)

QUALITY_COLUMNS = ("metric", "value", "reference", "n")

# The excess denoising error is averaged over times with more kernel variance than this; below, it
# is all noise.
KERNEL_ABOVE = 0.01
EXCESS_POINTS = 1_000


def generate_all(flow: Flow, validation: Rows, n: int, seed: int, steps: int | None = None) -> dict[str, np.ndarray]:
    """Generates n points from each source of latents.

    Arguments:
        flow: Trained flow.
        validation: Held-out points that become latents of the true p_T, shape (>= n, D), data
            units.
        n: Number of points.
        seed: Seed of kernel noise and of the prior.
        steps: Solver steps other than the flow's own.

    Returns:
        Points, shape (n, D), data units, under `true_pt`, `prior` (Gaussian) and, where directions
        are compressed and the flow holds inflated training data, `prior_empirical`.
    """
    latents = {
        "true_pt": torch.as_tensor(flow.noised_latents(validation[:n], seed)),
        "prior": flow.sample_latents(n, seed, "gaussian"),
    }
    if flow.schedule.kept_dims < flow.dimension and flow.compressed_latents is not None:
        latents["prior_empirical"] = flow.sample_latents(n, seed, "empirical")
    return {source: flow.generate(z, steps=steps).numpy() for source, z in latents.items()}


def noised_along_null(flow: Flow, points: np.ndarray, seed: int) -> np.ndarray:
    """Adds the first kernel's noise along null directions, which a flow cannot do without.

    There data have no density: generated points would be told from them by any noise, however small.

    Arguments:
        flow: Flow of these data.
        points: Shape (n, D), data units; data of full rank stay as they are.
        seed: Seed of the noise.
    """
    spanned = flow.schedule.spanned
    if bool(spanned.all()):
        return points
    clean = torch.tensor(points, dtype=torch.float64)
    u, noised = (flow.basis.to_eigen(x) for x in (clean, flow.noised_data(clean, seed)))
    return flow.basis.transforms.rounded(flow.basis.from_eigen(torch.where(spanned, u, noised))).numpy()


def measure_generation(
    generated: dict[str, np.ndarray],
    fresh: np.ndarray,
    floor: list[dict[str, Any]],
    *,
    projections: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Compares generated sets with fresh held-out points, all in standardised units.

    Arguments:
        generated: Point sets by source of latents, shape (n, D) each.
        fresh: Held-out points, shape (n, D).
        floor: Rows of `measure_floor`; the reference of a distance is its 95 % point between fresh
            sets, that of the classifier is one half.
        projections: Directions of the sliced Wasserstein distance.
        seed: Seed of directions and classifier.

    Returns:
        Rows of metric, value, reference, n, the metric named `<statistic>_<source>`.
    """
    q95 = {str(row["metric"]): float(row["q95"]) for row in floor}
    statistics = {
        "energy_distance": (energy_distance, q95["energy_distance"]),
        "sliced_wasserstein": (
            lambda x, y: sliced_wasserstein(x, y, projections=projections, seed=seed),
            q95["sliced_wasserstein"],
        ),
        "c2st_accuracy": (lambda x, y: c2st_accuracy(x, y, seed=seed), 0.5),
    }
    return [
        {
            "metric": f"{name}_{source}",
            "value": statistic(points, fresh),
            "reference": reference,
            "n": len(points),
        }
        for name, (statistic, reference) in statistics.items()
        for source, points in generated.items()
    ]


def measure_excess(flow: Flow, exact: Denoiser, held_out: Rows, seed: int) -> list[dict[str, Any]]:
    """Excess denoising error (target variance 1) where the kernel variance is above .01."""
    schedule = flow.schedule
    points = held_out[:EXCESS_POINTS]
    times = excess_times(schedule)
    u0 = standardise(points, flow.basis) @ flow.basis.vectors.cpu().numpy()
    errors = excess_denoising_error(flow.denoiser, exact, u0, seed, times)
    value = mean_excess(schedule, times, errors, above=KERNEL_ABOVE)
    return [{"metric": "excess_denoising_error", "value": value, "reference": 0.0, "n": len(points)}]


def measure_quality(
    flow: Flow,
    *,
    validation: Rows,
    test: Rows,
    floor: list[dict[str, Any]],
    exact: Denoiser | None = None,
    samples: int = 10_000,
    seed: int = 0,
    projections: int = 200,
    neighbours: int = 10,
    neighbour_samples: int = 2_000,
    steps: int | None = None,
) -> list[dict[str, Any]]:
    """Measures everything that `flow_quality.csv` holds about one flow.

    Arguments:
        flow: Trained flow.
        validation: Held-out points that latents of the true p_T are made of, shape (n, D), data
            units.
        test: Other held-out points, that everything is compared with, shape (n, D), data units.
        floor: Rows of `measure_floor` with the same number of samples.
        exact: Exact denoiser of the flow's schedule, for data sets of known density.
        samples: Points of each set, cut to the smaller split.
        seed: Seed of noise, priors, directions and classifier.
        projections: Directions of the sliced Wasserstein distance.
        neighbours, neighbour_samples: Neighbours and points of the trustworthiness.
        steps: Solver steps other than the flow's own.

    Returns:
        Rows of metric, value, reference (floor or ideal value), n.
    """
    n = min(samples, len(validation), len(test))
    fresh = test[:n]
    generated = {
        source: standardise(points, flow.basis)
        for source, points in generate_all(flow, validation, n, seed, steps).items()
    }
    compared = standardise(noised_along_null(flow, fresh, seed), flow.basis)
    rows = measure_generation(generated, compared, floor, projections=projections, seed=seed)
    if exact is not None:
        rows += measure_excess(flow, exact, test, seed)
    # The exact law of latents begins with the kernel at t_min, which is all there is along null directions of the data.
    noised = flow.noised_data(fresh, seed)
    latents = flow.inflate(noised, steps=steps)
    rows += measure_latents(latents / flow.schedule.latent_std.cpu().numpy(), flow.schedule.kept_dims)
    near = slice(neighbour_samples)
    rows += measure_neighbourhoods(standardise(noised[near], flow.basis), latents[near], neighbours)
    return rows


def measure(
    flow: Flow,
    *,
    splits: Splits,
    mixture: Mixture | None,
    floor: pd.DataFrame,
    density_samples: int = 2_000,
    **settings: Any,
) -> Measured:
    """Rows of `measure_quality` and of `measure_density`, of generated, validation and held-out points."""
    exact = exact_denoiser(flow.schedule, flow.basis, *mixture) if mixture else None
    rows = measure_quality(
        flow,
        validation=splits.validation,
        test=splits.test,
        floor=[{str(key): value for key, value in row.items()} for row in floor.to_dict("records")],
        exact=exact,
        **settings,
    )
    rows += measure_density(flow, exact, splits.test, density_samples, settings.get("seed", 0), settings.get("steps"))
    return Measured({"flow_quality": rows})
