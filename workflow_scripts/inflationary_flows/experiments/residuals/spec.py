"""What is measured and shown of denoising residuals."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Measurement, Table
from inflationary_flows.fields import Count, DatasetNames, Section, Seed


class Residuals(Section):
    """Correlation of the denoiser's residuals between times."""

    datasets: DatasetNames = Field(default_factory=list, description="Data sets to do it with.")
    samples: Annotated[Count, Field(ge=10)] = Field(4_000, description="Held-out points.")
    times: Annotated[Count, Field(ge=2)] = Field(40, description="Times.")
    seed: Seed = Field(0, description="Seed of the noise.")


EXPERIMENT = Experiment(
    settings=Residuals,
    measurement=Measurement(
        minutes=0.1,
        environment="inference",
        flows=lambda study: [flow for flow in study.flows if flow[0] in study.experiments["residuals"]["datasets"]],
        needs=("splits", "mixture"),
    ),
    stage="calibration",
    shown=(
        Figure(
            "residual_correlation",
            "A6",
            "Auto-correlation of denoising residuals",
            "Calibration",
            """
            Correlation of the denoiser's error at one time with its error at another, for the start (strong) and half
            way (pale), against time. Noise is independent at each time, so two times share only the point. Paper: the
            correlation with the start decays fast, hence errors behave like noise and do not accumulate along the flow.
            Here: the exact denoiser is shown too where the density is known, because its correlation is a property of
            the data and no error of the network. Whether errors accumulate is asked of ``error_growth.csv`` instead.
            """,
        ),
        Table(
            "residual_correlation",
            "A5",
            "Correlation of denoising residuals between times",
            "Calibration",
            """
            Correlation of denoising residuals between pairs of times, of the learned denoiser and, where the density is
            known, of the exact one. Times are given as a share of the range and as t.
            """,
            columns={
                **FLOW_COLUMNS,
                "denoiser": "`learned` or `exact`",
                "time_a": "first time, as a share of the range",
                "time_b": "second time, as a share of the range",
                "t_a": "first time",
                "t_b": "second time",
                "correlation": "of the residuals D(x + noise, t) - x at both times",
                "n": "points",
            },
        ),
        Table(
            "error_growth",
            "A6",
            "Errors of end points, and of the velocity on the way",
            "Calibration",
            """
            Distance between the end points of the learned and the exact flow, beside what the network's errors along the
            exact path sum up to: of their lengths, and as vectors, among which errors of changing sign cancel. An end
            point that is further off than the sum of lengths tells that the flow stretches errors; one that is nearer,
            that they cancel. Root mean squares over points, in units of the whitened coordinates. Data sets of known
            density only.
            """,
            columns={
                **FLOW_COLUMNS,
                "direction": "`inflate` or `generate`",
                "endpoint_error": "distance of the end points",
                "path_error": "integral of the length of the velocity's error along the exact path",
                "net_error": "length of the integral of the velocity's error",
                "n": "points",
            },
        ),
    ),
)
