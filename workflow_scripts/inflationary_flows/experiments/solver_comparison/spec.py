"""What is measured and shown of solvers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Measurement, Table
from inflationary_flows.fields import Count, PositiveNumber, Section, Seed, SolverName
from inflationary_flows.requirements import require_fixed_steps

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study


_COMPARED_STEPS: dict[SolverName, list[int]] = {
    "euler": [35, 70, 140],
    "heun": [17, 35, 70],
    "rk4": [8, 17, 35],
    "rk5": [6, 11, 23],
    "adams_bashforth4": [30, 65, 135],
    "adams_bashforth6": [30, 65, 95, 135],
    "euler_scaled": [140, 700],
}


class SolverComparison(Section):
    """Error against network evaluations, for all solvers."""

    samples: Count = Field(1_000, description="Points (or as many as the test split has).")
    numbers: Count = Field(64_000, description="Coordinates of all points: of many coordinates fewer points are taken.")
    seed: Seed = Field(0, description="Seed of the latents.")
    reference_steps: Count = Field(400, description="Steps of the fine reference.")
    steps: dict[SolverName, Annotated[list[Count], Field(min_length=1)]] = Field(
        default_factory=lambda: dict(_COMPARED_STEPS),
        description="Numbers of steps tried, by solver.",
    )
    tolerances: list[PositiveNumber] = Field(
        default_factory=lambda: [1e-3, 1e-5], description="Tolerances tried with dopri5."
    )

    def check(self, where: str, study: Study) -> None:
        """dopri5 chooses its own steps."""
        require_fixed_steps(self.steps, f"{where}.steps", f"list its tolerances under {where}.tolerances.")


EXPERIMENT = Experiment(
    settings=SolverComparison,
    measurement=Measurement(
        minutes=0.6, environment="metrics", flows=lambda study: study.point_flows, needs=("splits",)
    ),
    stage="metrics",
    shown=(
        Figure(
            "solver_comparison",
            "B13",
            "Error of solvers against network evaluations",
            "Training and solvers",
            """
            Error of generated points relative to the error of the paper's setting, against network evaluations. Each
            line is the median of one solver over all flows, and its band holds the middle half of the flows. Solvers
            called scaled run in scaled coordinates, as the paper's do. All others run in whitened ones.
            """,
        ),
        Figure(
            "solver_comparison_flows",
            "B21",
            "Error of solvers, flow by flow",
            "Training and solvers",
            """
            Error of generated points against network evaluations, by all solvers on the same trained network, in data
            units; one panel for each flow. The reference is a fine solution. The dotted line is its own error, below
            which nothing is resolved. Solvers called scaled run in scaled coordinates, as the paper's do. All others
            run in whitened ones.
            """,
        ),
        Table(
            "solver_comparison",
            "B17",
            "Error of solvers against network evaluations",
            "Training and solvers",
            """
            Errors of generated points and of round trips in data units, by all solvers on the same trained network,
            against network evaluations. Rows named ``reference`` are those of the fine solution that generation is
            compared with.
            """,
            columns={
                **FLOW_COLUMNS,
                "solver": "solver, or `reference`",
                "steps": "solver steps of one direction",
                "evaluations": "network evaluations of one direction",
                "generation_rmse": "root mean squared difference to points of the reference, data units",
                "roundtrip_rmse": "root mean squared error of a round trip, data units",
            },
        ),
    ),
)
