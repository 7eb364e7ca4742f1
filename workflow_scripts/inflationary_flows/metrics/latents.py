r"""Gaussianity of latents, and preservation of neighbourhoods.

Whitened latents divide z by the exact latent standard deviation, so that their mean is 0 and their
covariance 1 in every direction.  Gaussianity is Mardia's: with d kept directions and y
standardised,

    skewness  b_1 = mean_ij (y_i . y_j)^3,   n b_1 / 6 ~ chi^2,  d (d + 1)(d + 2) / 6 degrees,
    kurtosis  b_2 = mean_i |y_i|^4,          E b_2 = d (d + 2)

for Gaussian y.  Source: Mardia (1970).  Trustworthiness (Venna and Kaski, 2001) looks at the k nearest neighbours N_i
of each point after a map, and at their ranks r_ij among its neighbours before:

    T = 1 - 2 / (n k (2n - 3k - 1)) sum_i sum_(j in N_i) max(0, r_ij - k) .
"""

from __future__ import annotations

from typing import Any

import numpy as np

from inflationary_flows.extras import needs

# Rows of the Gram matrix held at a time.
_BLOCK = 1_000


def mardia_skewness(y: np.ndarray) -> float:
    """Mardia's skewness of centred, whitened points, shape (n, d); 0 for a Gaussian."""
    n, d = y.shape
    if d * d <= n:
        # The mean over pairs is the squared norm of the third moments: (a . b)^3 = <a a a, b b b>.
        moments = (y[:, :, None] * y[:, None, :]).reshape(n, d * d).T @ y / n
        return float(np.sum(moments**2))
    grams = (y[start : start + _BLOCK] @ y.T for start in range(0, n, _BLOCK))
    return sum(float(np.sum(gram * gram * gram)) for gram in grams) / n**2


def mardia_kurtosis(y: np.ndarray) -> float:
    """Mardia's kurtosis of such points over d (d + 2); 1 for a Gaussian."""
    d = y.shape[1]
    return float(np.mean(np.sum(y**2, axis=1) ** 2) / (d * (d + 2)))


def standardise_fully(y: np.ndarray) -> np.ndarray:
    """Centres points, shape (n, d), and makes their empirical covariance the identity."""
    centred = y - y.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(y))
    return centred @ vectors / np.sqrt(np.maximum(values, 1e-12 * values.max()))


def measure_latents(whitened: np.ndarray, kept_dims: int) -> list[dict[str, Any]]:
    """Moments of whitened latents of held-out data against the exact ones.

    Arguments:
        whitened: Inflated held-out points, with the first kernel's noise, over the exact latent standard deviation,
            shape (n, D).
        kept_dims: Number d of kept directions, the first ones; Gaussianity is theirs alone, as the
            compressed ones keep the data's own shape.

    Returns:
        Rows of metric, value, reference, n: `latent_mean_error` (root mean square over directions,
        reference its expected sampling error), `latent_cov_error` (relative Frobenius norm,
        likewise), `latent_skewness` (reference: 95 % point of a Gaussian sample), `latent_kurtosis`
        (over its Gaussian value, reference 1).
    """
    with needs("moments of latents", "metrics"):
        from scipy.special import chdtri

    n, dimension = whitened.shape
    mean = whitened.mean(axis=0)
    covariance = np.atleast_2d(np.cov(whitened, rowvar=False))
    kept = standardise_fully(whitened[:, :kept_dims])
    freedom = kept_dims * (kept_dims + 1) * (kept_dims + 2) / 6
    measured = {
        "latent_mean_error": (np.sqrt(np.mean(mean**2)), 1 / np.sqrt(n)),
        # E |C - 1|^2 = D (D + 1) / n for a Gaussian sample, against |1|^2 = D.
        "latent_cov_error": (
            np.linalg.norm(covariance - np.eye(dimension)) / np.sqrt(dimension),
            np.sqrt((dimension + 1) / n),
        ),
        "latent_skewness": (mardia_skewness(kept), 6 * chdtri(freedom, 0.05) / n),
        "latent_kurtosis": (mardia_kurtosis(kept), 1.0),
    }
    return [
        {"metric": metric, "value": float(value), "reference": float(reference), "n": n}
        for metric, (value, reference) in measured.items()
    ]


def trustworthiness(source: np.ndarray, target: np.ndarray, k: int) -> float:
    """Whether the k nearest neighbours in `target` are neighbours in `source`, two images of n points, (n, D)."""
    with needs("trustworthiness", "metrics"):
        from scipy.spatial.distance import cdist

    n, before, after = len(source), cdist(source, source), cdist(target, target)
    np.fill_diagonal(after, np.inf)
    near = np.take_along_axis(before, np.argpartition(after, k - 1, 1)[:, :k], 1)
    # A point itself is nearer than all its neighbours, so that the count of what is nearer is the rank.
    excess = sum(np.maximum((before < column[:, None]).sum(1) - k, 0).sum() for column in near.T)
    return float(1 - 2 / (n * k * (2 * n - 3 * k - 1)) * excess)


def measure_neighbourhoods(data: np.ndarray, latents: np.ndarray, neighbours: int) -> list[dict[str, Any]]:
    """Whether neighbours in latent space are neighbours in data space, and vice versa.

    Arguments:
        data, latents: Corresponding points, shape (n, D) each, as the flow gives them (latents not
            whitened).
        neighbours: Number k of neighbours; cut to what n points allow.

    Returns:
        Rows of metric, value, reference, n: `trustworthiness_forward` and
        `trustworthiness_backward`, both 1 if all k neighbours survive, one half for a random map.
    """
    n = len(data)
    k = max(1, min(neighbours, (n - 1) // 2))
    return [
        {
            "metric": metric,
            "value": trustworthiness(source, target, k),
            "reference": 1.0,
            "n": n,
        }
        for metric, source, target in (
            ("trustworthiness_forward", data, latents),
            ("trustworthiness_backward", latents, data),
        )
    ]
