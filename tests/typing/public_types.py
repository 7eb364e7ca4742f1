"""What a type checker sees of the public API; mypy reads this file, nothing runs it."""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np
import pandas as pd
from torch import Tensor

from inflationary_flows import Flow, InjectiveFlow, ScheduleSettings
from inflationary_flows.artifacts.flows import Decoded
from inflationary_flows.errors import InflationaryFlowsError
from inflationary_flows.mathematics.prior import LatentPrior
from inflationary_flows.mathematics.schedules import Schedule
from inflationary_flows.mathematics.uncertainty import PropagatedPoint
from inflationary_flows.metrics.summary import Summary


def flows_come_from_tables_and_files(table: pd.DataFrame) -> None:
    settings = ScheduleSettings(kernel="floor", kept_dims=2)
    assert_type(Flow.fit(table, kept_dims=2, seed=0), Flow)
    assert_type(Flow.fit(table.to_numpy(), schedule=settings), Flow)
    assert_type(Flow.load("flow.safetensors"), Flow)
    assert_type(InjectiveFlow.load("model.safetensors"), InjectiveFlow)
    Flow.fit(table, kept_dims="2")  # type: ignore[arg-type]
    Flow.fit(table, keep=2)  # type: ignore[call-arg]
    ScheduleSettings(kernel="flor")  # type: ignore[arg-type]


def points_come_back_in_their_kind(flow: Flow, array: np.ndarray, tensor: Tensor, table: pd.DataFrame) -> None:
    assert_type(flow.inflate(array), np.ndarray)
    assert_type(flow.inflate(tensor), Tensor)
    assert_type(flow.inflate(table), pd.DataFrame)
    assert_type(flow.generate(array), np.ndarray)
    assert_type(flow.round_trip(table), pd.DataFrame)
    assert_type(flow.noised_latents(tensor, seed=0), Tensor)
    assert_type(flow.log_prob(array), np.ndarray)
    assert_type(flow.log_prob(tensor, return_error=True), tuple[Tensor, Tensor])
    assert_type(flow.log_prob(table), pd.Series)
    assert_type(flow.log_prob(table, return_error=True), tuple[pd.Series, pd.Series])
    assert_type(flow.decode_kept(table), Decoded[pd.DataFrame])
    flow.inflate("text")  # type: ignore[type-var]


def results_have_their_classes(flow: Flow, array: np.ndarray) -> None:
    assert_type(flow.summary(), Summary)
    assert_type(flow.summary().verdict, str)
    assert_type(flow.propagate(array, 0.1, n=100, seed=0), PropagatedPoint)
    assert_type(flow.decode_kept(array).mean, np.ndarray)
    assert_type(flow.sample_latents(10, seed=0), Tensor)
    assert_type(flow.prior(), LatentPrior)
    assert_type(flow.schedule, Schedule)
    assert_type(flow.history, list[dict[str, Any]])
    flow.save("flow.safetensors")


def errors_say_where(problem: InflationaryFlowsError) -> None:
    assert_type(problem.hint, str)
