"""Step sizes of Hamiltonian samplers, learned while they warm up."""

from __future__ import annotations

import math


class StepSize:
    """Dual averaging of the logarithm of the step size (Hoffman and Gelman, 2014, section 3.2)."""

    _SHRINKAGE, _DELAY, _FORGETTING = 0.05, 10, 0.75

    def __init__(self, target: float) -> None:
        self.target = target
        self.now = 1.0

    def restart(self, step: float, boldness: float = 10.0) -> None:
        """Forgets all but a first step size; steps so many times as long are tried first."""
        self.now = step
        self._centre = math.log(boldness * step)
        self._error = self._average = 0.0
        self._count = 0

    def learn(self, acceptance: float) -> None:
        """Takes the mean acceptance probability of a trajectory into account."""
        self._count += 1
        share = 1 / (self._count + self._DELAY)
        self._error += share * (self.target - acceptance - self._error)
        logarithm = self._centre - math.sqrt(self._count) / self._SHRINKAGE * self._error
        self._average += self._count**-self._FORGETTING * (logarithm - self._average)
        self.now = math.exp(logarithm)

    def settle(self) -> None:
        """Takes the average over warm-up."""
        if self._count:
            self.now = math.exp(self._average)
