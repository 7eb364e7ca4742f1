"""Networks that several schedules share: which schedules these are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from inflationary_flows.errors import ConfigError
from inflationary_flows.fields import Count, NonNegativeNumber, Section, Unique
from inflationary_flows.networks.kernel_range import KernelRange


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
        if not low <= high < dimension:
            expected = f"two whole numbers, the first not above the second, below D = {dimension}"
            raise ConfigError(f"{where}.kept_dims", expected, f"[{low}, {high}]", "leave it out for 1 to D - 1.")
        gap = self.inflation_gap
        if gap is not None and not gap[0] <= gap[1]:
            expected = "two numbers, the first not above the second"
            raise ConfigError(f"{where}.inflation_gap", expected, str(gap), "swap them.")
        if gap is not None and gap[1] > 1 and "proportional" in self.kernels:
            expected = "numbers up to 1, since a proportional kernel cannot narrow"
            raise ConfigError(f"{where}.inflation_gap", expected, str(gap), "lower it, or use kernel: floor.")
        return KernelRange((low, high), (gap[0], gap[1]) if gap else None, tuple(self.kernels))


# A mapping is a range, and wrong keys in it are told as such.
Sharing = Annotated[
    Annotated[Literal["own", "shared", "any"], Tag("word")] | Annotated[AnySchedule, Tag("range")],
    Discriminator(lambda given: "range" if isinstance(given, dict | AnySchedule) else "word"),
    Field(
        description="own: a network for each schedule, as in the paper; shared: one for all schedules of a data set, "
        "which is told the kernel; any: one for all schedules that there are, or for those of a range."
    ),
]
