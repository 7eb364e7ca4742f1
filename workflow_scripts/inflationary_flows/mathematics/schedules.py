r"""Noise schedules: how fast each eigen-direction is inflated, and how coordinates are rescaled.

The marginal at time t is p_t = p_0 * N(0, diag gamma_i(t)) in the eigenbasis of the data, with total variance
xi_i + gamma_i(t), seen in scaled coordinates A(t) u.  Two families of kernels, with exponents e_i per direction:

    proportional   gamma_i(t) = xi_i (exp(rho e_i t) - 1),   A(t) = exp(-rho e_* t / 2)       from t_min > 0
    floor          gamma_i(t) = gamma_0 exp(rho e_i t),      A(t) = (xi_max + gamma_*(t))^-1/2  from t = 0

where * is the fastest direction.  Equal exponents preserve the participation ratio (PRP; exactly so under
`proportional`); larger ones on the d kept directions reduce it to that of the kept spectrum (PRR).

`proportional` follows the equations of de Albuquerque and Pearson (2024), `floor` their published numbers. Everything
is computed from log gamma, in float64, so that kernels near exp(60) lose no precision.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from numbers import Integral, Real
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from inflationary_flows.errors import ScheduleError, shorten
from inflationary_flows.mathematics.eigenbasis import participation_ratio
from inflationary_flows.requirements import USUAL_GAMMA0, growth_problem, usual_signal_left

Kernel = Literal["proportional", "floor"]
Gap = Literal["orig", "constant"]

# Directions without data variance get this share of the largest eigenvalue: their whitened coordinate stays finite,
# their target is zero, and neither loss nor flow divides by zero.
NULL_VARIANCE = 1e-12


def _softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)); torch's own cuts off at x = 20, an error of 2e-9."""
    return torch.logaddexp(x, torch.zeros_like(x))


