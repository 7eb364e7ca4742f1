"""What is measured and shown of solvers."""

from __future__ import annotations

from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Measurement, Table

EXPERIMENT = Experiment(
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
            units; one panel for each flow. The reference is a fine solution of fifth order. The dotted line is its own
            error, below which nothing is resolved. Solvers called scaled run in scaled coordinates, as the paper's do.
            All others run in whitened ones.
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
