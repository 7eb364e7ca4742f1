r"""Calibration of a posterior of latents that was trained, q(z | x), against the model that it belongs to.

Latents z ~ p(z) and points x ~ p(x | z) are drawn from the model itself, so that z is a draw of the true posterior
p(z | x). If q is that posterior, its distribution functions at z are uniform (simulation-based calibration; Talts,
Betancourt, Simpson, Vehtari and Gelman, 2018), coverage around any reference is nominal (TARP), and

    E[ log p(z | x) - log q(z | x) ] = E KL( p(z | x) || q(z | x) ) = 0,

where log p(z | x) = log p(z) + log p(x | z) - log p(x), with p(x) as a mean over draws of the prior.  How
overconfident q is says the factor that its standard deviations lack: the root mean square of (z - mean) / std.

The test sees nothing of the data: a model may be calibrated in itself, and wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from scipy.special import logsumexp
from scipy.stats import kstest, norm

from inflationary_flows.metrics.tarp import coverage_rows
from inflationary_flows.seeding import derive_seed

# Draws of each posterior, for masses around references.
_DRAWS = 200
# The level whose coverage is reported by itself.
_LEVEL = 0.5
# Above so many latents, draws of the prior say little of p(x); and pairs of points and draws that it is computed from.
_MOST_LATENTS, _POINTS, _PRIOR_DRAWS = 2, 300, 20_000


@runtime_checkable
class Encoding(Protocol):
    """A model with a posterior of latents, Gaussian with independent coordinates."""

    def sample_joint(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Latents, shape (n, d), and a point of each, shape (n, D)."""

    def encode(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations of the posteriors of points, shape (n, d) each."""

    def log_likelihood(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """log p(x | z), shape (n, m), of points, shape (n, D), and latents, shape (m, d), up to a number."""


def measure_encoder(model: Encoding, n: int, levels: Sequence[float], seed: int) -> list[dict[str, Any]]:
    """Tests the posterior of latents of a model.

    Arguments:
        model: The model, with standard normal latents.
        n: Pairs of latents and points.
        levels: Nominal levels of TARP, in (0, 1).
        seed: Seed of pairs and references.

    Returns:
        Rows of metric, value and n: `q_width`, the factor that its standard deviations lack; `q_coverage_50`, of its
        central intervals; `q_sbc_p`, of the test that ranks are uniform, the least over latents times their number;
        `q_tarp_error` and `q_tarp_p`, the worst of references drawn from the prior and its centre; `q_log_score`, mean
        of log q(z | x), nats; `q_kl`, what the exact posterior's is more, of at most two latents.
    """
    z, x = model.sample_joint(n, derive_seed("encoder pairs", seed))
    mean, std = model.encode(x)
    away = (z - mean) / std
    random = np.random.default_rng(derive_seed("encoder references", seed))
    drawn = mean[:, None] + std[:, None] * random.standard_normal((n, _DRAWS, z.shape[1]))
    reference = random.standard_normal(z.shape)

    def closer(to: np.ndarray) -> np.ndarray:
        nearer = np.square(drawn - to[:, None]).sum(2) < np.square(z - to).sum(1)[:, None]
        return np.asarray(nearer.mean(1))

    around, central = closer(reference), closer(np.zeros_like(z))
    rows = coverage_rows(around[:, None], central, levels)
    rows_of_centre = coverage_rows(central[:, None], around, levels)
    p_values = [kstest(norm.cdf(of_latent), "uniform").pvalue for of_latent in away.T]
    log_q = norm.logpdf(away).sum(1) - np.log(std).sum(1)
    values = {
        "q_width": float(np.sqrt(np.square(away).mean())),
        "q_coverage_50": float((np.abs(away) < norm.ppf(0.5 + _LEVEL / 2)).mean()),
        "q_sbc_p": min(1.0, len(p_values) * min(p_values)),
        "q_tarp_error": max(abs(row["coverage"] - row["level"]) for row in (*rows, *rows_of_centre)),
        "q_tarp_p": rows[0]["p_value"],
        "q_log_score": float(log_q.mean()),
    }
    if z.shape[1] <= _MOST_LATENTS:
        prior = np.random.default_rng(derive_seed("encoder prior", seed)).standard_normal((_PRIOR_DRAWS, z.shape[1]))
        few = slice(0, min(n, _POINTS))
        evidence = logsumexp(model.log_likelihood(x[few], prior), axis=1) - np.log(_PRIOR_DRAWS)
        own = np.array([model.log_likelihood(x[[k]], z[[k]])[0, 0] for k in range(len(z[few]))])
        exact = norm.logpdf(z[few]).sum(1) + own - evidence
        values["q_kl"] = float((exact - log_q[few]).mean())
    return [{"metric": metric, "value": value, "n": n} for metric, value in values.items()]
