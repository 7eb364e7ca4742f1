"""When a job has to stop: it was asked to by a signal, or its time is nearly over."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from types import FrameType, TracebackType

# Time to save and to end before the limit: this share of the time limit, up to so many seconds.
_MARGIN_SHARE, _MARGIN_SECONDS = 0.1, 120.0


class Interruption:
    """Records requests to stop while a block runs, instead of ending at once.

    A second signal ends the process as usual. Ignored signals stay ignored.

    Arguments:
        seconds_left: Seconds until the scheduler ends this job, if there is a limit.
        signals: Signals that ask to stop: by default what schedulers send before they kill, and what Ctrl-C sends.
    """

    def __init__(
        self,
        seconds_left: float | None = None,
        signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
    ) -> None:
        self._signals = signals
        self._signal: str | None = None
        self._deadline: float | None = None
        if seconds_left is not None:
            margin = min(_MARGIN_SHARE * seconds_left, _MARGIN_SECONDS)
            self._deadline = time.monotonic() + seconds_left - margin

    def __enter__(self) -> Interruption:
        """Records signals from now on."""
        self._handlers = {
            number: signal.signal(number, self._note)
            for number in self._signals
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Restores the former handlers."""
        self._restore()

    def reason(self) -> str | None:
        """The reason to stop now; None to go on."""
        if self._signal is not None:
            return self._signal
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return "the end of its time"
        return None

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signal = signal.Signals(number).name
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
