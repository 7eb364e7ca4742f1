r"""Denoisers D(u, t) = E[u_0 | u_t = u], in the eigenbasis, and their preconditioned form.

    D(u, t) = c_skip u + c_out F(c_in u, t)        with, per eigen-direction,
    c_in = (xi + gamma)^-1/2,   c_skip = xi / (xi + gamma),   c_out = sqrt(xi gamma / (xi + gamma))

so that F maps the whitened y = c_in u to a target of unit variance.  The pfODE needs F alone.  With the angle
tau = arctan sqrt(gamma / xi) and w = u_0 / sqrt(xi), the whitened pair of data and noise rotates:

    y = cos(tau) w + sin(tau) n,        F = E[sin(tau) w - cos(tau) n | y] = (E[w | y] - cos(tau) y) / sin(tau)

Source: matrix preconditioning of de Albuquerque and Pearson (2024); closed form of c_out instead of their sum.
The exact denoisers of Gaussians, mixtures and point sets are oracles for tests and training targets.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import lru_cache

import torch
from torch import Tensor, nn

from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.gaussian_mixtures import GaussianMixture
from inflationary_flows.mathematics.kernels import Told, noise_seen, noise_seen_at
from inflationary_flows.mathematics.schedules import Schedule

# Softmax weights at once: 2**18 float32 are 1 MB, about a core's cache.
_CHUNK_ELEMENTS = 2**18


class Denoiser(ABC):
    """A denoiser of one schedule; a subclass defines `raw`, or `__call__` as well where that is exact."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    @abstractmethod
    def raw(self, y: Tensor, t: float | Tensor) -> Tensor:
        """F: whitened points of shape (n, D) at time t, scalar or (n,), to unit-variance outputs, shape (n, D)."""

    def __call__(self, u: Tensor, t: float | Tensor) -> Tensor:
        """E[u_0 | u_t = u] for eigen coordinates u of shape (n, D)."""
        schedule = self.schedule
        y = u * schedule.c_in(t).to(u)
        return schedule.c_skip(t).to(u) * u + schedule.c_out(t).to(u) * self.raw(y, t)

    @property
    def device(self) -> torch.device:
        """Best device of points: exact denoisers run on the CPU, in float64."""
        return torch.device("cpu")

    def raw_with_jacobian(self, y: Tensor, t: float | Tensor) -> tuple[Tensor, Tensor]:
        """F and its derivatives J_ij = dF_i / dy_j, shapes (n, D) and (n, D, D), differentiable themselves."""
        differentiable = torch.is_grad_enabled()
        with torch.enable_grad():
            points = y if y.requires_grad else y.detach().requires_grad_()
            values = self.raw(points, t)
            if not values.requires_grad:  # constant in y, such as that of Gaussian data
                return values, values.new_zeros(*values.shape, values.shape[1])
            rows = [
                torch.autograd.grad(values[:, i].sum(), points, retain_graph=True, create_graph=differentiable)[0]
                for i in range(values.shape[1])
            ]
        jacobian = torch.stack(rows, 1)
        return (values, jacobian) if differentiable else (values.detach(), jacobian)


class GaussianDenoiser(Denoiser):
    """The exact denoiser of Gaussian data with the schedule's eigenvalues: F = 0, the flow is linear."""

    def raw(self, y: Tensor, t: float | Tensor) -> Tensor:
        """Zero everywhere."""
        return torch.zeros_like(y)


