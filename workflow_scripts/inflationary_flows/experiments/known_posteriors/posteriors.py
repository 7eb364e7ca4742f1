"""Posteriors of points and of their latents under several priors, against the exact ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.experiments.known_posteriors.truth import Truth
from inflationary_flows.metrics.importance import DrawWeights, masses_of_draws, squared_distances
from inflationary_flows.metrics.tarp import judged_rows
from inflationary_flows.metrics.two_sample import c2st_accuracy
from inflationary_flows.seeding import derive_seed

# Of so many weighted draws one is taken for the classifier, so that hardly any is taken twice.
_THINNING = 4


@dataclass(frozen=True, eq=False)
class _Posterior:
    """Posteriors of all observations under one prior.

    Attributes:
        weights: Weights of its draws.
        apart: Weights of exact draws, which say how far it is from the exact one.
        draws: Draws and, last in each row, the truth, whitened points `x` and latents `z`, shape (n, m + 1, D); and
            `density`: their exact log density, and how much more likely the prior makes them, shape (n, m + 1, 2).
    """

    weights: DrawWeights
    apart: DrawWeights
    draws: dict[str, np.ndarray]


def measure_posteriors(
    truth: Truth,
    operator: Tensor,
    noise: float,
    *,
    observations: int,
    draws: int,
    references: int,
    levels: Sequence[float],
    seed: int,
) -> list[dict[str, Any]]:
    """Compares posteriors of points and of their latents under all priors with the exact ones.

    Arguments:
        truth: A flow and what is known.
        operator: What of a point is observed, shape (m, D).
        noise: Standard deviation of the noise of observations, data units; 0 for none.
        observations: Number of true points, each with its observation.
        draws: Draws of each posterior.
        references: Random reference points of coverage.
        levels: Its nominal levels.
        seed: Seed of everything.

    Returns:
        Rows of prior; ess_share, divergence (nats a dimension) and best_accuracy, means over observations; c2st_x and
        c2st_z; worst and p_value of coverage in x, in z, and in the order of densities; n, draws.
    """
    random = torch.Generator().manual_seed(derive_seed("known posterior", seed))
    x = truth.law.sample(observations, random)
    seen = x @ operator.T
    seen = seen + noise * torch.randn(seen.shape, generator=random, dtype=seen.dtype)
    covariance = noise**2 * torch.eye(len(operator), dtype=torch.float64) if noise > 0 else None
    exact = truth.law.given(seen, operator, covariance)
    gaussian = truth.gaussian.given(seen, operator, covariance)
    drawn, control = (torch.cat([law.sample(draws, random), x[:, None]], 1) for law in (exact, gaussian))
    count = max(1, draws // _THINNING)
    fresh = exact.sample(count, random)
    centre, around = exact.mean(), truth.law.sample(observations * references, random)
    normal = torch.randn(around.shape, generator=random, dtype=around.dtype)
    references_of = {
        space: points.view(observations, references, -1).numpy()
        for space, points in (("x", truth.whitened(around)), ("z", normal))
    }
    # Residuals from the posterior mean, beside the observation, are what a classifier sees.
    centres = {"x": truth.whitened(centre), "z": truth.latents(truth.exact, centre)}
    found = _posteriors(truth, drawn, control)
    compared = _in_spaces(truth, fresh, truth.latents(truth.exact, fresh))
    rows = []
    for prior, posterior in found.items():
        row = {
            "prior": prior,
            "ess_share": float(posterior.apart.ess_share.mean()),
            "divergence": float(posterior.apart.divergence.mean() / x.shape[1]),
            "best_accuracy": float(posterior.apart.best_accuracy.mean()),
        }
        picked = posterior.weights.chosen(count, seed)[..., None]
        for space, middle in centres.items():
            sets = (np.take_along_axis(posterior.draws[space], picked, 1), compared[space])
            shown = [
                np.concatenate([points - middle[:, None].numpy(), np.repeat(seen[:, None].numpy(), count, 1)], 2)
                for points in sets
            ]
            flat = [points.reshape(observations * count, -1) for points in shown]
            row[f"c2st_{space}"] = c2st_accuracy(*flat, seed=seed, groups=np.repeat(np.arange(observations), count))
        for space, points in posterior.draws.items():
            ordered = points if space == "density" else squared_distances(points, references_of[space])
            judged = judged_rows(masses_of_draws(posterior.weights, ordered[:, :-1], ordered[:, -1], seed), levels)
            row[f"worst_{space}"], row[f"p_value_{space}"] = judged[0]["worst"], judged[0]["p_value"]
        rows.append({**row, "n": observations, "draws": draws})
    return rows


def _in_spaces(truth: Truth, points: Tensor, latents: Tensor) -> dict[str, np.ndarray]:
    return {"x": truth.whitened(points).numpy(), "z": latents.numpy()}


def _posteriors(truth: Truth, drawn: Tensor, control: Tensor) -> dict[str, _Posterior]:
    """All posteriors by prior, from draws of the exact ones and of those of the Gaussian, the truth last.

    Where no direction is compressed there is hardly a prior gap, which need not be told apart.
    """
    learned, exact = truth.latents(truth.flow, drawn), truth.latents(truth.exact, drawn)
    log_exact = truth.law.log_density(drawn.flatten(0, 1)).view(drawn.shape[:2]).numpy()
    ratios = truth.log_ratios(drawn, learned, exact)
    equal = DrawWeights.equal(len(drawn), drawn.shape[1] - 1)
    # The exact posterior has no ratio of its own: that of the control orders its draws.
    spaces = _in_spaces(truth, drawn, exact) | {"density": np.stack([log_exact, ratios["gaussian"]], 2)}
    found = {"exact": _Posterior(equal, equal, spaces)}
    reducing = truth.flow.schedule.kept_dims < truth.flow.dimension
    for prior in ("learned", *(("learned_true_latents", "exact_flow") if reducing else ())):
        weights = DrawWeights.of(ratios[prior][:, :-1], ratios[prior][:, -1])
        latents = exact if prior == "exact_flow" else learned
        spaces = _in_spaces(truth, drawn, latents) | {"density": np.stack([log_exact, ratios[prior]], 2)}
        # The truth has the latent that the exact flow gives it.
        spaces["z"] = np.concatenate([spaces["z"][:, :-1], exact[:, -1:].numpy()], 1)
        found[prior] = _Posterior(weights, weights, spaces)
    log_control = truth.law.log_density(control.flatten(0, 1)).view(control.shape[:2])
    ratio = truth.gaussian.log_density(control.flatten(0, 1)).view(control.shape[:2]) - log_control
    linear = truth.whitened(control)
    linear_z = torch.cat([linear[:, :-1], exact[:, -1:]], 1)
    spaces = _in_spaces(truth, control, linear_z) | {"density": torch.stack([log_control, ratio], 2).numpy()}
    apart = DrawWeights.of(ratios["gaussian"][:, :-1], ratios["gaussian"][:, -1])
    return found | {"gaussian": _Posterior(equal, apart, spaces)}
