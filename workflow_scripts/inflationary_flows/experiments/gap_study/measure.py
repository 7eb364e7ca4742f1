r"""What a wider inflation gap costs, on digits: the trend of table 3 of de Albuquerque and Pearson (2024).

The gap G sets how fast the noise of compressed directions shrinks while that of kept ones grows, exp(-rho (G - 1) t)
beside exp(2 rho t).  Three things may suffer: the prior (a Gaussian is drawn where the flow's latents follow p_T), the
network (a sharper density has a score that is harder to learn), and the solver.  They are told apart:

- the prior gap: images from the Gaussian beside those from latents of the true p_T, and latents beside the Gaussian;
- the likelihood of held-out digits, which all schedules start with the same noise: prior and network together;
- log-densities and round trips, whose errors are the solver's alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import ndtr

from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments.digit_features import Features
from inflationary_flows.experiments.images.roundtrip import measure_image_roundtrip
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.flow import HEUN_SCALED, Flow
from inflationary_flows.metrics.density import gaussian_log_density, mean_and_error
from inflationary_flows.metrics.integration import root_mean_square
from inflationary_flows.metrics.latents import measure_latents
from inflationary_flows.metrics.two_sample import energy_distance
from inflationary_flows.seeding import derive_seed

Row = dict[str, Any]
# What table 3 has, by what it is compared with here.
PUBLISHED = {"frechet_prior": "fid", "roundtrip_paper_wrapped": "roundtrip_mse_uint8"}
# Gaussian sets behind the floor of distances of latents.
_FLOORS = 40


def _row(metric: str, value: float, reference: float, n: int, error: float = math.nan) -> Row:
    return {"metric": metric, "value": float(value), "error": float(error), "reference": float(reference), "n": n}


def inflation_gap(flow: Flow) -> float:
    """The gap G of a flow, whose compressed directions have the exponent 1 - G; nan if it compresses none."""
    schedule = flow.schedule
    return 1 - float(schedule.exponents[-1]) if schedule.kept_dims < schedule.dimension else math.nan


def measure_prior_gap(flow: Flow, held_out: np.ndarray, features: Features, *, sets: int, seed: int) -> list[Row]:
    """Images from Gaussian latents and from latents of the true p_T, through the same flow, beside the training digits.

    Compressed latents of the true p_T nearly hold the held-out digits that they come from: these are no reference.

    Arguments:
        flow: Trained flow.
        held_out: Held-out digits, shape (n, D); p_T is that of these.
        features: Of the Frechet distance, and the training digits.
        sets: Sets of n images from each source.
        seed: Seed of latents and noise.

    Returns:
        Rows `frechet_prior` and `frechet_true_pt`, `energy_prior` and `energy_true_pt` (unbiased, pixels in [-1, 1]);
        means over sets with their standard errors. The reference is that of held-out digits.
    """
    n = len(held_out)
    latents = {
        "prior": flow.sample_latents(sets * n, seed, "gaussian").split(n),
        "true_pt": [flow.noised_latents(held_out, derive_seed("true p_T", seed, number)) for number in range(sets)],
    }
    best, rows = (features.distance(held_out), energy_distance(held_out, features.train)), []
    for source, drawn in latents.items():
        images = [np.asarray(flow.generate(torch.as_tensor(z))) for z in drawn]
        frechet = np.array([features.distance(x) for x in images])
        energy = np.array([energy_distance(x, features.train) for x in images])
        for name, values, reference in (("frechet", frechet, best[0]), ("energy", energy, best[1])):
            error = values.std(ddof=1) / math.sqrt(sets) if sets > 1 else math.nan
            rows.append(_row(f"{name}_{source}", values.mean(), reference, n, error))
    return rows


def distance_to_normal(y: np.ndarray) -> float:
    """Unbiased energy distance of one coordinate to the standard normal, the mean over coordinates, shape (n, k)."""
    n = len(y)
    # E|y - Z| in closed form; E|y - y'| by order statistics; E|Z - Z'| = 2 / sqrt(pi).
    between = (y * (2 * ndtr(y) - 1) + 2 * np.exp(-np.square(y) / 2) / math.sqrt(2 * math.pi)).mean(0)
    places = 2 * np.arange(1, n + 1)[:, None] - n - 1
    within = 2 * (places * np.sort(y, 0)).sum(0) / (n * (n - 1))
    return float((2 * between - within - 2 / math.sqrt(math.pi)).mean())


def measure_latent_gap(flow: Flow, held_out: np.ndarray, *, seed: int) -> list[Row]:
    """Whitened latents of held-out points beside the Gaussian that the prior takes them for.

    Arguments:
        flow: Trained flow.
        held_out: Held-out points, shape (n, D), data units.
        seed: Seed of noise and of Gaussian sets.

    Returns:
        Rows `latent_{directions}` of inflated points and `latent_{directions}_exact` of exact draws from p_T, whatever
        the network: `distance_to_normal` of `kept` and `compressed` directions, the reference being the 95 % point of
        Gaussian sets; `latent_cov_error` and `latent_kurtosis` as of `measure_latents`.
    """
    n, kept = len(held_out), flow.schedule.kept_dims
    random = np.random.default_rng(derive_seed("latent gap", seed))
    normal = [random.standard_normal((n, flow.dimension)) for _ in range(_FLOORS)]
    std = flow.schedule.latent_std.cpu().numpy()
    whitened = np.asarray(flow.inflate(flow.noised_data(held_out, seed))) / std
    exact = np.asarray(flow.noised_latents(held_out, seed)) / std
    rows = []
    for name, directions in (("kept", slice(kept)), ("compressed", slice(kept, None))):
        if not whitened[:, directions].size:
            continue
        floor = float(np.quantile([distance_to_normal(points[:, directions]) for points in normal], 0.95))
        for ending, latents in (("", whitened), ("_exact", exact)):
            rows.append(_row(f"latent_{name}{ending}", distance_to_normal(latents[:, directions]), floor, n))
    moments = measure_latents(whitened, kept)
    return rows + [_row(**row) for row in moments if row["metric"] in ("latent_cov_error", "latent_kurtosis")]


def measure_log_density(flow: Flow, x: np.ndarray, *, reference_samples: int, reference_steps: int) -> list[Row]:
    """Log-densities of held-out points, beside the Gaussian of the data, and beside those of a finer integration.

    Arguments:
        flow: Trained flow, with an exact trace up to 64 coordinates.
        x: Points with the first kernel's noise, shape (n, D), data units.
        reference_samples: Points of the finer integration, the first ones.
        reference_steps: Its solver steps, in double precision.

    Returns:
        Rows `log_likelihood` (mean; the error is that of the difference to the reference, that of the Gaussian) and
        `log_density_error` (root mean square over points).
    """
    found, gaussian = np.asarray(flow.log_prob(x)), gaussian_log_density(flow, x)
    _, error = mean_and_error(found - gaussian)
    fine = np.asarray(flow.double().log_prob(x[:reference_samples], steps=reference_steps))
    difference = root_mean_square(found[:reference_samples] - fine)
    return [
        _row("log_likelihood", found.mean(), gaussian.mean(), len(x), error),
        _row("log_density_error", difference, 0.0, len(fine)),
    ]


def measure_gap(
    flow: Flow,
    held_out: np.ndarray,
    features: Features,
    *,
    sets: int,
    density_samples: int,
    reference_samples: int,
    reference_steps: int,
    roundtrip: int,
    paper_steps: int,
    seed: int,
) -> list[Row]:
    """All rows of one flow of digits; arguments as of `GapStudy`."""
    rows = measure_prior_gap(flow, held_out, features, sets=sets, seed=seed)
    rows += measure_latent_gap(flow, held_out, seed=seed)
    x = np.asarray(flow.noised_data(held_out[:density_samples], seed))
    rows += measure_log_density(flow, x, reference_samples=reference_samples, reference_steps=reference_steps)
    for name, settings in (("own", flow.settings()), ("paper", flow.settings(HEUN_SCALED, paper_steps))):
        found = measure_image_roundtrip(flow, held_out, samples=roundtrip, sample_seed=seed, settings=settings)
        rows += [
            _row(f"roundtrip_{name}", found["mse"], 0.0, found["n"]),
            _row(f"roundtrip_{name}_wrapped", found["mse_uint8_wrapped"], 0.0, found["n"]),
        ]
    return rows


def with_published(rows: Iterable[Row], flow: Flow, published: pd.DataFrame) -> list[Row]:
    """Rows of a flow after its kept dimensions and gap, and with the paper's value of the same ones, if it has one."""
    kept, gap = flow.schedule.kept_dims, inflation_gap(flow)
    of_table = published[(published["table"] == "3") | (published["table"] == 3)]
    of_gap = of_table[(of_table["dims"] == kept) & (of_table["inflation_gap"] - gap).abs().lt(1e-9)]
    values = dict(zip(of_gap["metric"], of_gap["mean"].astype(float), strict=True))
    keys = {"kept_dims": kept, "inflation_gap": gap}
    return [{**keys, **row, "published": values.get(PUBLISHED.get(row["metric"], ""), math.nan)} for row in rows]


def measure(
    flows: Mapping[tuple[str, str], Flow],
    *,
    splits: Splits,
    published: pd.DataFrame,
    classifier: Mapping[str, Any],
    samples: int,
    **settings: Any,
) -> Measured:
    """Rows of `measure_gap` for each flow, with published values where there are some.

    Arguments:
        flows: Flows of digits by schedule and seed.
        splits: The digits; those held out are the validation and the test split.
        published: The paper's tables.
        classifier: Settings of the classifier of digits, and its seed.
        samples: Held-out digits, the first ones.
        settings: As of `measure_gap`.
    """
    features = Features.fit(splits, classifier)
    held_out = np.concatenate([splits.validation, splits.test])[:samples]
    rows = []
    for (schedule, seed), flow in flows.items():
        measured = with_published(measure_gap(flow, held_out, features, **settings), flow, published)
        rows += [{"schedule": schedule, "seed": seed, **row} for row in measured]
    return Measured({"gap_study": rows})