def weighted_mean(points: Tensor, means: Tensor, precision: Tensor, log_weights: Tensor | None = None) -> Tensor:
    r"""Softmax-weighted average sum_k p_k m_k with p_k ~ w_k exp(-(u - m_k)^T P (u - m_k) / 2).

    Computed for a few points at a time, so that any number of them fits and softmax weights stay in cache.

    Arguments:
        points: Points u, shape (n, D).
        means: Component means m, shape (K, D).
        precision: P, diagonal of shape (n or 1, D) or full of shape (n or 1, D, D).
        log_weights: log w, shape (K,); equal if absent.

    Returns:
        Averages, shape (n, D).
    """
    dimension, full = points.shape[1], precision.ndim == 3
    outer = (means[:, :, None] * means[:, None, :]).flatten(1) if full else means.square()
    bias = means.new_zeros(len(means)) if log_weights is None else log_weights
    # -(u - m)^T P (u - m) / 2 + log w but for u^T P u, which is common to all components: one product for all pairs. In
    # units of log 2, because powers of two take half the time of exponentials.
    features = torch.cat([means, outer, bias[:, None]], 1).T.contiguous() / math.log(2)
    # Columns lie one after the other: a product with so few columns is five times as fast then.
    summed = torch.cat([means.T, means.new_ones(1, len(means))]).T
    rows = max(1, _CHUNK_ELEMENTS // len(means))
    out = []
    for first in range(0, max(1, len(points)), rows):
        u = points[first : first + rows]
        p = precision if len(precision) == 1 else precision[first : first + rows]
        pu = (p @ u[..., None])[..., 0] if full else p * u
        weights = torch.cat([pu, (-p / 2).flatten(1).expand(len(u), -1), u.new_ones(len(u), 1)], 1) @ features
        weights.sub_(weights.amax(1, keepdim=True).detach())
        # 2^-115 is negligible relative to the largest weight, and denormal numbers cost six times the time.
        sums = weights.clamp_(min=-115.0).exp2_() @ summed
        out.append(sums[:, :dimension] / sums[:, dimension:])
    return torch.cat(out)


class MixtureDenoiser(Denoiser):
    """The exact denoiser of a Gaussian mixture or of a finite point set.

    Arguments:
        schedule: Kernel.
        means: Component means, shape (K, D), eigen coordinates.
        weights: Positive weights, shape (K,); equal if absent.
        covariance: Covariance S of all components, shape (D, D), or one of each, shape (K, D, D), eigen coordinates;
            none for a point set.
    """

    def __init__(
        self,
        schedule: Schedule,
        means: Tensor,
        weights: Tensor | None = None,
        covariance: Tensor | None = None,
    ) -> None:
        super().__init__(schedule)
        self.means = means.double()
        self.log_weights = None if weights is None else weights.double().log()
        self.covariance = None if covariance is None else covariance.double()

    @property
    def clean(self) -> GaussianMixture:
        """The law of the data, eigen coordinates."""
        k, d = self.means.shape
        log_weights = self.means.new_full((k,), -math.log(k)) if self.log_weights is None else self.log_weights
        covariance = self.means.new_zeros(d, d) if self.covariance is None else self.covariance
        return GaussianMixture(self.means, log_weights, covariance.view(-1, d, d))

    def law(self, t: float) -> GaussianMixture:
        """The law of points with the kernel of time t, eigen coordinates."""
        return self.clean.widened(torch.diag(self.schedule.gamma(t)))

    def raw(self, y: Tensor, t: float | Tensor) -> Tensor:
        """F = (D - c_skip u) / c_out, and zero where there is no noise."""
        schedule = self.schedule
        u = y.double() * schedule.total_std(t)
        c_out = schedule.c_out(t)
        residual = self(u, t) - schedule.c_skip(t) * u
        return torch.where(c_out > 0, residual / c_out.clamp(min=1e-300), 0.0).to(y.dtype)

    def __call__(self, u: Tensor, t: float | Tensor) -> Tensor:
        """D = sum_k p_k (m_k + S_k P_k (u - m_k)) with P_k = (S_k + C(t))^-1, in float64."""
        points = u.double()
        gamma = self.schedule.gamma(t)
        gamma = gamma[None] if gamma.ndim == 1 else gamma
        if self.covariance is None:
            return weighted_mean(points, self.means, 1 / gamma, self.log_weights).to(u.dtype)
        if self.covariance.ndim == 3:
            return self._denoised(points, gamma).to(u.dtype)
        precision = torch.linalg.inv(self.covariance + torch.diag_embed(gamma))
        mean = weighted_mean(points, self.means, precision, self.log_weights)
        gain = self.covariance @ precision
        offset = points - mean
        correction = torch.einsum("nij,nj->ni", gain.expand(len(points), -1, -1), offset)
        return (mean + correction).to(u.dtype)

    def _denoised(self, points: Tensor, gamma: Tensor) -> Tensor:
        """The same for components that differ in covariance: the mean of the posterior, given each point with noise."""
        assert self.covariance is not None
        if len(gamma) > 1:
            return torch.cat([self._denoised(u[None], g[None]) for u, g in zip(points, gamma, strict=True)])
        return self.clean.given(points, torch.eye(points.shape[1], dtype=torch.float64), torch.diag(gamma[0])).mean()


# Integration uses the same few times repeatedly.
@lru_cache(maxsize=8192)
def _wiener(schedule: Schedule, t: float) -> Tensor:
    return schedule.wiener(t)


class NetworkDenoiser(Denoiser):
    """A trained network as F, in the eigenbasis or in the space of the data.

    Null directions of the data hold noise alone: F is zero there, and the network gets zeros. Otherwise the Fourier
    features of many such coordinates would hide the data.

    Arguments:
        schedule: Kernel.
        network: Module called with points (n, D) and what it is told of their noise.
        basis: Eigenbasis of the data; used by `ambient` alone.
        space: What the network sees: `eigen`, y itself; `ambient`: y rotated into the coordinates of the data (pixels),
            and the output back; `wiener`: the Wiener estimate of the clean point, in the eigenbasis. In it directions
            of little variance count little, and those that are all noise not at all.
        told: What it is told: clock positions (n,) in [0, 1], or the kernel, so that it serves several schedules.
    """

    def __init__(
        self, schedule: Schedule, network: nn.Module, basis: Eigenbasis, space: str, told: Told = "clock"
    ) -> None:
        super().__init__(schedule)
        self.network = network
        self.basis = basis
        self.space = space
        self.told: Told = told
        self._rotation: Tensor | None = None
        spanned = schedule.spanned
        self._spanned = None if bool(spanned.all()) else spanned

    def of(self, network: nn.Module | None = None, schedule: Schedule | None = None) -> NetworkDenoiser:
        """The same with another network or schedule."""
        return NetworkDenoiser(schedule or self.schedule, network or self.network, self.basis, self.space, self.told)

    @property
    def serves_several(self) -> bool:
        """Whether the network is told the kernel, and not the place on one schedule's clock."""
        return self.told != "clock"

    @property
    def device(self) -> torch.device:
        """Device of the network."""
        return next(self.network.parameters()).device

    def raw(self, y: Tensor, t: float | Tensor, labels: Tensor | None = None) -> Tensor:
        """One evaluation of the network, in its own precision and on its own device.

        In `ambient` space y is rotated before the network and its output afterwards; all else is diagonal.

        Arguments:
            y: Whitened points, shape (n, D), eigenbasis.
            t: Time, scalar or (n,).
            labels: Further conditions of the network, shape (n, L), if it has any.

        Returns:
            F, shape (n, D), in the eigenbasis, in the precision of y.
        """
        return self.evaluate(y, self.noise(t), self.factor(t), labels)

    def noise(self, t: float | Tensor) -> Tensor:
        """What the network is told at times t, scalar or (n,); as of `noise_seen`."""
        return (
            noise_seen_at(self.schedule, self.told, t)
            if isinstance(t, float)
            else noise_seen(self.schedule, self.told, t)
        )

    def factor(self, t: float | Tensor) -> Tensor | None:
        """Factor of the Wiener estimate at times t, scalar or (n,), shape (..., D), if the network sees that."""
        if self.space != "wiener":
            return None
        return _wiener(self.schedule, t) if isinstance(t, float) else self.schedule.wiener(t)

    def evaluate(self, y: Tensor, noise: Tensor, factor: Tensor | None, labels: Tensor | None = None) -> Tensor:
        """F of points whose noise is known, of any schedule; y, labels and result as of `raw`.

        Arguments:
            noise, factor: As of the methods of these names, for one time or one of each point.
        """
        parameter = next(self.network.parameters())
        further = () if labels is None else (labels,)
        told = self._told(noise, len(y), parameter)
        shown = self._only_spanned(y).to(parameter)
        if self.space != "ambient":
            shown = shown if factor is None else shown * factor.to(shown)
            return self._only_spanned(self.network(shown, told, *further)).to(y)
        vectors = self._vectors(parameter)
        ambient = self.network(shown @ vectors.T, told, *further)
        return self._only_spanned(ambient @ vectors).to(y)

    def _only_spanned(self, values: Tensor) -> Tensor:
        """Values, shape (..., D), with zero along null directions."""
        return values if self._spanned is None else values * self._spanned.to(values)

    def _vectors(self, parameter: Tensor) -> Tensor:
        """The directions in the network's precision, converted once: the matrix is large for images."""
        kept = self._rotation
        if kept is None or kept.dtype != parameter.dtype or kept.device != parameter.device:
            kept = self._rotation = self.basis.vectors.to(parameter)
        return kept

    def raw_with_jacobian(self, y: Tensor, t: float | Tensor) -> tuple[Tensor, Tensor]:
        """By the network's own forward derivatives where it has them, else as of any denoiser."""
        with_jacobian = getattr(self.network, "with_jacobian", None)
        if self.space == "ambient" or with_jacobian is None:
            return super().raw_with_jacobian(y, t)
        parameter = next(self.network.parameters())
        factor, shown = self.factor(t), self._only_spanned(y).to(parameter)
        shown = shown if factor is None else shown * factor.to(shown)
        values, jacobian = with_jacobian(shown, self._told(self.noise(t), len(y), parameter))
        if factor is not None:
            # The chain rule: one time for each point, or one for all, next to derivatives (n, D, D) by the last index.
            jacobian = (jacobian.transpose(0, 1) * factor.to(jacobian)).transpose(0, 1)
        # Zero rows and columns for null directions: F is zero there and does not depend on them.
        jacobian = self._only_spanned(self._only_spanned(jacobian).mT).mT
        return self._only_spanned(values).to(y), jacobian.to(y)

    def _told(self, noise: Tensor, n: int, parameter: Tensor) -> Tensor:
        """What n points are told, shape (n,) or (n, K), in the precision of a parameter; of one time without copies."""
        return noise.to(parameter).expand(n, *noise.shape[-1:] if self.serves_several else ())
