"""Injective flows from files."""

from __future__ import annotations

import os

from inflationary_flows.artifacts.models import load_model
from inflationary_flows.baselines import injective
from inflationary_flows.errors import ArtifactError
from inflationary_flows.files.files import path_of


class InjectiveFlow(injective.InjectiveFlow):
    """An injective flow that reads itself from a file; all else is `baselines.injective.InjectiveFlow`."""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> InjectiveFlow:
        """Reads an injective flow that the workflow made.

        Arguments:
            path: `model.safetensors` or the folder that holds it.

        Raises:
            ArtifactError: if the file is missing, truncated, altered or not an injective flow, or if `path` is no path.
        """
        model = load_model(path_of(path))
        if not isinstance(model, injective.InjectiveFlow):
            raise ArtifactError(
                str(path), "an injective flow", type(model).__name__, "inflationary flows are read by Flow.load"
            )
        return cls(model.network, model.basis, model.chart, model.image)
