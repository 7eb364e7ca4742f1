"""What is shown of generated against real images."""

from __future__ import annotations

from inflationary_flows.experiments.registry import FLOW_COLUMNS, IMAGE_COLUMNS, Experiment, Table

EXPERIMENT = Experiment(
    parts=lambda study: {"frechet": study.images.frechet_tables},
    stage="images",
    shown=(
        Table(
            "frechet",
            "B11",
            "Frechet distances of generated images",
            "Images",
            """
            Generated against real images, by the features of each extractor: squared Frechet distance, kernel distance,
            precision and recall. The schedules ``gaussian`` and ``held_out`` are baselines and no flows. The first are
            images of a Gaussian with mean and covariance of the data, which a flow must beat. The second are test
            images, which score as a perfect flow would. Values of two extractors, or of two numbers of images, cannot
            be compared: rows ``whole`` are of all images of a set, rows ``equal`` means over disjoint parts that have as
            many images as are held out.
            """,
            columns={
                **FLOW_COLUMNS,
                **IMAGE_COLUMNS,
                "schedule": "schedule, or one of the baselines `gaussian` and `held_out`",
                "extractor": "network whose features are compared",
                "metric": "see below",
                "part": "`whole`: of all images; `equal`: mean over disjoint parts of as many images as are held out",
                "value": "its value",
                "se": "standard error of that mean over parts of one set; empty where there is one",
                "n": "images of the set, or of each part",
                "parts": "parts that are averaged",
                "evaluations": "network evaluations for one image; 0 for the baselines",
            },
            notes="""
            Flows are those of the first training seed, and of `repeats`. `gaussian` are images from a Gaussian with mean and covariance
            of the data; a flow must beat them. `held_out` are test images, which score as a perfect flow would with as
            many: compare them with rows `equal`, whose n is theirs (or `feature_samples`, if that is less).

            | metric | what | value of a perfect flow |
            |---|---|---|
            | `fid` | squared Frechet distance of Inception features; official weights and last layer only | 0, and more with fewer images |
            | `fd_inception_unofficial` | the same with other weights or another layer | likewise |
            | `fd_effnetlite0` | the same of EfficientNet-Lite0's features | likewise |
            | `fd_digits` | the same of the digits classifier's features | likewise |
            | `kid` | squared kernel distance, mean over random subsets; may be negative | 0, for any n |
            | `precision` | share of generated images near a real one | about that of `held_out` |
            | `recall` | share of real images near a generated one | likewise |

            Values of two extractors, resizing filters or `n` cannot be compared. Each small table that this one is
            merged from has its protocol in the same folder, `frechet_{extractor}.json`.
            """,
        ),
    ),
)
