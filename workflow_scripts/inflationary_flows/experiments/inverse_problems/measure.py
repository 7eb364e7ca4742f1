r"""Posteriors of held-out images given a part of what they show, the flow being the prior.

    y = A x + N(0, sigma^2 I),      x a held-out image, blurred by the flow's first kernel as all that it generates

A leaves the upper half of an image, means of squares of four pixels, or a blurred image.  Beside the flow stand a
mixture of low-rank Gaussians and the Gaussian of the data, whose posteriors are known exactly, and guidance by the
likelihood of denoised points, which is no posterior.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.data.image_operators import average_squares, blur, see_upper_half
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments.image_data import exact_posteriors, noised_parts, pixel_std, with_solver
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.inference.guidance import guide
from inflationary_flows.inference.infer import infer
from inflationary_flows.inference.pca_mixture import choose_mixture, fit_gaussian
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.gaussian_mixtures import GaussianMixture
from inflationary_flows.metrics.posterior_draws import energy_scores
from inflationary_flows.seeding import derive_seed

# Levels of the intervals of pixels.
_LEVELS = {"coverage_50": 0.5, "coverage_90": 0.9}


def problems(image: ImageFormat, blur_std: float) -> dict[str, np.ndarray]:
    """Operators A by the name of their problem, shape (m, D)."""
    return {"half": see_upper_half(image), "squares": average_squares(image), "blur": blur(image, blur_std)}


def measure(
    flow: Flow,
    *,
    splits: Splits,
    images: int,
    shown: int,
    noise_std: float,
    blur_std: float,
    chains: int,
    warmup: int,
    draws: int,
    solver: str,
    steps: int,
    strength: float,
    components: Sequence[int],
    ranks: Sequence[int],
    seed: int,
    log: logging.Logger,
) -> Measured:
    """Samples the posteriors of held-out images in each problem under each prior.

    Arguments:
        flow: The flow; its latents have a Gaussian prior here, compressed ones as well.
        splits: Its data.
        images: Held-out images, the first ones.
        shown: How many of them the figure shows.
        noise_std: Standard deviation of the noise, in that of the data.
        blur_std: Width of the blur, pixels.
        chains, warmup, draws: As of `infer`; the other priors have as many draws.
        solver, steps: Integration of the flow within the sampler.
        strength: Of the guidance.
        components, ranks: What is tried of the mixture.
        seed: Seed of everything drawn.
        log: Told which posteriors passed.

    Returns:
        Table `inverse_problems`, rows of problem, prior, then as in the spec; arrays of the images shown, by problem.
    """
    assert splits.image is not None
    walked = with_solver(flow, solver, steps)
    train, validation, test = noised_parts(flow, splits, images, "inverse problems", seed)
    varies = np.ptp(np.asarray(splits.train), axis=0) > 0
    sigma = noise_std * pixel_std(splits)
    mixture = choose_mixture(train, validation, components, ranks, seed)[0]
    exact = {"mixture": mixture, "gaussian": fit_gaussian(train)}
    rows: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    for name, matrix in problems(splits.image, blur_std).items():
        noise = np.random.default_rng(derive_seed("inverse problem", seed, name)).standard_normal(
            (len(test), len(matrix))
        )
        observed = test @ matrix.T + sigma * noise
        # Pixels that are seen as they are have nothing to be found out; those that never vary neither.
        alone = ((matrix == 1) & (matrix.sum(1, keepdims=True) == 1)).any(0)
        judged = np.flatnonzero(varies & ~alone)

        start = time.process_time()
        posterior = infer(
            walked, observed, operator=matrix, noise_std=sigma, chains=chains, warmup=warmup, draws=draws, seed=seed
        )
        spent = time.process_time() - start
        count = chains * draws
        drawn = posterior.x.reshape(len(test), count, -1)
        passed = np.asarray(posterior.converged)
        log.info("%s: %d of %d posteriors passed", name, passed.sum(), len(passed))
        learned = _Judged(drawn, test, judged)
        gate = {
            "converged": float(passed.mean()),
            "rhat": float(np.median(posterior.rhat.max(1))),
            "ess": float(np.median(posterior.ess_bulk.min(1))),
        }
        found = {"learned": learned.row() | gate | {"seconds": spent / len(test)}}
        if 1 < passed.sum() < len(passed):
            found["learned_converged"] = learned.of(passed).row()
        for prior, law in exact.items():
            found[prior] = _Judged(_exactly(law, observed, matrix, sigma, count, seed), test, judged).row()
        start = time.process_time()
        guided = guide(flow, _misfit(observed, matrix, sigma), len(test), draws=count, strength=strength, seed=seed)
        spent = time.process_time() - start
        found["guidance"] = _Judged(guided.numpy(), test, judged).row() | {"seconds": spent / len(test)}
        rows.extend({"problem": name, "prior": prior, **row} for prior, row in found.items())
        few = slice(shown)
        pictures = {
            "truth": test[few],
            "observed": _as_image(observed[few], matrix),
            "draws": posterior.x[few, :, -1].reshape(len(test[few]), chains, -1),
            "mean": drawn[few].mean(1),
            "spread": drawn[few].std(1),
            "mixture": _exactly(mixture, observed[few], matrix, sigma, count, seed).mean(1),
        }
        shape = splits.image.shape
        arrays |= {f"{name}/{key}": values.reshape(*values.shape[:-1], *shape) for key, values in pictures.items()}
        arrays[f"{name}/converged"] = passed[few]
    return Measured({"inverse_problems": rows}, {"inverse_problems": arrays})


@dataclass(frozen=True)
class _Judged:
    """Posteriors of some images.

    Attributes:
        drawn: Draws of each posterior, shape (n, L, D).
        truth: Images, shape (n, D).
        pixels: Those that are judged one by one.
    """

    drawn: np.ndarray
    truth: np.ndarray
    pixels: np.ndarray

    def of(self, chosen: np.ndarray) -> _Judged:
        """Those of some images."""
        return _Judged(self.drawn[chosen], self.truth[chosen], self.pixels)

    def row(self) -> dict[str, Any]:
        """Coverage of intervals of pixels, the energy score of whole images, errors and spread of pixels."""
        drawn, truth = self.drawn[..., self.pixels], self.truth[:, self.pixels]
        values = {}
        for name, level in _LEVELS.items():
            low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=1)
            values[name] = ((low <= truth) & (truth <= high)).mean(1)
        values["energy_score"] = energy_scores(self.drawn, self.truth)
        summary: dict[str, Any] = {}
        for name, each in values.items():
            summary[name] = float(each.mean())
            # One image tells nothing of the others.
            summary[f"{name}_se"] = float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else float("nan")
        summary["rmse"] = float(np.sqrt(np.square(drawn.mean(1) - truth).mean()))
        summary["spread"] = float(np.sqrt(drawn.var(1, ddof=1).mean()))
        return summary | {"images": len(truth)}


def _exactly(
    prior: GaussianMixture, observed: np.ndarray, matrix: np.ndarray, sigma: float, count: int, seed: int
) -> np.ndarray:
    """Draws of posteriors under a mixture, known in closed form, shape (n, count, D)."""
    generator = torch.Generator().manual_seed(derive_seed("inverse problems draws", seed))
    return exact_posteriors(prior, observed, sigma, matrix).sample(count, generator).numpy()


def _misfit(observed: np.ndarray, matrix: np.ndarray, sigma: float) -> Callable[[Tensor], Tensor]:
    """Squared residuals of points of each image, shape (n, draws, D) to (n, draws), in units of the noise."""
    target, operator = torch.from_numpy(observed)[:, None], torch.from_numpy(matrix)
    return lambda x: ((x @ operator.T - target) / sigma).square().sum(-1)


def _as_image(observed: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Observations, shape (n, m), as images, shape (n, D): what is not seen is NaN."""
    if matrix.shape[0] == matrix.shape[1]:
        return observed
    weight = matrix.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > 0, observed @ matrix / weight, np.nan)
