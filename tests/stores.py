"""Checkpoints in memory, for tests of what is kept and resumed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from inflationary_flows.checkpoint import Checkpoint, never


class Memory:
    """A store that remembers every state it was handed; parts of a run share one list."""

    name = "memory"

    def __init__(self) -> None:
        self.states: list[tuple[dict[str, np.ndarray], dict[str, Any]]] = []

    def read(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        return self.states[-1] if self.states else None

    def write(self, tensors: Mapping[str, Any], metadata: dict[str, Any]) -> None:
        self.states.append(({k: np.asarray(v).copy() for k, v in tensors.items()}, copy.deepcopy(metadata)))

    def part(self, name: str) -> Memory:
        return self


def kept(store: Memory | None = None, seconds: float = 1e9, stop: Callable[[], str | None] = never) -> Checkpoint:
    """Checkpoint of the run "d" in a store, by default one of its own."""
    return Checkpoint(store if store is not None else Memory(), "d", seconds=seconds, stop=stop)


def stopping_after(calls: int) -> Callable[[], str | None]:
    """A reason to stop that arises at the given number of times it is asked for."""
    asked = 0

    def stop() -> str | None:
        nonlocal asked
        asked += 1
        return "SIGTERM" if asked >= calls else None

    return stop
