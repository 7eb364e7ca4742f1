"""What is measured and shown of the spectra of data sets."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table

EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.1,
        environment="metrics",
        needs=("eigenbases",),
        params=lambda study, dataset: {"images": study.image_sets},
    ),
    stage="data",
    shown=(
        Figure(
            "spectra",
            "A1",
            "Spectra and participation ratios of images",
            "Images",
            """
            Variances of the training images along the eigenbasis, from the largest to the smallest (left), and the
            cumulative share of the total variance (right). The legend gives dimension D and participation ratio PR of
            each set. The faster the spectrum falls, the fewer directions carry the data. Paper: spectra and
            participation ratios of published sets of images. Here: the sets of the configuration, by the split that
            flows are trained on.
            """,
            exists=lambda study: bool(study.image_sets),
        ),
        Table(
            "participation_ratio",
            "A1",
            "Dimensions and participation ratios",
            "Images",
            """
            Dimension, participation ratio, and largest and smallest variance of each data set, along the eigenbasis of
            its training split. Paper: participation ratios of published sets of images, on its site. Here: the sets of
            the configuration.
            """,
            columns={
                "dataset": "data set",
                "dimension": "number of coordinates",
                "participation_ratio": "effective dimension: square of the sum of variances over the sum of squares",
                "largest_variance": "largest variance along the eigenbasis of the training split",
                "smallest_variance": "smallest variance along it",
            },
        ),
        Table(
            "spectra",
            "A2",
            "Variances of images along the eigenbasis",
            "Images",
            """
            Variances of the training images along the eigenbasis, in descending order, and the cumulative share of the
            total. All directions are listed, also those without any variance.
            """,
            columns={
                "dataset": "data set",
                "index": "number of the direction, from 1",
                "eigenvalue": "variance along it",
                "cumulative_share": "share of the total variance up to it",
            },
            exists=lambda study: bool(study.image_sets),
        ),
    ),
)
