"""What the number of kept dimensions changes, for flows that one network knows.

Rows that the network was not trained on are looked at in five ways: how likely they are; how far generated rows are
from them; what is left of them by d kept latents alone,

    x -> z -> (z_1, ..., z_d, 0, ..., 0) -> x',

beside the first d principal components, the best that is linear; how exactly they come back from all latents; and what
flows cost.  Flows whose networks were trained for one schedule each are measured in the same way: they show
what it costs to share a network.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments.digit_features import Features
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.prior import CompressedPrior
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.metrics.density import gaussian_log_density, mean_and_error
from inflationary_flows.metrics.integration import carry_latents, root_mean_square
from inflationary_flows.metrics.two_sample import energy_distance, standardise
from inflationary_flows.training.assembly import with_schedule

Row = dict[str, Any]
# Which network a flow has: that of all numbers of dimensions, or one that was trained for its schedule.
SHARED, OWN = "shared", "own"


def _row(metric: str, value: float, reference: float, n: int, error: float = math.nan) -> Row:
    return {"metric": metric, "value": float(value), "error": float(error), "reference": float(reference), "n": n}


def gap_of(schedule: Mapping[str, Any]) -> str:
    """The gap in arguments of `make_schedule`: `none` if all dimensions are kept, `orig`, or its number."""
    if schedule.get("kept_dims") is None:
        return "none"
    return f"{schedule['inflation_gap']:g}" if schedule.get("gap") == "constant" else "orig"


def log_densities(flow: Flow, held_out: np.ndarray, seed: int, steps: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Log densities of rows with the flow's first noise, (n, D) to (n,), under the flow and under a Gaussian.

    The noise is the same in all flows of one kernel, and the estimate of traces has the same probes: their differences
    vary less than they do.
    """
    x = flow.basis.transforms.rounded(flow.noised_data(torch.from_numpy(held_out), seed)).numpy()
    return np.asarray(flow.log_prob(x, seed=seed, steps=steps)), gaussian_log_density(flow, x)


def measure_samples(
    flow: Flow, held_out: np.ndarray, train: np.ndarray, features: Features | None, *, seed: int, steps: int | None
) -> list[Row]:
    """Distances of as many generated rows as are held out to these, beside that of training rows, and their cost.

    Arguments:
        flow: Flow.
        held_out, train: Rows, shape (n, D) and (m, D), data units.
        features: Of the Frechet distance of digits, to the training digits, beside that of held-out ones.
        seed: Seed of latents.
        steps: Solver steps other than the flow's own.
    """
    n = len(held_out)
    points, evaluations = carry_latents(flow, flow.sample_latents(n, seed).numpy(), flow.settings(steps=steps))
    made = flow.basis.transforms.rounded(torch.from_numpy(points)).numpy()
    fresh, new, known = (standardise(points, flow.basis) for points in (held_out, made, train[:n]))
    rows = [_row("energy_distance", energy_distance(new, fresh), energy_distance(known, fresh), n)]
    if features is not None:
        rows.append(_row("frechet", features.distance(made), features.distance(held_out), n))
    return [*rows, _row("evaluations", evaluations, math.nan, n)]


def measure_rows(flow: Flow, held_out: np.ndarray) -> list[Row]:
    """What is left of rows by kept latents alone, beside principal components, and by all latents.

    Errors are root mean squares over rows and coordinates, in the units in which directions are found: standard
    deviations of columns, or pixels.
    """
    kept, x = flow.schedule.kept_dims, standardise(held_out, flow.basis)
    z = torch.as_tensor(np.asarray(flow.inflate(held_out)))
    alone = z.clone()
    alone[:, kept:] = 0.0
    back, left = (standardise(np.asarray(flow.generate(latents)), flow.basis) - x for latents in (z, alone))
    across = x @ flow.basis.vectors.cpu().numpy()[:, kept:]
    linear = math.sqrt(float(np.square(across).sum()) / x.size)
    n = len(x)
    rows = [_row("reconstruction", root_mean_square(left), linear, n)]
    return [*rows, _row("round_trip", root_mean_square(back), 0.0, n)]


