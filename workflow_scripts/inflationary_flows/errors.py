"""Errors that a user can cause, each saying where, what was expected, what was got and what to do.

Everything that may be wrong with a configuration, a data set, a schedule or a file raises a
subclass of `InflationaryFlowsError`, so that the command line and the workflow's scripts can print
one clear message instead of a traceback.
"""

from __future__ import annotations

from typing import Any


class InflationaryFlowsError(Exception):
    """A problem with what the user gave, in the form "where: expected ..., got ...", then a hint.

    Arguments:
        where: The place to look at, such as a path within the configuration or a file name.
        expected: What would have been right, as the object of "expected".
        got: What was found, as the object of "got".
        hint: What to do about it, one sentence.
    """

    def __init__(self, where: str, expected: str, got: str, hint: str) -> None:
        super().__init__(where, expected, got, hint)
        self.where = where
        self.expected = expected
        self.got = got
        self.hint = hint

    def __str__(self) -> str:
        where, expected, got, hint = (cut(text, 2_000) for text in (self.where, self.expected, self.got, self.hint))
        got = got if got.endswith("...") else got.rstrip(".")
        hint = hint if hint.endswith((".", "?", "!", ".)")) else f"{hint}."
        return f"{where}: expected {expected}, got {got}.\nHint: {hint}"


class ConfigError(InflationaryFlowsError):
    """The configuration is malformed or contradicts itself."""


class DataError(InflationaryFlowsError):
    """Data are missing, unreadable or unfit for a flow."""


class PackageError(InflationaryFlowsError, ImportError):
    """A package that this feature needs is not installed; the hint names the extra that brings it."""


class ScheduleError(InflationaryFlowsError):
    """A noise schedule is impossible, or does not fit the data's eigenvalues."""


class ArtifactError(InflationaryFlowsError):
    """A file that the workflow wrote earlier is missing, truncated, altered or of another kind."""


class TrainingError(InflationaryFlowsError):
    """Training cannot start, continue or resume."""


class CheckpointError(InflationaryFlowsError):
    """The checkpoint belongs to another run, or another job writes it."""


class Interrupted(InflationaryFlowsError):
    """A long job was stopped before its end; it can be resumed from its checkpoint."""


class InferenceError(InflationaryFlowsError):
    """A posterior cannot be computed, or its sampler has not converged."""


def shorten(value: Any, limit: int = 60) -> str:
    """A value for a message: its `repr`, cut to `limit` characters."""
    # Python writes no integers of thousands of digits.
    text = f"an integer of {value.bit_length()} bits" if isinstance(value, int) and abs(value) > 10**40 else repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def cut(text: str, limit: int = 100) -> str:
    """Text of the user for a message: in one line, without control characters, cut to `limit` characters."""
    line = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text[: limit + 1])
    return line if len(line) <= limit else line[: limit - 3] + "..."
