"""Inflationary Flows: invertible maps between data and Gaussian latents of a chosen dimension.

The public API is `Flow`, `ScheduleSettings` and `SolverSettings` to fit one with, and `InjectiveFlow` to compare it
with. They are imported on first use, so that reading a configuration never loads torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inflationary_flows.artifacts.flows import Flow
    from inflationary_flows.artifacts.injective_flows import InjectiveFlow
    from inflationary_flows.mathematics.flow import SolverSettings
    from inflationary_flows.mathematics.schedules import ScheduleSettings

__version__ = "0.1.0"
__all__ = ["Flow", "InjectiveFlow", "ScheduleSettings", "SolverSettings", "__version__"]


_PROVIDERS = {
    "Flow": "inflationary_flows.artifacts.flows",
    "InjectiveFlow": "inflationary_flows.artifacts.injective_flows",
    "ScheduleSettings": "inflationary_flows.mathematics.schedules",
    "SolverSettings": "inflationary_flows.mathematics.flow",
}


def __getattr__(name: str) -> Any:
    if name not in _PROVIDERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PROVIDERS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
