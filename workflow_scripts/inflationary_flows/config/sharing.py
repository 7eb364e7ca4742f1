"""Networks that several schedules share: which schedules these are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from inflationary_flows.errors import ConfigError
from inflationary_flows.fields import Count, NonNegativeNumber, Section, Unique
from inflationary_flows.networks.kernel_range import SHARED, KernelRange


class AnySchedule(Section):
    """Schedules that a network learns for all of: those that keep all dimensions, and those that keep some."""

    kept_dims: Annotated[list[Count], Field(min_length=2, max_length=2)] | None = Field(
        None, description="Least and most dimensions kept; by default 1 and D - 1."
    )
    inflation_gap: Annotated[list[NonNegativeNumber], Field(min_length=2, max_length=2)] | None = Field(
        None, description="Least and largest gap of `constant`, beside `orig`; by default orig alone."
    )
    kernels: Annotated[list[Literal["floor", "proportional"]], Field(min_length=1), Unique("kernel")] = Field(
        ["floor"], description="Families of kernels."
    )

    def range_for(self, dimension: int, where: str) -> KernelRange:
        """The range for data of D coordinates; raises `ConfigError` if there is none."""
        low, high = self.kept_dims or (1, dimension - 1)
        gap = self.inflation_gap
        given = KernelRange((low, high), (gap[0], gap[1]) if gap else None, tuple(self.kernels))
        if (fault := given.fault(dimension)) is not None:
            key, expected, got, hint = fault
            raise ConfigError(f"{where}.{key}", expected, got, f"{hint}.")
        return given


def range_of(given: str | AnySchedule, dimension: int, where: str) -> KernelRange | None:
    """The range of schedules that a network learns, of data of D coordinates; none if it learns those of the data."""
    if given in ("own", SHARED):
        return None
    chosen = given if isinstance(given, AnySchedule) else AnySchedule()
    return chosen.range_for(dimension, where)


# A mapping is a range, and wrong keys in it are told as such.
Sharing = Annotated[
    Annotated[Literal["own", "shared", "any"], Tag("word")] | Annotated[AnySchedule, Tag("range")],
    Discriminator(lambda given: "range" if isinstance(given, dict | AnySchedule) else "word"),
    Field(
        description="own: a network for each schedule, as in the paper; shared: one for all schedules of a data set, "
        "which is told the kernel; any: one for all schedules that there are, or for those of a range."
    ),
]
