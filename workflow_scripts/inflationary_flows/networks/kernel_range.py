"""Which schedules a network of a range of them has seen, in plain numbers: asked before anything is loaded."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from inflationary_flows.requirements import USUAL_GAMMA0, usual_signal_left

# Stands in paths for the schedules of a data set that share a network.
SHARED = "shared"
_WIDEST_GAP = 1e3
# Of draws that preserve all dimensions. Their law of the data is the least Gaussian, and takes the longest to learn.
_PRESERVING = 0.25


@dataclass(frozen=True)
class KernelRange:
    """Schedules that a network is trained on: those that keep all dimensions, and those that keep d of them.

    Attributes:
        kept_dims: Least and most d, both below the number of coordinates D.
        inflation_gap: Least and largest gap of `constant`, which half of the draws have; none for the gap `orig` alone.
        kernels: Families.
    """

    kept_dims: tuple[int, int]
    inflation_gap: tuple[float, float] | None = None
    kernels: tuple[str, ...] = ("floor",)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> KernelRange:
        """The inverse of `as_dict`."""
        gap = values.get("inflation_gap")
        return cls(tuple(values["kept_dims"]), None if gap is None else tuple(gap), tuple(values["kernels"]))

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {key: list(value) for key, value in asdict(self).items() if value is not None}

    def fault(self, dimension: int) -> tuple[str, str, str, str] | None:
        """Key, expectation, what was got and a hint, if there is no such range for data of D coordinates; else none."""
        low, high = self.kept_dims
        if dimension < 2:
            return "kept_dims", "data of at least two coordinates, to keep some of", f"D = {dimension}", "keep all"
        if not 1 <= low <= high < dimension:
            expected = f"two whole numbers from 1 to {dimension - 1} (D = {dimension}), the first not above the second"
            return "kept_dims", expected, f"{low} and {high}", f"1 and {dimension - 1} are all"
        least, most = self.inflation_gap or (0.0, 0.0)
        if not 0 <= least <= most <= _WIDEST_GAP:
            expected = f"two numbers from 0 to {_WIDEST_GAP:g}, the first not above the second"
            hint = "swap them" if least > most >= 0 else "1.02 is the gap of the paper's tables"
            return "inflation_gap", expected, f"{least:g} and {most:g}", hint
        if most > 1 and "proportional" in self.kernels:
            expected = "numbers up to 1, since a proportional kernel cannot narrow"
            return "inflation_gap", expected, f"{most:g}", "lower it, or use the kernel floor alone"
        return None

    def draw(self, chance: random.Random) -> dict[str, Any]:
        """Arguments of `make_schedule` of a schedule at random: d uniform in its logarithm, gaps uniform."""
        kernel = chance.choice(self.kernels)
        if chance.random() < _PRESERVING:
            return self.arguments(kernel)
        low, high = self.kept_dims
        kept = min(high, int(low * ((high + 1) / low) ** chance.random()))
        constant = self.inflation_gap if chance.random() < 0.5 else None
        return self.arguments(kernel, kept, None if constant is None else chance.uniform(*constant))

    def arguments(self, kernel: str, kept_dims: int | None = None, gap: float | None = None) -> dict[str, Any]:
        """Arguments of `make_schedule` of a schedule that ends as usual."""
        if kept_dims is None:
            return {"kernel": kernel, "signal_left": usual_signal_left(None)}
        own = {} if gap is None else {"gap": "constant", "inflation_gap": gap}
        return {"kernel": kernel, "kept_dims": kept_dims, "signal_left": usual_signal_left(kept_dims), **own}

    def examples(self) -> list[dict[str, Any]]:
        """Arguments of a few of them, on which a training is measured: all, few and many dimensions kept."""
        low, high = self.kept_dims
        kept = sorted({low, round(math.sqrt(low * high)), high})
        gaps = [None, *([sum(self.inflation_gap) / 2] if self.inflation_gap else [])]
        reducing = [(d, gap) for gap in gaps for d in kept]
        return [self.arguments(kernel, *one) for kernel in self.kernels for one in [(None, None), *reducing]]

    def problem(self, schedule: Mapping[str, Any]) -> tuple[str, str, str] | None:
        """Key, expectation and what was got, of arguments of `make_schedule` that are not of the range; else none."""
        kernel, kept = schedule.get("kernel", "floor"), schedule.get("kept_dims")
        if kernel not in self.kernels:
            return "kernel", f"one that the network was trained for: {', '.join(self.kernels)}", str(kernel)
        trained = "as the network was trained for"
        least = usual_signal_left(kept)
        if schedule.get("signal_left", least) < least:
            return "signal_left", f"a number of at least {least:g}, {trained}", f"{schedule['signal_left']:g}"
        if schedule.get("gamma0", USUAL_GAMMA0) != USUAL_GAMMA0 or schedule.get("t_min"):
            key = "t_min" if schedule.get("t_min") else "gamma0"
            return key, f"the first noise of gamma0 = {USUAL_GAMMA0:g}, {trained}", f"{schedule[key]:g}"
        if kept is None:
            return None
        low, high = self.kept_dims
        if not low <= kept <= high:
            return "kept_dims", f"a number from {low} to {high}, {trained}", str(kept)
        gap = schedule.get("inflation_gap") if schedule.get("gap") == "constant" else None
        if gap is not None and self.inflation_gap is None:
            return "gap", f"orig, {trained}", "constant"
        if gap is not None and self.inflation_gap and not self.inflation_gap[0] <= gap <= self.inflation_gap[1]:
            expected = "a number from {:g} to {:g}, ".format(*self.inflation_gap) + trained
            return "inflation_gap", expected, f"{gap:g}"
        return None
