"""What is measured and shown of points that shells keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Measurement, Table
from inflationary_flows.fields import Count, DatasetNames, PositiveNumber, Section, Seed, Seeds

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


class ShellRetention(Section):
    """Points inside of shells of latents, before and after the flow."""

    datasets: DatasetNames = Field(default_factory=list, description="Data sets of two or three dimensions.")
    seeds: Seeds = Field(default_factory=lambda: [0, 1, 2], description="Training seeds.")
    latents: Annotated[Count, Field(ge=10)] = Field(20_000, description="Test points.")
    radii: Annotated[list[PositiveNumber], Field(min_length=1)] = Field(
        default_factory=lambda: [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5], description="Mahalanobis radii of the shells."
    )
    vertices: Annotated[Count, Field(ge=12)] = Field(200, description="Vertices of a shell (at least, in 3-D).")
    steps: Count | None = Field(None, description="Solver steps; by default the flow's own.")
    seed: Seed = Field(0, description="Seed of the test points.")

    def check(self, where: str, study: Study) -> None:
        """Shells can be drawn."""
        for index, name in enumerate(self.datasets):
            if study.dimension_of(name) not in (2, 3):
                raise ConfigError(
                    f"{where}.datasets[{index}]",
                    "a data set of 2 or 3 dimensions, where shells can be drawn",
                    f"{name} with {study.dimension_of(name)}",
                    "remove it from the list.",
                )


def retained(study: Study) -> list[FlowName]:
    """Flows through which shells are carried, of several seeds."""
    settings = study.experiments["shell_retention"]
    return [
        (dataset, schedule, str(seed))
        for dataset, schedule in study.pairs
        if dataset in settings["datasets"]
        for seed in sorted(settings["seeds"])
    ]


def drawn(study: Study) -> list[FlowName]:
    """Those of the first seed."""
    first = str(min(study.experiments["shell_retention"]["seeds"]))
    return [flow for flow in retained(study) if flow[2] == first]


EXPERIMENT = Experiment(
    settings=ShellRetention,
    measurement=Measurement(
        minutes=0.4,
        environment="inference",
        flows=retained,
        params=lambda study, dataset: {
            "steps": None,
            **{k: v for k, v in study.experiments["shell_retention"].items() if k not in ("datasets", "seeds")},
        },
        arrays=("shells",),
    ),
    reads=lambda study, dataset: {
        "shells": [f"results/metrics/{name}/shells.npz" for name in dict.fromkeys(f[0] for f in retained(study))]
    },
    drawing=lambda study, dataset: {"flows": drawn(study)},
    stage="calibration",
    shown=(
        Figure(
            "shell_retention_schematic",
            "A4",
            "Shells of latents on their way through the flow",
            "Calibration",
            """
            Shells of equal Mahalanobis radius among latents, their images after generation, and after inflation back;
            one row for each flow, and for surfaces every second shell. A continuous invertible map keeps every point on
            its side of every shell. Paper: alpha shapes in the plane and meshes in space, fitted to the points of the
            moved shell, decide whether a point is inside. Here: a shell is a polygon or a triangulated sphere whose
            vertices move with the flow, and a winding number decides. Nothing is fitted, and folds are resolved.
            """,
        ),
        Figure(
            "shell_retention",
            "A5",
            "Points that shells keep",
            "Calibration",
            """
            Percentage of latents inside shells of growing radius before generation, after it, and after the way back
            (above), and the changes (below); means and two standard deviations over training seeds. Crosses are the
            changes after generation of flows whose weights were shuffled, which have learned nothing. An exact solution
            changes no count, whatever the network: this tests the solver and the number of vertices, not the flow. Paper: the same for circles and the S curve, by alpha shapes that degenerate to convex
            hulls, so counts in folded shells are too high. Here: winding numbers around the moved shells themselves.
            """,
        ),
        Table(
            "shell_retention",
            "A4",
            "Points that shells keep",
            "Calibration",
            """
            Percentage of latents inside shells of each Mahalanobis radius, before generation, after it, and after the
            way back, by winding numbers around shells whose vertices move with the flow. An exact solution changes no
            count, whatever the network: this tests the solver, and flows of shuffled weights pass as well.
            """,
            columns={
                **FLOW_COLUMNS,
                "weights": "`learned`, or the control, `shuffled` within each tensor of the network",
                "radius": "Mahalanobis radius of the shell among latents",
                "stage": "`before` generation, `generated`, or `returned` to latents",
                "percent_inside": "percentage of points inside the shell",
            },
            notes="""
            Shells are polygons or triangulated spheres whose vertices move with the flow. Winding numbers decide what
            is inside, and resolve folds.
            """,
        ),
    ),
)
