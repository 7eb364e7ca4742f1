"""Types of single configuration values, and the base of its sections.

Numbers are strict: no text, no true or false. One exception: YAML 1.1 readers, Snakemake's among
them, hand over `1e-3` as a text because it lacks a point, so text of exactly that form counts as
the number it plainly is.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

_EXPONENT_FORM = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)[eE][+-]?\d+")


def read_exponent_form(value: Any) -> Any:
    """Returns the number that a text such as `1e-3` plainly is, and any other value as it is."""
    if isinstance(value, str) and _EXPONENT_FORM.fullmatch(value):
        return float(value)
    return value


Number = Annotated[float, BeforeValidator(read_exponent_form), Field(allow_inf_nan=False)]
PositiveNumber = Annotated[float, BeforeValidator(read_exponent_form), Field(gt=0, allow_inf_nan=False)]
NonNegativeNumber = Annotated[float, BeforeValidator(read_exponent_form), Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, BeforeValidator(read_exponent_form), Field(gt=0, lt=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]

# Names become directories and wildcards: no separators, nothing a shell would mind.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
ScheduleName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_][a-z0-9_.-]*$")]
Text = Annotated[str, StringConstraints(min_length=1)]
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*(s|m|h|d)$")]
Memory = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*(MB|GB)$")]
# The same, or an estimate from the size of the network.
EstimatedDuration = Annotated[str, StringConstraints(pattern=r"^(auto|[1-9][0-9]*(s|m|h|d))$")]
EstimatedMemory = Annotated[str, StringConstraints(pattern=r"^(auto|[1-9][0-9]*(MB|GB))$")]

# What the patterns above ask for, in words.
PATTERNS = {
    r"^[a-z0-9_]+$": "a name of lower-case letters, digits and underscores",
    r"^[a-z0-9_][a-z0-9_.-]*$": "a name of lower-case letters, digits, underscores, dots, hyphens",
    r"^[1-9][0-9]*(s|m|h|d)$": 'a duration such as "30m" or "2h"',
    r"^[1-9][0-9]*(MB|GB)$": 'an amount of memory such as "2GB" or "500MB"',
    r"^(auto|[1-9][0-9]*(s|m|h|d))$": 'a duration such as "30m" or "2h", or auto',
    r"^(auto|[1-9][0-9]*(MB|GB))$": 'an amount of memory such as "2GB" or "500MB", or auto',
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


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, types are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
