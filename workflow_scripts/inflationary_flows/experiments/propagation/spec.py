"""What is measured and shown of the uncertainty of examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Discriminator, Field, Tag

from inflationary_flows.data.tables import TABLE_KINDS
from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Measurement, Table
from inflationary_flows.fields import Count, DatasetName, Levels, PositiveNumber, Section, Seed, Text, Unique, Whole
from inflationary_flows.requirements import key_of, require_file

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


def _written(value: Any) -> str:
    return "columns" if isinstance(value, dict) else "number"


# One standard deviation, or one of each column by name.
NoiseStd = Annotated[
    Annotated[PositiveNumber, Tag("number")]
    | Annotated[dict[Text, PositiveNumber], Field(min_length=1), Tag("columns")],
    Discriminator(_written),
]


class Examples(Section):
    """Points of one data set whose uncertainty is propagated."""

    indices: Annotated[list[Whole], Unique("index")] = Field(
        default_factory=list, description="Rows of the test split, from 0."
    )
    file: Text | None = Field(
        None, description="A table with points of your own, a row each, in data units; the suffix names its kind."
    )
    noise_std: NoiseStd | None = Field(
        None, description="Standard deviation of the ball around these; of a table also one of each column, by name."
    )

    def check(self, where: str, study: Study) -> None:
        """There are examples, and rows are those of the test split; names of columns are those of a table."""
        kind = study.config.datasets[key_of(where)].kind
        if isinstance(self.noise_std, dict) and kind not in TABLE_KINDS:
            got, hint = f"columns of a data set of kind {kind}", "write one number: these have no names."
            raise ConfigError(f"{where}.noise_std", "a number above 0", got, hint)
        if not self.indices and self.file is None:
            raise ConfigError(where, "indices or a file", "neither", "indices: [0] is the first row of the test split.")
        if self.file is not None:
            require_file(self.file, f"{where}.file")
        # How many rows a table has is only known once it is read.
        sizes = study.settings_of(key_of(where)).get("sizes")
        for place, index in enumerate(self.indices):
            if sizes and index >= sizes["test"]:
                raise ConfigError(
                    f"{where}.indices[{place}]",
                    f"an integer from 0 to {sizes['test'] - 1}, a row of the test split",
                    str(index),
                    "lower it, or draw more test points.",
                )


class Propagation(Section):
    """A Gaussian ball around an example, carried to the latents."""

    examples: dict[DatasetName, Examples] = Field(default_factory=dict, description="Examples by data set.")
    noise_std: PositiveNumber = Field(0.1, description="Standard deviation of balls without their own, data units.")
    samples: Annotated[Count, Field(ge=10)] = Field(4_000, description="Points of a ball.")
    frames: Annotated[Count, Field(ge=2)] = Field(4, description="Times shown.")
    levels: Levels = Field(default_factory=lambda: [0.5, 0.9], description="Levels of the intervals.")
    seed: Seed = Field(0, description="Seed of the balls.")


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
    names, chosen = ("noise_std", "samples", "levels", "frames", "seed"), settings["examples"][dataset]
    own = {"noise_std": chosen["noise_std"]} if chosen.get("noise_std") else {}
    return {"indices": chosen["indices"], **{name: settings[name] for name in names}, **own}


EXPERIMENT = Experiment(
    settings=Propagation,
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
            flow, and the distribution of the first two latents with contours and intervals of the stated levels. The
            map is deterministic, so that carrying the samples gives this distribution, of whatever form. It is the
            given uncertainty in other coordinates, and no posterior: how common points are in the data is not used.
            """,
        ),
        Table(
            "propagation",
            "B3",
            "Intervals of latents of an uncertain example",
            "Inference",
            """
            Means, standard deviations and equal-tailed intervals of the latents of each example, given a
            Gaussian uncertainty of the example in data space. ``kept`` tells kept coordinates from compressed ones.
            """,
            columns={
                **FLOW_COLUMNS,
                "example": "number of the configured example, from 0",
                "coordinate": "number of the latent coordinate",
                "kept": "whether the schedule keeps this coordinate",
                "mean": "mean of the latent",
                "sd": "standard deviation of the latent",
                "level": "share of the samples within the interval",
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
