r"""Shrinks a network towards the Gaussian of the data, as far as held-out points ask for it.

F = 0 is the flow of the Gaussian that has the data's mean and covariance.  A network that sees few rows often learns
them by heart: F then is further from the truth than zero is.  Times a factor s, its squared error on held-out points is

    E |s F - F*|^2 = E |F*|^2 - 2 s a + s^2 b,        a = E F . F*,   b = E |F|^2,        least at s = a / b.

Noisy points of one row err together, so that the standard error of a / b is taken over rows.  Two of it are subtracted:
what may be chance is not kept.  Of the weights at some steps those are kept whose shrunk F gains most over F = 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

# A network that sees a row this often can learn it by heart.
VISITS = 100
# Weights are looked at at steps that grow by this factor: small tables are learned, and overlearned, within a hundred.
_FIRST, _FACTOR = 16, math.sqrt(2)
# Before so many steps nothing is given up: a network of a short training has not learned anything yet.
_LEAST_STEPS = 400
# Standard errors that are subtracted: with none of them noise would be kept in every other case, with two in one of 40.
_ERRORS = 2.0


@dataclass(frozen=True)
class Parabola:
    """Sums over the noisy points of each held-out row, by which the squared error of s F is known for all s.

    Attributes:
        product: F . F*, shape (rows,).
        square: |F|^2, shape (rows,).
        count: Numbers that were added, in all.
    """

    product: Tensor
    square: Tensor
    count: int

    def factor(self) -> float:
        """The factor s from 0 to 1 that held-out points support: the best one less two standard errors."""
        total = float(self.square.sum())
        if total == 0:
            return 0.0
        best = float(self.product.sum()) / total
        rows = len(self.product)
        spread = float((self.product - best * self.square).std()) if rows > 1 else math.inf
        return min(1.0, max(0.0, best - _ERRORS * math.sqrt(rows) * spread / total))

    def gain(self, factor: float) -> float:
        """How much the squared error of s F, a number, is below that of F = 0."""
        return float(2 * factor * self.product.sum() - factor**2 * self.square.sum()) / self.count


@dataclass
class BestWeights:
    """The weights that are best on held-out points, and the factor of F; at first the Gaussian, whatever the weights.

    Attributes:
        step: Step of the weights.
        factor: Factor of F.
        gain: Gain over F = 0.
        weights: Copies of the weights; none for the Gaussian.
    """

    step: int = 0
    factor: float = 0.0
    gain: float = 0.0
    weights: list[Tensor] = field(default_factory=list)

    def look(self, step: int, weights: Sequence[Tensor], parabola: Parabola) -> None:
        """Keeps these weights if they gain more than those before."""
        factor = parabola.factor()
        gain = parabola.gain(factor)
        if gain > self.gain:
            kept = [tensor.detach().clone() for tensor in weights]
            self.step, self.factor, self.gain, self.weights = step, factor, gain, kept

    def over(self, step: int, steps: int) -> bool:
        """Whether nothing better came in three quarters of the training so far, a quarter of that planned at least."""
        return step >= max(4 * self.step, steps / 4, _LEAST_STEPS)

    def described(self) -> dict[str, Any]:
        """All but the weights, as plain values."""
        return {"step": self.step, "factor": self.factor, "gain": self.gain}


def overlearns(steps: int, batch_size: int, rows: int) -> bool:
    """Whether a training of so many steps sees each row often enough to learn it by heart."""
    return steps * batch_size > VISITS * rows


def is_looked_at(step: int) -> bool:
    """Whether weights are looked at after this step: 16, 23, 32, 45, 64, ..."""
    power = math.floor(math.log(max(step, 1) / _FIRST, _FACTOR) + 0.5)
    return step >= _FIRST and step == round(_FIRST * _FACTOR**power)
