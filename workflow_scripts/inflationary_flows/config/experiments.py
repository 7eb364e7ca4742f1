"""The part of the configuration that sets up experiments: a section for each that has settings in its `spec.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model

from inflationary_flows.experiments.registry import Experiment, experiments
from inflationary_flows.fields import Section


def _field(experiment: Experiment) -> tuple[Any, Any]:
    """A section that may be left out; one that is no model, but a mapping of them, says what it is about."""
    kind = experiment.settings
    is_model = isinstance(kind, type) and issubclass(kind, Section)
    return kind, Field(default_factory=kind) if is_model else Field(default_factory=dict, description=experiment.about)


if TYPE_CHECKING:
    # Its fields are known when specs are read.
    Experiments = Any
else:
    Experiments = create_model(
        "Experiments",
        __base__=Section,
        __doc__="Settings of the experiments; those that list data sets run for these, some on demand.",
        **{name: _field(one) for name, one in experiments().items() if one.settings is not None},
    )