@dataclass(frozen=True, eq=False)
class Schedule:
    """Kernel and scale of one inflationary flow.

    Attributes:
        eigenvalues: Data variances xi, shape (D,), descending, all positive.
        exponents: Rates e_i in units of rho, shape (D,).
        kept_dims: Number d of directions that are not compressed; D for PRP.
        kernel: The family, `proportional` or `floor`.
        rho: Overall rate, per unit of time.
        gamma0: Kernel variance at t = 0 (`floor` only), data units squared.
        t_min, t_max: Time range of the flow.
    """

    eigenvalues: Tensor
    exponents: Tensor
    kept_dims: int
    kernel: Kernel
    rho: float
    gamma0: float
    t_min: float
    t_max: float

    @property
    def dimension(self) -> int:
        """Number of coordinates D."""
        return len(self.eigenvalues)

    @property
    def leaves_noiseless(self) -> bool:
        """Whether some directions never get noise, so that nothing is known of their posterior mean."""
        return self.kernel == "proportional" and float(self.exponents.min()) == 0.0

    @property
    def spanned(self) -> Tensor:
        """Which directions the data vary along, shape (D,); the others take part with NULL_VARIANCE."""
        return self.eigenvalues > (1 + 1e-9) * NULL_VARIANCE * self.eigenvalues.max()

    def _growth(self, t: float | Tensor) -> Tensor:
        """rho e_i t, shape (..., D)."""
        time = torch.as_tensor(t, dtype=torch.float64, device=self.eigenvalues.device)
        return self.rho * self.exponents * time[..., None]

    def log_gamma(self, t: float | Tensor) -> Tensor:
        """Log kernel variances at times t of shape (...), shape (..., D); -inf where a direction gets no noise."""
        growth = self._growth(t)
        if self.kernel == "floor":
            return math.log(self.gamma0) + growth
        return self.eigenvalues.log() + growth + torch.log(-torch.expm1(-growth))

    def gamma(self, t: float | Tensor) -> Tensor:
        """Kernel variances, shape (..., D), data units squared."""
        return self.log_gamma(t).exp()

    def log_gamma_rate(self, t: float | Tensor) -> Tensor:
        """Relative growth r_i = gammadot_i / gamma_i, shape (..., D); zero where a direction gets no noise."""
        growth = self._growth(t)
        rate = self.rho * self.exponents.expand(growth.shape)
        if self.kernel == "floor":
            return rate
        return torch.where(rate == 0, rate, rate / -torch.expm1(-growth))

    def log_noise_ratio(self, t: float | Tensor) -> Tensor:
        """log(gamma_i / xi_i), shape (..., D): the only number that preconditioning and pfODE need."""
        return self.log_gamma(t) - self.eigenvalues.log()

    def angle(self, t: float | Tensor) -> Tensor:
        """tau_i = arctan sqrt(gamma_i / xi_i), shape (..., D): from 0 (all data) to pi / 2 (all noise)."""
        return torch.arctan(torch.exp(self.log_noise_ratio(t) / 2))

    def angle_rate(self, t: float | Tensor) -> Tensor:
        """d tau_i / dt = r_i / (4 cosh(log(gamma_i / xi_i) / 2)), shape (..., D)."""
        return self.log_gamma_rate(t) / (4 * torch.cosh(self.log_noise_ratio(t) / 2))

    def total_std(self, t: float | Tensor) -> Tensor:
        """sqrt(xi_i + gamma_i(t)), shape (..., D): what whitening divides by."""
        return torch.exp((self.eigenvalues.log() + _softplus(self.log_noise_ratio(t))) / 2)

    def c_in(self, t: float | Tensor) -> Tensor:
        """Preconditioning (xi + gamma)^-1/2, shape (..., D)."""
        return 1 / self.total_std(t)

    def c_skip(self, t: float | Tensor) -> Tensor:
        """Preconditioning xi / (xi + gamma), shape (..., D)."""
        return torch.sigmoid(-self.log_noise_ratio(t))

    def c_out(self, t: float | Tensor) -> Tensor:
        """Preconditioning sqrt(xi gamma / (xi + gamma)), shape (..., D), without cancellation."""
        return torch.exp((self.eigenvalues.log() + logsigmoid(self.log_noise_ratio(t))) / 2)

    @cached_property
    def _fastest(self) -> int:
        """Index of the fastest direction, the one of largest variance among equals."""
        return int(self.exponents.argmax())

    def wiener(self, t: float | Tensor) -> Tensor:
        """Factor from whitened y to c_skip u, the estimate of u_0 that is best for Gaussian data, shape (..., D).

        In units of the estimate's root mean square over directions, so that it is of size 1 at all times.
        """
        factor = self.c_skip(t) * self.total_std(t)
        return factor / factor.square().mean(-1, keepdim=True).sqrt()

    def scale(self, t: float | Tensor) -> Tensor:
        """A(t), one factor for all directions, shape (..., 1)."""
        if self.kernel == "proportional":
            return torch.exp(-self._growth(t)[..., self._fastest, None] / 2)
        log_kernel = self.log_gamma(t)[..., self._fastest, None]
        return torch.exp(-torch.logaddexp(self.eigenvalues.max().log(), log_kernel) / 2)

    def log_scale_rate(self, t: float | Tensor) -> Tensor:
        """d log A / dt, shape (..., 1)."""
        fastest = self.log_gamma_rate(t)[..., self._fastest, None]
        if self.kernel == "proportional":
            return torch.full_like(fastest, -self.rho * float(self.exponents.max()) / 2)
        log_kernel = self.log_gamma(t)[..., self._fastest, None]
        return -fastest * torch.sigmoid(log_kernel - self.eigenvalues.max().log()) / 2

    def scaled_covariance(self, t: float | Tensor) -> Tensor:
        """Variances A(t)^2 (xi_i + gamma_i(t)) in scaled coordinates, shape (..., D)."""
        return (self.scale(t) * self.total_std(t)).square()

    @property
    def latent_std(self) -> Tensor:
        """Exact standard deviations of the latents, shape (D,)."""
        return self.scale(self.t_max) * self.total_std(self.t_max)

    @property
    def latent_covariance(self) -> Tensor:
        """Exact latent variances diag(A(T)^2 (xi + gamma(T))), shape (D,)."""
        return self.latent_std.square()

    def participation_ratio_at(self, t: float) -> float:
        """PR(t) of the marginal in scaled coordinates."""
        return participation_ratio(self.scaled_covariance(t))

    @property
    def signal_left(self) -> float:
        """xi_max / gamma_*(T): the signal left in the fastest direction at the end."""
        end = self.log_gamma(self.t_max)[self._fastest]
        return float(torch.exp(self.eigenvalues.max().log() - end))

    @cached_property
    def clock_range(self) -> tuple[float, float]:
        """log(gamma_* / xi_max) at t_min and t_max; the clock runs uniformly between them."""
        top = self.eigenvalues.max().log()
        start, end = (self.log_gamma(t)[self._fastest] - top for t in (self.t_min, self.t_max))
        return float(start), float(end)

    def clock(self, t: float | Tensor) -> Tensor:
        """Position of t on the clock, 0 at t_min and 1 at t_max, shape (...)."""
        start, end = self.clock_range
        kernel = self.log_gamma(t)[..., self._fastest] - self.eigenvalues.max().log()
        return (kernel - start) / (end - start)

    def time_at(self, clock: float | Tensor) -> Tensor:
        """Time at positions in [0, 1] on the clock, shape (...); the inverse of `clock`."""
        start, end = self.clock_range
        kernel = start + torch.as_tensor(clock, dtype=torch.float64) * (end - start)
        fastest = self._fastest
        rate = self.rho * float(self.exponents[fastest])
        top = float(self.eigenvalues.max().log())
        if self.kernel == "floor":
            return (kernel + top - math.log(self.gamma0)) / rate
        return _softplus(kernel + top - float(self.eigenvalues[fastest].log())) / rate

    def to(self, device: torch.device | str) -> Schedule:
        """The same schedule with its tensors on another device."""
        return Schedule(
            self.eigenvalues.to(device),
            self.exponents.to(device),
            self.kept_dims,
            self.kernel,
            self.rho,
            self.gamma0,
            self.t_min,
            self.t_max,
        )


