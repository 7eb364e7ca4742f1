"""The search of hyper-parameters: the same for every method.

Each candidate is trained for a share of the steps, with the same seed.  The one whose generated points are nearest to
the validation split, by energy distance, is chosen.  One that diverges is out, and says so.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inflationary_flows.baselines.method import Method, TrainingTask
from inflationary_flows.checkpoint import Checkpoint
from inflationary_flows.errors import DataError, TrainingError
from inflationary_flows.experiments.baselines.quality import standardise_varying
from inflationary_flows.metrics.two_sample import energy_distance

logger = logging.getLogger(__name__)

SEARCH_COLUMNS = ("candidate", "settings", "steps", "metric", "value", "chosen")
CRITERION = "energy_distance"


def search(
    method: Method,
    task: TrainingTask,
    candidates: Sequence[Mapping[str, Any]],
    *,
    defaults: Mapping[str, Any],
    steps: int,
    seed: int,
    samples: int,
    checkpoint: Checkpoint,
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """Trains every candidate and measures its samples.

    Arguments:
        method: What is trained.
        task: Data and budget.
        candidates: Settings by candidate, which replace defaults.
        defaults: Settings that all have.
        steps: Optimiser steps of each.
        seed: Seed of training and of samples.
        samples: Points compared, cut to the validation split.
        checkpoint: Where the state of each candidate is kept meanwhile.
        device: Where networks run.

    Returns:
        Rows of candidate, settings (JSON), steps, metric, value (none if it diverged), chosen.

    Raises:
        TrainingError: if all diverge.
        Interrupted: if it was asked to stop; what was done is kept.
    """
    values = []
    for number, candidate in enumerate(candidates):
        settings = method.Settings(**{**defaults, **candidate})
        part = checkpoint.part(f"candidate{number}")
        try:
            model, _ = method.fit(task, settings, steps=steps, seed=seed, checkpoint=part, device=device)
            held_out = np.asarray(task.validation[:samples], dtype=np.float64)
            generated = model.sample(len(held_out), seed)
            value = energy_distance(*(standardise_varying(x, task.basis) for x in (generated, held_out)))
        except (TrainingError, DataError) as failure:
            logger.warning("candidate %d is out.\n%s", number, failure)
            value = math.nan
        logger.info("candidate %d %s: %s %.6g", number, json.dumps(dict(candidate)), CRITERION, value)
        values.append(value)
    if all(math.isnan(value) for value in values):
        raise TrainingError(
            "candidates", "at least one that can be trained", f"{len(values)} that diverge", "lower the learning rates"
        )
    best = int(np.nanargmin(values))
    return [
        {
            "candidate": number,
            "settings": json.dumps({**defaults, **candidate}, sort_keys=True),
            "steps": steps,
            "metric": CRITERION,
            "value": None if math.isnan(value) else value,
            "chosen": number == best,
        }
        for number, (candidate, value) in enumerate(zip(candidates, values, strict=True))
    ]


def chosen_settings(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The settings of the chosen candidate, from rows of `search`."""
    (chosen,) = [row for row in rows if row["chosen"]]
    return dict(json.loads(chosen["settings"]))
