r"""Where held-out images lie in their posteriors given noisy versions of them, the flow being the prior.

    x_obs = x + N(0, sigma^2 I),      x a held-out image, blurred by the flow's first kernel as all that it generates

Statistics are every pixel, the first PCA scores, the distance from the noisy image, and the log density of the
posterior.  Beside the flow stand a mixture of low-rank Gaussians, chosen by held-out density, and the Gaussian of the
data, whose posteriors are known exactly.  Controls: images drawn from the mixture in their own posteriors, which are
right, and draws that were moved towards their mean, which are too narrow.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments.image_data import exact_posteriors, noised_parts, pixel_std, with_solver
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.inference.infer import infer
from inflationary_flows.inference.pca_mixture import choose_mixture, fit_gaussian
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.gaussian_mixtures import GaussianMixture
from inflationary_flows.metrics.posterior_draws import group_rows, rank_fractions, score_draws
from inflationary_flows.seeding import derive_seed

# A smaller share of posteriors that converged is a warning: ranks are then those of chains near their starts.
_MIXED = 0.4


def measure(
    flow: Flow,
    *,
    splits: Splits,
    images: int,
    noise_std: float,
    scores: int,
    narrowing: float,
    chains: int,
    warmup: int,
    draws: int,
    solver: str,
    steps: int,
    gate: Mapping[str, float],
    components: Sequence[int],
    ranks: Sequence[int],
    bins: int,
    seed: int,
    log: logging.Logger,
) -> Measured:
    """Samples the posteriors of held-out images under each prior, and ranks the images in them.

    Arguments:
        flow: The flow; its latents have a Gaussian prior here, compressed ones as well.
        splits: Its data.
        images: Held-out images, the first ones.
        noise_std: Standard deviation of the noise, in that of the data.
        scores: PCA scores.
        narrowing: Factor of the controls: their draws' distance from their mean.
        chains, warmup, draws: As of `infer`; the other priors have as many draws.
        solver, steps: Integration of the flow within the sampler.
        gate: Largest `rhat` and smallest `ess` of any pixel, for a posterior to count as converged.
        components, ranks: What is tried of the mixture.
        bins: Bins of the histograms.
        seed: Seed of everything drawn.
        log: Told what was chosen and how chains went; warned if few of them converged.

    Returns:
        Tables `image_posteriors` and `image_posterior_scores`, rows of prior, then as in the spec.
    """
    train, validation, test = noised_parts(flow, splits, images, "image posteriors", seed)
    sigma = noise_std * pixel_std(splits)
    noise = np.random.default_rng(derive_seed("image posteriors noise", seed)).standard_normal(test.shape)
    mixture, chosen, rank = choose_mixture(train, validation, components, ranks, seed)
    log.info("mixture of %d components, rank %d", chosen, rank)
    count = chains * draws
    observed = test + sigma * noise
    walked = with_solver(flow, solver, steps)
    posterior = infer(walked, observed, noise_std=sigma, chains=chains, warmup=warmup, draws=draws, seed=seed)
    worst_rhat, least_ess = posterior.rhat.max(1), posterior.ess_bulk.min(1)
    converged = (worst_rhat <= gate["rhat"]) & (least_ess >= gate["ess"])
    tell = log.info if converged.mean() > _MIXED else log.warning
    tell("%d of %d posteriors converged", converged.sum(), len(converged))
    drawn, latents = (values.reshape(len(test), count, -1) for values in (posterior.x, posterior.z))
    learned = Judged(
        test,
        observed,
        drawn,
        (
            _latent_density(flow, drawn, latents, observed[:, None], sigma),
            _latent_density(flow, test, np.asarray(flow.inflate(test)), observed, sigma),
        ),
        {"rhat": worst_rhat, "ess": least_ess, "converged": converged, "divergences": posterior.divergences},
    )
    imagined = mixture.sample(len(test), _generator("image posteriors imagined", seed)).numpy()
    judged = {"learned": learned}
    if converged.sum() > bins:
        judged["learned_converged"] = learned.of(converged)
    judged |= {
        "learned_narrow": learned.narrowed(narrowing),
        "mixture": _exactly(mixture, test, observed, sigma, count, seed),
        "gaussian": _exactly(fit_gaussian(train), test, observed, sigma, count, seed),
        "exact": (exact := _exactly(mixture, imagined, imagined + sigma * noise, sigma, count, seed)),
        "exact_narrow": exact.narrowed(narrowing),
    }
    varying = np.flatnonzero(np.ptp(np.asarray(splits.train), axis=0) > 0)
    return Measured(
        {
            "image_posteriors": [
                {"prior": prior, "statistic": statistic, **row}
                for prior, one in judged.items()
                for statistic, (drawn, truth, names) in one.statistics(flow, varying, scores).items()
                for row in group_rows(rank_fractions(drawn, truth), names, bins)
            ],
            "image_posterior_scores": [
                {"prior": prior, "metric": metric, **_summary(np.asarray(values, dtype=np.float64))}
                for prior, one in judged.items()
                for metric, values in (score_draws(one.drawn, one.truth, sigma) | dict(one.others)).items()
            ],
        }
    )


@dataclass(frozen=True)
class Judged:
    """Posteriors of some images.

    Attributes:
        truth: Images, shape (n, D), data units.
        observed: Noisy ones, shape (n, D).
        drawn: Draws of each posterior, shape (n, L, D).
        density: Log densities of the draws, shape (n, L), and of the truth, shape (n,), up to a constant of each image.
        others: Other numbers of each, shape (n,), by name.
    """

    truth: np.ndarray
    observed: np.ndarray
    drawn: np.ndarray
    density: tuple[np.ndarray, np.ndarray] | None = None
    others: Mapping[str, np.ndarray] = field(default_factory=dict)

    def of(self, rows: np.ndarray) -> Judged:
        """Some of the images."""
        density = (self.density[0][rows], self.density[1][rows]) if self.density else None
        return Judged(self.truth[rows], self.observed[rows], self.drawn[rows], density)

    def narrowed(self, factor: float) -> Judged:
        """Draws moved towards their mean; their densities are not known."""
        mean = self.drawn.mean(1, keepdims=True)
        return Judged(self.truth, self.observed, mean + factor * (self.drawn - mean))

    def statistics(
        self, flow: Flow, varying: np.ndarray, scores: int
    ) -> dict[str, tuple[np.ndarray, np.ndarray, list[str]]]:
        """Values of draws, shape (n, L, q), and of the truth, shape (n, q), with their names, by group."""
        drawn, truth = (_scores(flow, x, scores) for x in (self.drawn, self.truth))
        away, true_away = (
            np.linalg.norm(x - o, axis=-1)[..., None]
            for x, o in ((self.drawn, self.observed[:, None]), (self.truth, self.observed))
        )
        groups = {
            "pixels": (self.drawn[..., varying], self.truth[:, varying], [f"pixel{i}" for i in varying]),
            "scores": (drawn, truth, [f"score{i + 1}" for i in range(truth.shape[1])]),
            "distance": (away, true_away, ["distance"]),
        }
        if self.density is not None:
            groups["density"] = (self.density[0][..., None], self.density[1][:, None], ["density"])
        return groups


def _generator(name: str, seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(derive_seed(name, seed))


def _exactly(
    prior: GaussianMixture, truth: np.ndarray, observed: np.ndarray, sigma: float, count: int, seed: int
) -> Judged:
    """Posteriors under a mixture, in closed form."""
    posterior = exact_posteriors(prior, observed, sigma)
    drawn = posterior.sample(count, _generator("image posteriors draws", seed))
    log_density = posterior.log_density(torch.from_numpy(truth)[:, None])[:, 0].numpy()
    density = (posterior.log_density(drawn).numpy(), log_density)
    return Judged(truth, observed, drawn.numpy(), density, {"log_density": log_density})


def _scores(flow: Flow, x: np.ndarray, count: int) -> np.ndarray:
    """The first PCA scores of points of shape (..., D)."""
    return (
        flow.basis.to_eigen(torch.from_numpy(x.reshape(-1, flow.dimension)))
        .numpy()[:, :count]
        .reshape(*x.shape[:-1], -1)
    )


def _latent_density(flow: Flow, x: np.ndarray, z: np.ndarray, observed: np.ndarray, sigma: float) -> np.ndarray:
    """log p(x_obs | x) + log p(y) of points, shape (..., D), and their latents, y being whitened, shape (...)."""
    misfit = np.square((observed - x) / sigma).sum(-1)
    return -(misfit + np.square(z / flow.schedule.latent_std.cpu().numpy()).sum(-1)) / 2


def _summary(values: np.ndarray) -> dict[str, float]:
    """Mean over images with its standard error, and the least and the largest."""
    # R-hat may be infinite.
    with np.errstate(invalid="ignore"):
        error = float(values.std(ddof=1) / np.sqrt(len(values)))
    return {
        "value": float(values.mean()),
        "se": error,
        "least": float(values.min()),
        "largest": float(values.max()),
        "images": len(values),
    }
