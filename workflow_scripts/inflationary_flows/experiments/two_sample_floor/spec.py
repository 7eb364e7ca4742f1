"""What is measured and shown of distances between fresh points."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Measurement, Table, settings_of

EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.2,
        environment="metrics",
        datasets=lambda study: study.point_sets,
        needs=("splits", "eigenbasis"),
        params=settings_of("flow_quality", "samples", "seed", "projections", "energy_splits", "wasserstein_splits"),
    ),
    stage="metrics",
    shown=(
        Table(
            "two_sample_floor",
            "B15",
            "Fresh points against fresh points",
            "Training and solvers",
            """
            Distances between two sets of fresh points, over many splits: mean, standard deviation and 95 % point.
            Generated points at no larger distance cannot be told from those of a perfect flow.
            """,
            columns={
                "dataset": "data set",
                "metric": "distance, as in `flow_quality.csv`",
                "mean": "mean over splits",
                "sd": "standard deviation over splits",
                "q95": "95 % quantile over splits",
                "n": "points on each side",
            },
        ),
    ),
)
