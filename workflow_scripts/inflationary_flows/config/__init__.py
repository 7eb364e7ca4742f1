"""The configuration: typed models, checks across sections, and messages that say what to do."""

from __future__ import annotations

from inflationary_flows.extras import needs

with needs("configurations", "workflow"):
    from inflationary_flows.config.load import export_schema, load_config
    from inflationary_flows.config.locating import folder_of_run
    from inflationary_flows.config.models import Config
    from inflationary_flows.config.settings import (
        budget_settings,
        dataset_settings,
        member_settings,
        method_settings,
        network_settings,
        resolve,
        schedule_settings,
        solver_settings,
        training_of,
        training_settings,
    )

__all__ = [
    "Config",
    "budget_settings",
    "dataset_settings",
    "export_schema",
    "folder_of_run",
    "load_config",
    "member_settings",
    "method_settings",
    "network_settings",
    "resolve",
    "schedule_settings",
    "solver_settings",
    "training_of",
    "training_settings",
]
