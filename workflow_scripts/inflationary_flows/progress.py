"""Signs of life of long computations: a bar where somebody watches, else a line in the log every half a minute."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, ClassVar, Self, TypeVar

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
SECONDS = 30.0


class Progress:
    """How far a computation is: `with Progress(4000, "training") as bar: bar.update()`.

    On a terminal and in a notebook it is a bar of tqdm; elsewhere, and in jobs of the workflow, whose terminal several
    share, a line such as "training: step 1200 of 4000, 41 s, about 95 s left", to the log.  Records of such lines have
    the attribute `progress`.

    Arguments:
        total: Number of steps.
        what: What is computed.
        unit: What a step is called.
        done: Steps that were done before.
        silent: Says nothing, as all processes but one of several.
        clock: Seconds, from any start.
    """

    # Whether bars may be drawn at all.
    bars: ClassVar[bool] = True

    def __init__(
        self,
        total: int,
        what: str,
        *,
        unit: str = "step",
        done: int = 0,
        silent: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total, self.what, self.unit = total, what, unit
        self.done = self.first = done
        self.silent, self.clock = silent, clock
        self.started = self.said = clock()
        self.bar: Any = None
        if not silent and self.bars and (sys.stderr.isatty() or "ipykernel" in sys.modules):
            # In a notebook it looks for widgets. Jobs draw no bars, and their environments need no tqdm.
            bar_of = import_module("tqdm.auto").tqdm
            self.bar = bar_of(total=total, initial=done, desc=what, unit=unit, leave=False)

    def __enter__(self) -> Self:
        """It began when it was made."""
        return self

    def __exit__(self, *_: object) -> None:
        """Takes the bar away."""
        self.close()

    def close(self) -> None:
        """Takes the bar away."""
        if self.bar is not None:
            self.bar.close()

    def update(self, steps: int = 1) -> None:
        """Counts steps that were done."""
        self.done += steps
        if self.bar is not None:
            self.bar.update(steps)
        elif not self.silent and self.done < self.total and self.clock() - self.said >= SECONDS:
            self.said = self.clock()
            spent = self.said - self.started
            left = spent / (self.done - self.first) * (self.total - self.done)
            line = "%s: %s %d of %d, %s, about %s left"
            words = (self.what, self.unit, self.done, self.total, duration(spent), duration(left))
            if self.bars and not logger.hasHandlers():
                # A program that has set up no log: its terminal or file of output is where somebody looks.
                print(line % words, file=sys.stderr, flush=True)
            else:
                logger.info(line, *words, extra={"progress": True})

    def reach(self, done: int) -> None:
        """Counts up to a number of steps."""
        if done > self.done:
            self.update(done - self.done)


def tracked(items: Sequence[Item], what: str, *, unit: str = "step") -> Iterator[Item]:
    """Items one by one, with signs of life; arguments as of `Progress`."""
    with Progress(len(items), what, unit=unit) as bar:
        for item in items:
            yield item
            bar.update()


def duration(seconds: float) -> str:
    """A time in words: 95 s, 12 min, 3.4 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
