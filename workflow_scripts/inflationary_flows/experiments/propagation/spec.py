"""What is measured and shown of the uncertainty of examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Measurement, Table

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


def propagated(study: Study) -> list[FlowName]:
    """Flows of data sets with examples."""
    return [flow for flow in study.flows if flow[0] in study.experiments["propagation"]["examples"]]


def own_examples(study: Study, dataset: str) -> dict[str, str]:
    """The file with a user's own examples, if there is one."""
    file = study.experiments["propagation"]["examples"][dataset].get("file")
    return {"own": file} if file else {}


def ball(study: Study, dataset: str) -> dict[str, Any]:
    """Examples of a data set, and the ball around each."""
    settings = study.experiments["propagation"]
    names = ("noise_std", "samples", "levels", "frames", "seed")
    return {"indices": settings["examples"][dataset]["indices"], **{name: settings[name] for name in names}}


EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.3,
        environment="inference",
        flows=propagated,
        needs=("splits",),
        reads=own_examples,
        params=ball,
        posteriors=("propagation",),
    ),
    datasets=lambda study: list(dict.fromkeys(flow[0] for flow in propagated(study))),
    reads=lambda study, dataset: {"posteriors": [f"results/inference/{dataset}/propagation.nc"]},
    drawing=lambda study, dataset: {
        "flows": [flow for flow in study.first_seed(propagated(study)) if flow[0] == dataset]
    },
    environment="inference",
    stage="inference",
    shown=(
        Figure(
            "propagation_{dataset}",
            "B2",
            "Uncertainty of an example, carried to its latents",
            "Inference",
            """
            Examples of ``{{ snakemake.wildcards.dataset }}`` with a Gaussian uncertainty, one row for each schedule and
            example: samples around the example in data space (colour) among the data (grey), their images along the
            flow, and the posterior of the first two latents with contours and intervals of the stated credible levels.
            The map is deterministic, so integrating the samples gives the posterior. No form of the posterior is
            assumed or fitted.
            """,
        ),
        Table(
            "propagation",
            "B3",
            "Credible intervals of latents of an example",
            "Inference",
            """
            Means, standard deviations and equal-tailed credible intervals of the latents of each example, given a
            Gaussian uncertainty of the example in data space. ``kept`` tells kept coordinates from compressed ones.
            """,
            columns={
                **FLOW_COLUMNS,
                "example": "number of the configured example, from 0",
                "coordinate": "number of the latent coordinate",
                "kept": "whether the schedule keeps this coordinate",
                "mean": "posterior mean",
                "sd": "posterior standard deviation",
                "level": "credible level of the interval",
                "lower": "lower end of the equal-tailed interval",
                "upper": "upper end",
            },
            notes="""
            The samples are netCDF files, `results/inference/{dataset}/{schedule}/seed{seed}/propagation.nc`, which
            `arviz.from_netcdf` reads.
            """,
        ),
    ),
)
