"""Time limits and memory of jobs, as configured or estimated; they grow with each attempt."""

from __future__ import annotations

import math
from string import ascii_letters

# Estimates are of arithmetic alone: reading, validation, compilation and slow moments come on top.
_SLACK, _OVERHEAD_MINUTES = 1.5, 15
_MINUTES = {"s": 1 / 60, "m": 1, "h": 60, "d": 1440}
_MEGABYTES = {"MB": 1, "GB": 1000}


def minutes(hours: float, attempt: int) -> str:
    """Estimated hours as a time limit."""
    return f"{attempt * math.ceil(_OVERHEAD_MINUTES + 60 * _SLACK * hours)}m"


def megabytes(gigabytes: float, attempt: int) -> str:
    """Estimated memory as a limit."""
    return f"{attempt * math.ceil(1000 * _SLACK * gigabytes)}MB"


def grown(limit: str, attempt: int) -> str:
    """A limit that was checked, such as 2h or 4GB, in the smallest unit and grown."""
    number = limit.rstrip(ascii_letters)
    unit = limit.removeprefix(number)
    units, smallest = (_MEGABYTES, "MB") if unit in _MEGABYTES else (_MINUTES, "m")
    return f"{attempt * math.ceil(int(number) * units[unit])}{smallest}"
