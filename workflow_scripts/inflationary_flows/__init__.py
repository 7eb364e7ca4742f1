"""Inflationary Flows: invertible maps between data and Gaussian latents of a chosen dimension.

The public API is `Flow`, `ScheduleSettings` to fit one with, and `InjectiveFlow` to compare it with; they are imported
on first use, so that reading a configuration never loads torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inflationary_flows.artifacts.flows import Flow
    from inflationary_flows.artifacts.injective_flows import InjectiveFlow
    from inflationary_flows.mathematics.schedules import ScheduleSettings

__version__ = "0.1.0"
__all__ = ["Flow", "InjectiveFlow", "ScheduleSettings", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "Flow":
        from inflationary_flows.artifacts.flows import Flow

        return Flow
    if name == "InjectiveFlow":
        from inflationary_flows.artifacts.injective_flows import InjectiveFlow

        return InjectiveFlow
    if name == "ScheduleSettings":
        from inflationary_flows.mathematics.schedules import ScheduleSettings

        return ScheduleSettings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
