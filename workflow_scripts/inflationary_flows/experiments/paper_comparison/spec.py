"""What is measured and shown of published values and ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study


def of_images(study: Study) -> dict[str, str]:
    """Tables of images, if the configuration has flows of images."""
    names = {"frechet": "frechet", "roundtrip": "image_roundtrip"}
    return {key: f"results/tables/{table}.csv" for key, table in names.items()} if study.images.flows else {}


EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.1,
        environment="metrics",
        needs=("published",),
        reads=lambda study, dataset: {
            # Small tables: what is merged is drawn as well, and an edit of a plot makes no number again.
            "participation": ["results/metrics/participation_ratio.csv"],
            "frechet": study.images.frechet_tables,
            "roundtrip": study.images.roundtrip_tables,
            "baselines": study.comparison.parts.get("baselines", []),
        },
        params=lambda study, dataset: study.comparison.names,
    ),
    reads=lambda study, dataset: of_images(study),
    drawing=lambda study, dataset: {
        "schedules": {name: study.schedule(name) for name in sorted({schedule for _, schedule in study.pairs})},
        "dimensions": {name: study.dimension_of(name) for name in study.images.sets},
    },
    stage="reporting",
    shown=(
        Figure(
            "paper_comparison",
            "A8",
            "Published values and ours, by kept dimensions and by gap",
            "Comparison with the paper",
            """
            Frechet distance of generated images (above) and error of a round trip (below) against kept dimensions and
            inflation gap: published values (circles) and ours (squares), with bars of two standard deviations over
            sample seeds. On logarithmic axes, bars that come near zero have no lower half. Paper: tables 1 to 3, whose distance is FID and whose round-trip error wraps modulo 256. Here:
            the same quantities where the configuration has such flows; "not run" marks where it has none. For sets
            without published values our values stand alone, with the true error and the distance of their own
            extractor, between a Gaussian with the covariance of the data and held-out images, all of as many images as
            are held out.
            """,
        ),
        Table(
            "paper_comparison",
            "1–4",
            "The paper's tables and ours",
            "Comparison with the paper",
            """
            Published values of tables 1 to 4 and of the participation ratios, and ours: mean over sample seeds, twice
            their standard deviation, and the difference in units of the published two sigma. Paper: transcribed into
            ``configs/paper_tables.csv``. Here: values that were not run are marked. FID is compared only if it comes
            from the published network of features and from 50,000 images (table 4: from as many as there). The
            round-trip error is the published one, which wraps modulo 256. Other methods of table 4 have a table of
            their own as well.
            """,
            columns={
                "table": "number of the paper's table, or `site` for the participation ratios of its page",
                "dataset": "data set, as published",
                "method": "method, as published; other methods are compared with the models of `baselines.csv`",
                "dims": "kept dimensions; 3072 preserves all",
                "inflation_gap": "gap, or `none`",
                "metric": "as published; `fid_best_10k` is compared with the models of `baselines.csv`",
                "published": "published mean",
                "published_two_sigma": "two published standard deviations",
                "ours": "mean over our sample seeds",
                "ours_two_sigma": "twice their standard deviation",
                "sample_seeds": "number of our sample seeds",
                "difference": "ours minus the published mean",
                "in_two_sigmas": "difference in units of the published two sigma",
                "status": "`compared` or `not run`",
                "evaluations": "network evaluations of ours; `not stated` in table 4",
                "flow": "data set and schedule of ours",
            },
            notes="""
            Rows are in the order of `configs/paper_tables.csv`, one for each published number. No cell is empty: `not
            run`, `none`, `one sample seed` and `no sigma published` say why there is no number. `roundtrip_mse_uint8` is
            compared with `mse_uint8_wrapped`. If several flows fit, a data set of the published name goes before
            others, then the first by name is taken, whatever its value.
            """,
        ),
    ),
)
