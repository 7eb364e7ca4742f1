"""What is measured and shown of flows and injective flows on images, by the paper's table 4."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Measurement, Table

EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.1,
        environment="metrics",
        needs=("published",),
        reads=lambda study, dataset: {
            "baselines": study.comparison.parts["baselines"],
            "participation": ["results/metrics/participation_ratio.csv"],
        },
        params=lambda study, dataset: study.comparison.names,
    ),
    when=lambda study: bool(study.comparison.models),
    stage="baselines",
    shown=(
        Table(
            "table4",
            "4",
            "Flows and injective flows on images",
            "Comparison with the paper",
            """
            Frechet distances of our flow and of injective flows, published values and ours. Paper: table 4, FID on
            CIFAR-10 at 30, 40 and 62 kept dimensions, the best of several sets of images. Here: ``ours`` is the mean
            over training seeds, each by its best set, with twice their standard deviation, and ``ours_best`` the
            smallest. Values are compared only if images, features, kept dimensions and the number of images agree; what
            was not run is marked. Further rows are other data sets, extractors or numbers of images without published
            values.
            """,
            columns={
                "dataset": "data set",
                "dims": "kept dimensions",
                "method": "method",
                "schedule": "schedule of ours",
                "metric": "`fid_best_10k`: the best FID of three sets of 10,000 images; further rows as in `baselines.csv`",
                "published": "published value",
                "ours": "mean over training seeds, of the best sample seed of each",
                "ours_two_sigma": "twice their standard deviation",
                "ours_best": "the smallest of these",
                "n": "images of a sample seed",
                "status": "`compared`, `not run`, or `not published`",
            },
            notes="""
            A row for each number of the paper's table 4, then one for each of ours without a published value. No cell
            is empty: `not run`, `not published` and `one seed` say why there is no number.
            """,
        ),
    ),
)
