"""Pyro's kernel of the No-U-Turn sampler with what convergence diagnostics need; its private names are used here alone.

Pyro keeps for itself the momenta as they are drawn (`_sample_r`), kinetic and potential energy (`_kinetic_energy`,
`_potential_energy_last`), the running mean of acceptance probabilities (`_mean_accept_prob`), and the numbers of
divergent draws (`_divergences`). A version that renames one of these fails in the tests of `nuts`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyro
from pyro.infer import NUTS
from torch import Tensor

_PLACE = "theta"


class RecordingNUTS(NUTS):
    """A kernel that is at a place of one vector.

    Arguments:
        log_density: Unnormalised log density of a vector, shape (dim,), to a scalar.
        start: First position, shape (dim,).
        warmup: Iterations in which it adapts.
        options: Those of Pyro's kernel.
    """

    def __init__(self, log_density: Callable[[Tensor], Tensor], start: Tensor, warmup: int, **options: Any) -> None:
        self.calls = 0

        def potential(place: dict[str, Tensor]) -> Tensor:
            self.calls += 1
            return -log_density(place[_PLACE])

        self.energy_start = float("nan")
        super().__init__(potential_fn=potential, **options)
        self._place = {_PLACE: start}
        self.initial_params = self._place
        pyro.clear_param_store()
        self.setup(warmup)

    def step(self) -> Tensor:
        """One iteration; returns the new position."""
        self._place = self.sample(self._place)
        return self._place[_PLACE]

    @property
    def mean_acceptance(self) -> float:
        """Mean acceptance probability of the iterations so far; it starts again after warm-up."""
        return float(self._mean_accept_prob)

    @property
    def divergences(self) -> list[int]:
        """Numbers of the draws whose trajectories diverged."""
        return self._divergences

    def _sample_r(self, name: str) -> tuple[Any, Any]:
        r, unscaled = super()._sample_r(name)
        self.energy_start = float(self._kinetic_energy(unscaled) + self._potential_energy_last)
        return r, unscaled
