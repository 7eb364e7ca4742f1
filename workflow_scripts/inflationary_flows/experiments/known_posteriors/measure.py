r"""Densities, latents and posteriors of a flow against the true ones, of data that are a known mixture of Gaussians.

Observations are a point with noise, or some of its coordinates without.  Exact posteriors of x are mixtures in closed
form (`mathematics.gaussian_mixtures`), those of latents are their draws, carried by the exact flow.  Priors:

    exact                 the exact density; of posteriors other draws of the exact ones, to see what chance does
    learned               the flow, latents as it draws them
    learned_true_latents  the same network, latents from their exact law: its own error, without the prior gap
    exact_flow            the exact denoiser, latents Gaussian: the prior gap, which the best of networks has
    gaussian              the Gaussian of the data, F = 0, a control that has to lose
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from inflationary_flows.data.toys import Mixture
from inflationary_flows.experiments.known_posteriors.posteriors import measure_posteriors
from inflationary_flows.experiments.known_posteriors.truth import Truth
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.seeding import derive_seed


def measure_densities(truth: Truth, samples: int, seed: int) -> list[dict[str, Any]]:
    """Divergences of the exact density to all priors, and errors of latents.

    Arguments:
        truth: A flow and what is known.
        samples: Fresh points, with the first noise.
        seed: Their seed.

    Returns:
        Rows of prior, divergence (nats a dimension), divergence_error, latent_error (root mean square over points and
        kept directions, in standard deviations), latent_median (of absolute errors, likewise), latent_error_all (over
        all directions), n. Another law of the same latents has no error of its own.
    """
    x = truth.law.sample(samples, torch.Generator().manual_seed(derive_seed("known density", seed)))
    learned, exact = truth.latents(truth.flow, x), truth.latents(truth.exact, x)
    latents = {"learned": learned, "exact_flow": exact, "gaussian": truth.whitened(x)}
    kept, dimension = truth.flow.schedule.kept_dims, truth.flow.dimension
    rows = []
    for prior, ratio in truth.log_ratios(x, learned, exact).items():
        away = (latents[prior] - exact).numpy() if prior in latents else np.full(x.shape, np.nan)
        rows.append(
            {
                "prior": prior,
                "divergence": float(-ratio.mean() / dimension),
                "divergence_error": float(ratio.std(ddof=1) / math.sqrt(samples) / dimension),
                "latent_error": float(np.sqrt(np.square(away[:, :kept]).mean())),
                "latent_median": float(np.median(np.abs(away[:, :kept]))),
                "latent_error_all": float(np.sqrt(np.square(away).mean())),
                "n": samples,
            }
        )
    return rows


def measure(
    flow: Flow,
    *,
    mixture: Mixture,
    sizes: Mapping[str, int],
    noise_stds: Sequence[float],
    missing: float,
    references: int,
    levels: Sequence[float],
    steps: int | None,
    seed: int,
) -> Measured:
    """Measures densities and latents, and posteriors of noisy points and of missing coordinates.

    Arguments:
        flow: Trained flow.
        mixture: The mixture that its data are.
        sizes: Samples of densities, observations and draws of posteriors.
        noise_stds: Standard deviations of the noise, in those of the data.
        missing: Share of the coordinates that are missing, the first ones.
        references, levels, seed: As of `measure_posteriors`.
        steps: Solver steps other than the flow's own.
    """
    truth = Truth.of(flow, mixture, steps)
    _, covariance = truth.law.moments()
    everything = torch.eye(flow.dimension, dtype=torch.float64)
    left_out = min(flow.dimension - 1, max(1, round(missing * flow.dimension)))
    tasks = {
        f"noise {noise_std:g}": (everything, noise_std * math.sqrt(float(covariance.trace()) / flow.dimension))
        for noise_std in noise_stds
    } | {f"{left_out} missing": (everything[left_out:], 0.0)}
    posteriors = [
        {"observed": task, **row}
        for task, (operator, noise) in tasks.items()
        for row in measure_posteriors(
            truth,
            operator,
            noise,
            observations=sizes["observations"],
            draws=sizes["draws"],
            references=references,
            levels=levels,
            seed=derive_seed(task, seed),
        )
    ]
    densities = measure_densities(truth, sizes["samples"], seed)
    return Measured({"known_densities": densities, "known_posteriors": posteriors})
