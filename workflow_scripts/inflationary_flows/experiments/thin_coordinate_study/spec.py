"""What is measured and shown of toys with a wide or a thin coordinate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Measurement, Table
from inflationary_flows.fields import Count, DatasetNames, Section, Seed
from inflationary_flows.requirements import listing

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


class ThinCoordinateStudy(Section):
    """What is lost by reducing dimensions, where a coordinate has other scales."""

    datasets: DatasetNames = Field(
        default_factory=list, description="Data sets to do it with, by each of their schedules that reduces dimensions."
    )
    samples: Annotated[Count, Field(ge=10)] = Field(10_000, description="Points (or as many as the test split has).")
    seed: Seed = Field(0, description="Seed of the compressed latents that are drawn again.")

    def check(self, where: str, study: Study) -> None:
        """Every data set has a schedule that reduces dimensions."""
        for index, name in enumerate(self.datasets):
            schedules = study.config.datasets[name].schedules
            if not any(study.is_reducing(schedule) for schedule in schedules):
                raise ConfigError(
                    f"{where}.datasets[{index}]",
                    "a data set with a schedule that has kept_dims",
                    f"{name} under {listing(schedules)}",
                    "add such a schedule to the data set, or remove it from the list.",
                )


def studied(study: Study) -> list[FlowName]:
    """Reducing flows of the listed data sets; a toy stands beside the same toy with a thin coordinate."""
    listed = study.experiments["thin_coordinate_study"]["datasets"]

    def place(flow: FlowName) -> tuple[str, bool, FlowName]:
        kind = study.kind_of(flow[0])
        return kind.removeprefix("alt_"), kind.startswith("alt_"), flow

    return sorted((flow for flow in study.flows if flow[0] in listed and study.is_reducing(flow[1])), key=place)


def studied_in_figures(study: Study) -> list[FlowName]:
    """Those of them that can be drawn."""
    return [flow for flow in study.first_seed(studied(study)) if study.dimension_of(flow[0]) <= 3]


EXPERIMENT = Experiment(
    settings=ThinCoordinateStudy,
    measurement=Measurement(minutes=0.4, environment="metrics", flows=studied, needs=("splits",)),
    reads=lambda study, dataset: {
        "snapshots": [
            f"results/metrics/{name}/snapshots.npz"
            for name in dict.fromkeys(flow[0] for flow in studied_in_figures(study))
        ]
    },
    drawing=lambda study, dataset: {"flows": studied_in_figures(study)},
    stage="metrics",
    shown=(
        Figure(
            "thin_coordinate_study",
            "A3",
            "Toys with a wide or a thin coordinate, and what they lose",
            "Toys",
            """
            Above: toys, and the same toys with a thin Gaussian as second coordinate, on their way to fewer dimensions
            and back. Below: the share of the variance that is lost by PCA with equal dimension, by the kept latents at
            best (the conditional variance), and by decoding kept latents with all others set to zero. The number under
            each name is the loss with all latents. Paper: such toys on their way to fewer dimensions. Here: the same,
            and the size of the loss.
            """,
            exists=lambda study: bool(studied_in_figures(study)),
        ),
        Table(
            "thin_coordinate_study",
            "A3",
            "Variance lost by reducing dimensions",
            "Toys",
            """
            Reconstruction errors from fewer numbers than coordinates, as means over points and coordinates in squared
            data units, with the variance of the data for comparison. Points are reconstructed from principal
            components, from the kept latents of the flow in two ways, and from all latents. ``conditional_variance`` is
            the least error of any reconstruction from the kept latents, if compressed latents do not depend on them.
            """,
            columns={
                **FLOW_COLUMNS,
                "kept_dims": "directions d that the schedule keeps",
                "participation_ratio": "effective dimension of the training data",
                "kept_share": "share of their variance along the kept directions",
                "variance": "of held-out points, as all that follow: mean over coordinates",
                "pca_mse": "error of the projection onto the first d principal components, mean over points and coordinates",
                "reconstruction_mse": "the same of points generated from their d kept latents, the compressed ones set to 0",
                "conditional_variance": "half the mean squared distance of points to those with the same kept latents and compressed ones from the prior",
                "roundtrip_mse": "error with all latents kept: that of the solver",
                "n": "held-out points",
            },
            notes="""
            In the sets `alt_*` the second coordinate is a thin Gaussian of standard deviation 0.5. For Gaussian data
            `pca_mse`, `reconstruction_mse` and `conditional_variance` agree. A flow that bends data mixes directions.
            If the compressed direction is as wide as the kept ones, the kept latents tell less than as many principal
            components. If it is thin, both lose what is in it.
            """,
        ),
    ),
)
