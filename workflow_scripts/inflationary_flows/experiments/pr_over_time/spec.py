"""What is measured and shown of the participation ratio over time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table
from inflationary_flows.experiments.snapshots.spec import traced
from inflationary_flows.fields import Count, Section


class PrOverTime(Section):
    """Participation ratio over time."""

    points: Annotated[Count, Field(ge=2)] = Field(200, description="Times.")


EXPERIMENT = Experiment(
    settings=PrOverTime,
    measurement=Measurement(
        minutes=0.1,
        environment="metrics",
        needs=("eigenbases",),
        params=lambda study, dataset: {
            "pairs": study.pairs,
            "schedules": {name: study.schedule(name) for name in sorted({schedule for _, schedule in study.pairs})},
            "points": study.experiments["pr_over_time"]["points"],
        },
    ),
    parts=lambda study: {
        "pr_over_time": ["results/metrics/pr_over_time.csv"]
        + [
            f"results/metrics/{dataset}/pr_of_points.csv"
            for dataset in dict.fromkeys(flow[0] for flow in traced(study))
        ]
    },
    stage="metrics",
    shown=(
        Figure(
            "pr_over_time",
            "B1",
            "Participation ratio over time",
            "The method",
            """
            Participation ratio of the scaled marginals over time, under both families of kernels. The kernel
            ``proportional`` is that of the paper's equations. It preserves the ratio exactly under PRP schedules, and
            ends at that of the kept directions under PRR schedules. The kernel ``floor`` is that of the authors' code
            and of the published numbers. It gives all directions the same first noise, and preserves the ratio only if
            the data are white. Dots are held-out points that the trained flow carries, under its own kernel: their ratio is that
            of the curve where the network has learned the score. The panels show the flows whose curves differ most; the
            others are in the table.
            """,
        ),
        Table(
            "pr_over_time",
            "B2",
            "Participation ratio over time",
            "The method",
            """
            Participation ratio of the scaled marginals at evenly spaced times, for both families of kernels and for
            every data set and schedule, and that of points which trained flows carry. ``t_fraction`` runs from the first to the last time of each.
            """,
            columns={
                "dataset": "data set",
                "schedule": "schedule",
                "seed": "training seed of the flow that carries points; none of an equation",
                "kernel": "`proportional` preserves the ratio exactly under PRP, `floor` only if the data are white",
                "of": "`equation` of the kernel, or held-out `points` that the trained flow carries",
                "t": "time",
                "t_fraction": "time, from 0 at the first to 1 at the last",
                "participation_ratio": "participation ratio of the scaled marginal",
            },
        ),
    ),
)
