"""What is measured and shown of the coverage of posteriors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


def judged(study: Study) -> list[FlowName]:
    """Flows whose posteriors are judged, and flows of a variant that the test has to reject."""
    tarp = study.experiments["tarp"]
    flows = [flow for flow in study.flows if flow[0] in tarp["datasets"]]
    variant = tarp.get("miscalibrated")
    return flows + ([(d, s, f"{seed}-{variant}") for d, s, seed in flows] if variant else [])


EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.8,
        environment="inference",
        flows=judged,
        each_flow=False,
        needs=("splits", "dataset", "log"),
        params=lambda study, dataset: {
            name: value
            for name, value in study.experiments["tarp"].items()
            if name not in ("datasets", "miscalibrated")
        },
        tables=("tarp", "posterior_ranks"),
        samples=True,
    ),
    stage="calibration",
    shown=(
        Figure(
            "tarp",
            "B6",
            "Coverage of posteriors of clean points",
            "Calibration",
            """
            Coverage minus nominal level of posteriors of clean points given noisy ones, under the learned prior and the
            exact density. If one is configured, a network that was stopped early is shown too, which the test must
            reject. Calibrated posteriors stay near zero, within the shaded two standard errors. Numbers in the panels
            are p-values of the test that all levels are nominal, with random references and with the centre of the data
            as reference. The more noise, the more a posterior depends on its prior.
            """,
        ),
        Table(
            "tarp",
            "B9",
            "Coverage of posteriors of clean points",
            "Calibration",
            """
            Expected coverage of posteriors of clean points against the nominal level, with its standard error, for each
            noise and prior: learned, exact, and of a network that was stopped early. ``p_value`` tests all levels at
            once.
            """,
            columns={
                "dataset": "data set",
                "schedule": "schedule",
                "flow": "the prior: `learned`, `exact` or `miscalibrated`",
                "noise_std": "standard deviation of the noise, in those of the data",
                "level": "nominal level",
                "coverage": "expected coverage around random reference points",
                "se": "its standard error",
                "p_value": "tests all levels at once, around random points and around the centre of the data",
                "replicates": "true points",
            },
            notes="""
            True points of the data are observed with noise. Importance sampling gives the posterior of the clean point
            under a prior. `exact` is a prior of fresh points of the known density. `miscalibrated` is a network that
            was stopped early, which the test must reject.
            """,
        ),
    ),
)