@dataclass(frozen=True)
class ScheduleSettings:
    """A schedule before it is fitted to data: arguments of `make_schedule`.

    Attributes:
        kernel: `floor` or `proportional`.
        kept_dims: Number d of directions to keep; None keeps all (PRP).
        gap, inflation_gap: How the others inflate.
        rho, gamma0: Overall rate, kernel variance at the start.
        t_min, t_max: Times; t_max None ends where `signal_left` of the data is left.
        signal_left: xi_max / gamma_*(T); by default 1e-2, and 1e-4 where dimensions are reduced.
    """

    kernel: Kernel = "floor"
    kept_dims: int | None = None
    gap: Gap = "orig"
    inflation_gap: float | None = None
    rho: float = 1.0
    gamma0: float = USUAL_GAMMA0
    t_min: float | None = None
    t_max: float | None = None
    signal_left: float | None = None

    def __post_init__(self) -> None:
        """Raises ScheduleError for what is no such setting; `make_schedule` finds out which fit."""
        for name, value in asdict(self).items():
            kinds = {"kernel": Kernel, "gap": Gap}.get(name)
            number = isinstance(value, Integral if name == "kept_dims" else Real) and not isinstance(value, bool)
            if not (value in get_args(kinds) if kinds else value is None or number):
                expected = f"one of {', '.join(get_args(kinds))}" if kinds else "a number"
                raise ScheduleError(f"schedule.{name}", expected, shorten(value), "leave it out for the default")

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `make_schedule`, as plain values."""
        given = {
            key: value if isinstance(value, str) else int(value) if key == "kept_dims" else float(value)
            for key, value in asdict(self).items()
            if value is not None
        }
        if self.kept_dims is None:
            del given["gap"]
        if self.t_max is None and self.signal_left is None:
            given["signal_left"] = usual_signal_left(self.kept_dims)
        return given


def _exponents(dimension: int, kernel: Kernel, kept: int, gap: Gap, inflation_gap: float) -> Tensor:
    """Rates e_i in units of rho: 1 for PRP; for PRR 2 on the kept directions and less on the rest."""
    if kept == dimension:
        return torch.ones(dimension, dtype=torch.float64)
    # g = +1 on the kept directions, and e = 1 + g, in the authors' code and therefore in both families here.
    rest = 1 - (kept / (dimension - kept) if gap == "orig" else inflation_gap)
    if kernel == "proportional" and gap == "orig":
        # A kernel proportional to the data cannot shrink: the family starts at C = 0.
        rest = max(rest, 0.0)
    exponents = torch.full((dimension,), rest, dtype=torch.float64)
    exponents[:kept] = 2.0
    return exponents


def make_schedule(
    eigenvalues: np.ndarray | Tensor,
    *,
    kernel: Kernel = "floor",
    kept_dims: int | None = None,
    gap: Gap = "orig",
    inflation_gap: float | None = None,
    rho: float = 1.0,
    gamma0: float = USUAL_GAMMA0,
    t_min: float | None = None,
    t_max: float | None = None,
    signal_left: float | None = None,
    least_variance: float = 0.0,
) -> Schedule:
    r"""Fits a schedule to a data spectrum.

    Arguments:
        eigenvalues: Data variances xi, shape (D,), descending; null ones are allowed.
        kernel: Family of kernels.
        kept_dims: Number d of directions to keep; None keeps all (PRP).
        gap: How the others inflate: `orig` has 1 + g = 1 - d / (D - d) (`proportional`: at least 0), `constant` has
            1 - inflation_gap; the kept directions have 1 + g = 2.
        inflation_gap: The gap IG of `constant`.
        rho: Overall rate.
        gamma0: Kernel variance of `floor` at t = 0.
        t_min: First time; 0 for `floor`; for `proportional` by default where gamma_* / xi_* = gamma0.
        t_max: Last time T.
        signal_left: Alternative to t_max: the value of xi_max / gamma_*(T).
        least_variance: Smallest variance that a direction is given, such as that of the rounding of images: otherwise
            whitening is unbounded where data hardly vary.

    Raises:
        ScheduleError: if the settings do not fit each other or the data.
    """
    spectrum = torch.as_tensor(np.asarray(eigenvalues), dtype=torch.float64)
    dimension = len(spectrum)
    if dimension == 0 or not bool(torch.isfinite(spectrum).all()) or float(spectrum.max()) <= 0:
        raise ScheduleError(
            "schedule.eigenvalues",
            "finite variances, at least one of them positive",
            f"{spectrum.tolist()[:4]}",
            "the data set is constant or broken: look at its splits",
        )
    spectrum = spectrum.clamp(min=max(least_variance, NULL_VARIANCE * float(spectrum.max())))
    kept = dimension if kept_dims is None else kept_dims
    if not 1 <= kept <= dimension or (kept_dims is not None and kept == dimension):
        raise ScheduleError(
            "schedule.kept_dims",
            f"an integer from 1 to {dimension - 1} (the data set has D = {dimension})"
            if dimension > 1
            else "nothing: the data set has D = 1",
            f"{kept_dims}",
            "keep fewer dimensions, or leave kept_dims out to preserve all (PRP)",
        )
    if gap == "constant" and kept < dimension and inflation_gap is None:
        raise ScheduleError(
            "schedule.inflation_gap",
            "a number, since gap is constant",
            "nothing",
            "1.02 is the value of the paper's tables",
        )
    for name, value in (("rho", rho), ("gamma0", gamma0), ("signal_left", signal_left)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ScheduleError(f"schedule.{name}", "a number > 0", f"{value}", "rates and variances are positive")
    exponents = _exponents(dimension, kernel, kept, gap, inflation_gap or 0.0)
    if kernel == "proportional" and float(exponents.min()) < 0:
        raise ScheduleError(
            "schedule.gap",
            "exponents >= 0 on every direction (kernel proportional)",
            f"{float(exponents.min()):.3g} on the compressed ones (D = {dimension}, kept_dims = {kept})",
            "use inflation_gap <= 1, gap: orig, or kernel: floor",
        )
    rate = rho * float(exponents.max())
    least = gamma0 * (1.0 if signal_left is None else signal_left)
    if not (least > 0 and rate > 0 and math.isfinite(1 / rate) and math.isfinite(float(spectrum.max()) / least)):
        raise ScheduleError(
            "schedule.gamma0",
            "noise, rate and signal within the range of numbers",
            f"gamma0 = {gamma0:g}, rho = {rho:g}, signal_left = {signal_left}",
            "choose less extreme ones",
        )
    if (t_max is None) == (signal_left is None):
        raise ScheduleError(
            "schedule.t_max",
            "exactly one of t_max and signal_left",
            "both" if t_max is not None else "neither",
            "signal_left: 1e-3 chooses the end from the data",
        )
    top = float(spectrum.max())
    if kernel == "floor":
        first = 0.0 if t_min is None else t_min
        last = math.log(top / (signal_left * gamma0)) / rate if signal_left else float(t_max or 0.0)
    else:
        first = math.log1p(gamma0) / rate if t_min is None else t_min
        last = math.log1p(1 / signal_left) / rate if signal_left else float(t_max or 0.0)
    if not (math.isfinite(first) and math.isfinite(last) and last > first >= 0) or (
        kernel == "proportional" and first == 0
    ):
        lowest = "0 < t_min < t_max" if kernel == "proportional" else "0 <= t_min < t_max"
        raise ScheduleError(
            "schedule.t_max",
            lowest,
            f"t_min = {first:.4g}, t_max = {last:.4g}",
            "lengthen t_max, or lower signal_left",
        )
    problem = growth_problem(rate, first, last, kernel)
    if problem is not None:
        raise ScheduleError("schedule.t_max", *problem, "choose less extreme rates and times")
    return Schedule(spectrum, exponents, kept, kernel, rho, gamma0, first, last)