def measure(
    flows: Mapping[tuple[str, str], Flow],
    *,
    splits: Splits,
    shared: str,
    schedules: Sequence[Mapping[str, Any]],
    own: Mapping[str, Mapping[str, Any]],
    training_steps: Mapping[str, int],
    samples: int,
    density_samples: int,
    reconstructed: int,
    steps: int | None,
    compressed_prior: CompressedPrior,
    seed: int,
    classifier: Mapping[str, Any] | None = None,
) -> Measured:
    """Measures the flows of one network, and those of networks of their own.

    Arguments:
        flows: By schedule and training seed, with the variant: one of the network that knows all, and those of networks
            of their own.
        splits: Their data. Held-out rows are the test split, and after it the validation split.
        shared: Seed and variant of the network that knows all.
        schedules: Arguments of `make_schedule` of its flows, the one that keeps all dimensions first.
        own: Those of the flows of networks of their own, by name.
        training_steps: Optimiser steps of a network, by seed and variant.
        samples: Held-out rows, and generated ones.
        density_samples, reconstructed: Of these, rows whose densities are taken, and rows that are carried.
        steps: Solver steps of densities and of generated rows, other than the flow's own.
        compressed_prior: How compressed latents are drawn.
        seed: Seed of noise, latents and probes.
        classifier: Settings of the classifier of digits, and its seed, if these are digits.
    """
    train = np.asarray(splits.train, dtype=np.float64)
    held_out = np.concatenate([splits.test, splits.validation]).astype(np.float64)[:samples]
    features = None if classifier is None else Features.fit(splits, classifier)
    known = next(flow for (_, member), flow in flows.items() if member == shared)
    listed: list[tuple[Row, Flow]] = []
    for arguments in schedules:
        schedule = make_schedule(known.basis.eigenvalues, **arguments)
        # Only resampled latents need training rows.
        rows = train if compressed_prior == "empirical" else None
        flow = with_schedule(known, schedule, rows, compressed_prior)
        listed.append(({"network": SHARED, "schedule": "", "seed": shared, "gap": gap_of(arguments)}, flow))
    for (name, member), trained in flows.items():
        if member != shared:
            flow = copy.copy(trained)
            flow.compressed_prior = compressed_prior
            listed.append(({"network": OWN, "schedule": name, "seed": member, "gap": gap_of(own[name])}, flow))
    found: list[Row] = []
    densities: dict[tuple[int, str], np.ndarray] = {}
    for keys, flow in listed:
        kept = flow.schedule.kept_dims
        values, gaussian = log_densities(flow, held_out[:density_samples], seed, steps)
        # The same schedule by the network that knows all.
        twin = densities.setdefault((kept, keys["gap"]), values if keys["network"] == SHARED else np.array([]))
        first = next(iter(densities.values()))
        mean, error = mean_and_error(values)
        measured = [_row("log_likelihood", mean, gaussian.mean(), len(values), error)]
        for metric, beside in (("over_all_kept", first), ("over_shared", twin)):
            if len(beside) and not (metric == "over_shared" and keys["network"] == SHARED):
                mean, error = mean_and_error(values - beside)
                measured.append(_row(metric, mean, 0.0, len(values), error))
        measured += measure_samples(flow, held_out, train, features, seed=seed, steps=steps)
        measured += measure_rows(flow, held_out[:reconstructed])
        measured.append(_row("training_steps", training_steps[keys["seed"]], math.nan, len(train)))
        head = {key: keys[key] for key in ("network", "schedule", "seed")}
        found += [{**head, "kept_dims": kept, "gap": keys["gap"], **row} for row in measured]
    return Measured({"dimension_choice": found})
