"""Inflationary Flows: invertible maps between data and Gaussian latents of a chosen dimension.

The public API is `Flow`, and `InjectiveFlow` to compare it with; both are imported on first use, so that reading a
configuration never loads torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inflationary_flows.artifacts.flows import Flow
    from inflationary_flows.artifacts.injective_flows import InjectiveFlow

__version__ = "0.1.0"
__all__ = ["Flow", "InjectiveFlow", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "Flow":
        from inflationary_flows.artifacts.flows import Flow

        return Flow
    if name == "InjectiveFlow":
        from inflationary_flows.artifacts.injective_flows import InjectiveFlow

        return InjectiveFlow
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
