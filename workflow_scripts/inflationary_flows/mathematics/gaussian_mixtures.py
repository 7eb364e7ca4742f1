r"""Mixtures of Gaussians: densities, and posteriors of a point of which something is observed, all in closed form.

Of x ~ sum_k w_k N(m_k, S_k) let y = H x + N(0, R) be observed: x itself with noise (H = 1), or some of its coordinates
(rows of H).  Given y, x is a mixture again,

    w_k(y) ~ w_k N(y; H m_k, V_k),   m_k(y) = m_k + G_k (y - H m_k),   S_k(y) = S_k - G_k H S_k,

with V_k = H S_k H^T + R and G_k = S_k H^T V_k^-1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# Distances to components that are held at once.
_DISTANCES = 2**22


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A mixture of Gaussians, float64.

    Attributes:
        means: m, shape (K, D).
        log_weights: log w, shape (K,), of weights that sum to 1.
        covariances: S, shape (K, D, D), or (1, D, D) if all are the same.
    """

    means: Tensor
    log_weights: Tensor
    covariances: Tensor

    def widened(self, covariance: Tensor) -> GaussianMixture:
        """The law of points with independent Gaussian noise, its covariance of shape (D, D)."""
        return GaussianMixture(self.means, self.log_weights, self.covariances + covariance)

    def mapped(self, matrix: Tensor, shift: Tensor) -> GaussianMixture:
        """The law of A x + b, of a matrix A of shape (m, D) and a shift b of shape (m,)."""
        return GaussianMixture(self.means @ matrix.T + shift, self.log_weights, matrix @ self.covariances @ matrix.T)

    def joint_log_densities(self, x: Tensor) -> Tensor:
        """log w_k N(x; m_k, S_k) of points of shape (n, D), shape (n, K), nats."""
        roots = torch.linalg.cholesky(self.covariances)
        if len(roots) == 1:
            points, means = (torch.linalg.solve_triangular(roots[0], v.T, upper=False).T for v in (x, self.means))
            squared = torch.cdist(points, means).square()
        else:
            whitened = [
                torch.linalg.solve_triangular(root, (x - mean).T, upper=False)
                for root, mean in zip(roots, self.means, strict=True)
            ]
            squared = torch.stack([w.square().sum(0) for w in whitened], 1)
        volume = roots.diagonal(dim1=1, dim2=2).log().sum(1) + x.shape[1] * math.log(2 * math.pi) / 2
        return self.log_weights - volume - squared / 2

    def log_density(self, x: Tensor) -> Tensor:
        """Log density at points of shape (n, D), shape (n,), nats."""
        parts = x.split(max(1, _DISTANCES // len(self.means)))
        return torch.cat([torch.logsumexp(self.joint_log_densities(part), 1) for part in parts])

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean, shape (D,), and covariance, shape (D, D)."""
        weights = self.log_weights.exp()
        mean = weights @ self.means
        away = self.means - mean
        within = torch.einsum("k,kij->ij", weights, self.covariances.expand(len(weights), -1, -1))
        return mean, within + torch.einsum("k,ki,kj->ij", weights, away, away)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draws independent points, shape (n, D)."""
        return MixturePosterior(self.log_weights[None], self.means[:, None], self.covariances).sample(n, generator)[0]

    def given(self, y: Tensor, operator: Tensor, noise: Tensor | None = None) -> MixturePosterior:
        """The posterior of x for each of several observations y = H x + N(0, R).

        Arguments:
            y: Observations, shape (n, m).
            operator: H, shape (m, D).
            noise: R, shape (m, m); none if what is observed is observed exactly.
        """
        seen = self.mapped(operator, self.means.new_zeros(len(operator)))
        if noise is not None:
            seen = seen.widened(noise)
        crossed = operator @ self.covariances
        gains = torch.cholesky_solve(crossed, torch.linalg.cholesky(seen.covariances)).mT
        away = y - seen.means[:, None]
        joint = seen.joint_log_densities(y)
        return MixturePosterior(
            log_weights=joint - torch.logsumexp(joint, 1, keepdim=True),
            means=self.means[:, None] + away @ gains.mT,
            covariances=self.covariances - gains @ crossed,
        )


@dataclass(frozen=True, eq=False)
class MixturePosterior:
    """Posteriors of several observations, a mixture of Gaussians each.

    Attributes:
        log_weights: Shape (n, K).
        means: Shape (K, n, D).
        covariances: The same for all observations, shape (K or 1, D, D); singular where coordinates are known.
    """

    log_weights: Tensor
    means: Tensor
    covariances: Tensor

    def mean(self) -> Tensor:
        """Posterior means, shape (n, D)."""
        return torch.einsum("nk,knd->nd", self.log_weights.exp(), self.means)

    def covariance(self) -> Tensor:
        """Posterior covariances, shape (n, D, D)."""
        weights, away = self.log_weights.exp(), self.means - self.mean()
        within = torch.einsum("nk,kij->nij", weights, self.covariances.expand(len(away), -1, -1))
        return within + torch.einsum("nk,kni,knj->nij", weights, away, away)

    def log_density(self, x: Tensor) -> Tensor:
        """Log density of each posterior at points of its own, shape (n, L, D) to (n, L), nats; none may be singular."""
        joint = []
        for k, root in enumerate(torch.linalg.cholesky(self.covariances).expand(len(self.means), -1, -1)):
            away = torch.linalg.solve_triangular(root, (x - self.means[k][:, None]).mT, upper=False)
            volume = root.diagonal().log().sum() + x.shape[2] * math.log(2 * math.pi) / 2
            joint.append(self.log_weights[:, k, None] - volume - away.square().sum(1) / 2)
        return torch.logsumexp(torch.stack(joint), 0)

    def sample(self, draws: int, generator: torch.Generator) -> Tensor:
        """Independent draws of each posterior, shape (n, draws, D)."""
        values, vectors = torch.linalg.eigh(self.covariances)
        roots = vectors * values.clamp(min=0).sqrt()[:, None]
        drawn = torch.multinomial(self.log_weights.exp(), draws, replacement=True, generator=generator)
        rows = torch.arange(len(drawn))[:, None]
        points = self.means[drawn, rows]
        noise = torch.randn(points.shape, generator=generator, dtype=points.dtype)
        for k, root in enumerate(roots):
            chosen = drawn == k if len(roots) > 1 else torch.ones_like(drawn, dtype=torch.bool)
            points[chosen] += noise[chosen] @ root.T
        return points
