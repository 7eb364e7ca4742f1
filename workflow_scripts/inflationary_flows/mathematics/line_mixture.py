r"""A Gaussian mixture on the line, whose marginals under a schedule are mixtures again.

    p_0 = sum_k w_k N(m_k, s_k^2)
    p_t = sum_k w_k N(m_k, s_k^2 + gamma(t)),   in scaled coordinates   sum_k w_k N(A m_k, A^2 (s_k^2 + gamma(t)))

In one dimension the denoiser is known, also for components of unequal width,

    D(u, t) = sum_k r_k(u) (m_k gamma + s_k^2 u) / (s_k^2 + gamma)   with r_k the share of component k at u,

and so are the curves of the pfODE: points on a line cannot cross, so that each keeps its quantile, F_t(u(t)) =
F_0(u(0)).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.extras import needs
from inflationary_flows.mathematics.denoisers import Denoiser
from inflationary_flows.mathematics.schedules import Schedule
from inflationary_flows.seeding import derive_seed

with needs("mixtures on a line", "metrics"):
    from scipy.special import ndtr, ndtri
    from scipy.stats import binom

# Bisections of an interval down to float64 resolution.
_BISECTIONS = 60
# Points of the integral over the line in `expected_distance`, and what may lie beyond them.
_POINTS, _BEYOND = 20_001, 1e-4


@dataclass(frozen=True, eq=False)
class LineMixture:
    """A mixture of K Gaussians on the line.

    Attributes:
        means: Their means, shape (K,).
        stds: Their standard deviations, shape (K,), in the same units.
        weights: Their weights, shape (K,), which add up to 1.
    """

    means: np.ndarray
    stds: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, means: Sequence[float], stds: Sequence[float], weights: Sequence[float]) -> LineMixture:
        """A mixture from lists of numbers, one for each component."""
        return cls(*(np.array(values, dtype=np.float64) for values in (means, stds, weights)))

    @property
    def mean(self) -> float:
        """Mean of the mixture."""
        return float(np.sum(self.weights * self.means))

    @property
    def variance(self) -> float:
        """Variance of the mixture, that between components included."""
        return float(np.sum(self.weights * (self.stds**2 + (self.means - self.mean) ** 2)))

    def centred(self) -> LineMixture:
        """The same mixture around zero."""
        return LineMixture(self.means - self.mean, self.stds, self.weights)

    def at(self, schedule: Schedule, t: float) -> LineMixture:
        """The marginal in scaled coordinates A(t) u at time t of a schedule of one dimension, u being centred.

        Only the means are centred: the schedule's eigenvalue is the variance of this mixture.
        """
        scale, gamma = float(schedule.scale(t)), float(schedule.gamma(t))
        around = self.centred()
        return LineMixture(scale * around.means, scale * np.sqrt(around.stds**2 + gamma), around.weights)

    def _standardised(self, x: np.ndarray) -> np.ndarray:
        """Distances to each mean in its standard deviations, shape (..., K)."""
        return (np.asarray(x, dtype=np.float64)[..., None] - self.means) / self.stds

    def _shares(self, x: np.ndarray) -> np.ndarray:
        """Densities of the weighted components, shape (..., K)."""
        z = self._standardised(x)
        return self.weights * np.exp(-(z**2) / 2) / (self.stds * np.sqrt(2 * np.pi))

    def density(self, x: np.ndarray) -> np.ndarray:
        """p(x), shape of x."""
        return self._shares(x).sum(-1)

    def component(self, x: np.ndarray) -> np.ndarray:
        """Number of the component that x most probably comes from, shape of x."""
        return self._shares(x).argmax(-1)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """F(x), shape of x."""
        return np.sum(self.weights * ndtr(self._standardised(x)), -1)

    def quantile(self, level: np.ndarray) -> np.ndarray:
        """Q(level), the inverse of F, for levels inside (0, 1), shape of them."""
        level = np.asarray(level, dtype=np.float64)
        # The quantile of a mixture lies between those of its components.
        each = self.means + self.stds * ndtri(level)[..., None]
        low, high = each.min(-1), each.max(-1)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            below = self.cdf(middle) < level
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return (low + high) / 2

    def _area_below(self, x: np.ndarray) -> np.ndarray:
        """The integral of F from minus infinity to x, that is E max(x - X, 0), shape of x."""
        z = self._standardised(x)
        normal = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        return np.sum(self.weights * self.stds * (z * ndtr(z) + normal), -1)

    def sample(self, n: int, seed: int) -> np.ndarray:
        """Draws n points, shape (n,)."""
        chosen = np.random.default_rng(derive_seed("components", seed)).choice(len(self.weights), n, p=self.weights)
        normal = np.random.default_rng(derive_seed("within components", seed)).standard_normal(n)
        return self.means[chosen] + self.stds[chosen] * normal

    def distance(self, points: np.ndarray) -> float:
        r"""Wasserstein-1 distance \int |F_n - F| dx of points, shape (n,), to the mixture, in closed form.

        Between neighbouring points the empirical F_n is constant and F crosses it at most once, at its quantile.
        """
        x = np.sort(points)
        level = np.arange(1, len(x)) / len(x)
        crossing = np.clip(self.quantile(level), x[:-1], x[1:])
        area, area_at_crossing = self._area_below(x), self._area_below(crossing)
        left = level * (crossing - x[:-1]) - (area_at_crossing - area[:-1])
        right = (area[1:] - area_at_crossing) - level * (x[1:] - crossing)
        return float(area[0] + left.sum() + right.sum() + (self.mean - x[-1] + area[-1]))

    def expected_distance(self, n: int) -> float:
        r"""The same distance of n independent draws of the mixture itself, on average.

        E|F_n - F| at one place is the mean absolute deviation of a binomial share, for which de Moivre found
        E|B - n p| = 2 v (1 - p) P(B = v) with v = floor(n p) + 1.
        """
        first, last = self.quantile(np.array([_BEYOND / n, 1 - _BEYOND / n]))
        x = np.linspace(first, last, _POINTS)
        p = self.cdf(x)
        v = np.floor(n * p) + 1
        return float(np.trapezoid(2 * v * (1 - p) * binom.pmf(v, n, p) / n, x))

    def distance_of_cells(self, faces: np.ndarray, masses: np.ndarray) -> float:
        """The same distance of masses in cells, shape (J,), between faces, shape (J + 1,), by the trapezoidal rule."""
        cumulative = np.concatenate([[0.0], np.cumsum(masses)])
        return float(np.trapezoid(np.abs(cumulative - self.cdf(faces)), faces))


class LineMixtureDenoiser(Denoiser):
    """The exact denoiser of a mixture on the line, in centred coordinates.

    Arguments:
        schedule: Kernel of one dimension, whose eigenvalue is the variance of the mixture.
        mixture: The mixture, in units of the data.
    """

    def __init__(self, schedule: Schedule, mixture: LineMixture) -> None:
        super().__init__(schedule)
        around = mixture.centred()
        self.means, self.variances = torch.from_numpy(around.means), torch.from_numpy(around.stds**2)
        self.log_weights = torch.from_numpy(around.weights).log()

    def raw(self, y: Tensor, t: float | Tensor) -> Tensor:
        """F = (D - c_skip u) / c_out, without a difference of nearly equal numbers; shape (n, 1)."""
        schedule = self.schedule
        total_std, gamma = schedule.total_std(t), schedule.gamma(t)
        whitened = y.double()
        offset = whitened * total_std - self.means
        variances = self.variances + gamma
        logits = self.log_weights - variances.log() / 2 - offset.square() / (2 * variances)
        shares = torch.softmax(logits, -1)
        excess = self.variances - schedule.eigenvalues
        towards = (self.means * total_std + excess * whitened) / variances
        # What remains of 1 / c_out after gamma / total_std is factored out of D - c_skip u.
        factor = (gamma / schedule.eigenvalues).sqrt()
        return (factor * (shares * towards).sum(-1, keepdim=True)).to(y.dtype)
