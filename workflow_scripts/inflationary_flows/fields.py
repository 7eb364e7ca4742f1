"""Types of single configuration values, names that refer to other sections, and the base of all sections.

Settings of experiments are written with these, so nothing here imports the package `config`, or torch.

Numbers are strict: no text, no true or false. One exception: YAML 1.1 readers, Snakemake's among
them, hand over `1e-3` as a text because it lacks a point, so text of exactly that form counts as
the number it plainly is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from inflationary_flows.requirements import require_known, require_unique

if TYPE_CHECKING:
    from inflationary_flows.config.models import Config
    from inflationary_flows.config.study import Study

_EXPONENT_FORM = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)[eE][+-]?\d+")


def read_exponent_form(value: Any) -> Any:
    """Returns the number that a text such as `1e-3` plainly is, and any other value as it is."""
    if isinstance(value, str) and _EXPONENT_FORM.fullmatch(value):
        return float(value)
    return value


# Bounds that nobody meets but by mistake: within them, products and logarithms of a few numbers stay finite.
LEAST, MOST = 1e-30, 1e30
# No list, loop or array of more than this ends.
MOST_COUNTED = 10**9

Number = Annotated[float, BeforeValidator(read_exponent_form), Field(ge=-MOST, le=MOST, allow_inf_nan=False)]
PositiveNumber = Annotated[
    float, BeforeValidator(read_exponent_form), Field(gt=0, ge=LEAST, le=MOST, allow_inf_nan=False)
]
NonNegativeNumber = Annotated[float, BeforeValidator(read_exponent_form), Field(ge=0, le=MOST, allow_inf_nan=False)]
Fraction = Annotated[float, BeforeValidator(read_exponent_form), Field(gt=0, lt=1, ge=LEAST, allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=0, le=MOST_COUNTED)]
Count = Annotated[int, Field(ge=1, le=MOST_COUNTED)]
# Parts of a network: their products are looked at where it is used.
Layers = Annotated[int, Field(ge=1, le=1_000)]
Width = Annotated[int, Field(ge=1, le=100_000)]
# Of what is a job, or a file, each.
Jobs = Annotated[int, Field(ge=1, le=10_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]

# Names become directories and wildcards: no separators, nothing a shell would mind, and a dot only before a digit, so
# that no folder is called like a table beside it.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")]
DottedName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]([a-z0-9_-]|\.[0-9]){0,63}$")]
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]+$")]
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}(s|m|h|d)$")]
Memory = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}(MB|GB)$")]
# The same, or an estimate from the size of the network.
EstimatedDuration = Annotated[str, StringConstraints(pattern=r"^(auto|[1-9][0-9]{0,5}(s|m|h|d))$")]
EstimatedMemory = Annotated[str, StringConstraints(pattern=r"^(auto|[1-9][0-9]{0,5}(MB|GB))$")]

# What the patterns above ask for, in words.
PATTERNS = {
    r"^[a-z0-9_]{1,64}$": "a name of lower-case letters, digits and underscores, 64 at most",
    r"^[a-z0-9_]([a-z0-9_-]|\.[0-9]){0,63}$": "a name of lower-case letters, digits, underscores, hyphens, and dots "
    "before digits, 64 at most",
    r"^[^\x00-\x08\x0b-\x1f\x7f]+$": "a text, not empty and without control characters",
    r"^[1-9][0-9]{0,5}(s|m|h|d)$": 'a duration such as "30m" or "2h"',
    r"^[1-9][0-9]{0,5}(MB|GB)$": 'an amount of memory such as "2GB" or "500MB"',
    r"^(auto|[1-9][0-9]{0,5}(s|m|h|d))$": 'a duration such as "30m" or "2h", or auto',
    r"^(auto|[1-9][0-9]{0,5}(MB|GB))$": 'an amount of memory such as "2GB" or "500MB", or auto',
}

SolverName = Literal[
    "euler",
    "heun",
    "rk4",
    "rk5",
    "adams_bashforth4",
    "adams_bashforth6",
    "dopri5",
    "euler_scaled",
    "heun_scaled",
]

PresetName = Literal["ddpmpp", "small_32", "small_28", "small_8"]
ExtractorName = Literal["inception", "efficientnet_lite0", "digits_classifier"]


@dataclass(frozen=True)
class Refers:
    """Marks a text, or a key, as the name of an entry of another section.

    Attributes:
        section: Where the entry is, such as `baselines.budgets`.
        what: What messages call the entries.
    """

    section: str
    what: str

    def require(self, name: str, where: str, config: Config) -> None:
        """Raises `ConfigError` if there is no such entry."""
        known: Any = reduce(getattr, self.section.split("."), config)
        require_known(name, known, where, self.what, self.section)


@dataclass(frozen=True)
class Unique:
    """Marks a list in which nothing stands twice.

    Attributes:
        what: What messages call an entry.
    """

    what: str

    def require(self, values: Sequence[Any], where: str, config: Config) -> None:
        """Raises `ConfigError` if something does."""
        # A word may stand for a list.
        if not isinstance(values, str):
            require_unique(values, where, self.what)


DatasetName = Annotated[str, Refers("datasets", "datasets")]
ScheduleName = Annotated[str, Refers("schedules", "schedules")]
NetworkName = Annotated[str, Refers("networks", "networks")]
TrainingName = Annotated[str, Refers("training", "training settings")]
VariantName = Annotated[str, Refers("variants", "variants")]
BudgetName = Annotated[str, Refers("baselines.budgets", "budgets")]

DatasetNames = Annotated[list[DatasetName], Unique("data set")]
Seeds = Annotated[list[Seed], Field(min_length=1), Unique("seed")]
SampleSeeds = Annotated[list[Seed], Field(min_length=1), Unique("sample seed")]
Levels = Annotated[list[Fraction], Field(min_length=1), Unique("level")]


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, types are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def check(self, where: str, study: Study) -> None:
        """Raises `ConfigError` for the first contradiction within the section, or with what it refers to.

        Arguments:
            where: Place of the section in the configuration.
            study: The whole configuration, in which every name refers to something.
        """
