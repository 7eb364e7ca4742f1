"""What is made of the holes of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from inflationary_flows.experiments.registry import Experiment, Measurement, Table
from inflationary_flows.fields import Count, Section, Seed

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


class Imputed(Section):
    """Imputed holes of your own tables; made for every table with `missing: impute`."""

    draws: Annotated[Count, Field(ge=20)] = Field(200, description="Draws of a row that are kept beside it.")
    chain_draws: Annotated[Count, Field(ge=4)] | None = Field(
        None, description="Draws of each chain; by default those of `Flow.infer`."
    )
    chain_warmup: Count | None = Field(
        None, description="Iterations in which each chain adapts; by default those of `Flow.infer`."
    )
    seed: Seed = Field(0, description="Seed of the draws.")


def imputing(study: Study) -> list[FlowName]:
    """Of each table with holes one flow of the first seed: one that keeps all dimensions, if there is one."""
    chosen: dict[str, FlowName] = {}
    for flow in sorted(study.first_seed(study.flows), key=lambda flow: (study.is_reducing(flow[1]), flow)):
        if "missing" in study.settings_of(flow[0]):
            chosen.setdefault(flow[0], flow)
    return sorted(chosen.values())


EXPERIMENT = Experiment(
    settings=Imputed,
    measurement=Measurement(
        minutes=2,
        environment="inference",
        flows=imputing,
        each_flow=False,
        needs=("splits", "log"),
        params=lambda study, dataset: {"chain_draws": None, "chain_warmup": None, **study.experiments["imputed"]},
        rows=("imputed",),
        columns=("imputed",),
    ),
    stage="metrics",
    of_tables=True,
    shown=(
        Table(
            "imputed_cells",
            "B33",
            "Imputed cells of the table",
            "Your data",
            """
            What draws of a flow say of each hole of a table, given the rest of its row, and whether to believe it. The flow
            was trained on rows without holes. Rows whose chains have not converged need longer ones; a row of small
            surprise is unlike those rows, so that little is known of its holes.
            """,
            columns={
                "dataset": "data set",
                "schedule": "schedule of the flow",
                "seed": "its training seed",
                "row": "row of the table, from 1",
                "column": "column",
                "imputed": "what stands in results/imputed/{dataset}.csv: the median of the draws",
                "lower": "5 % point of the draws",
                "upper": "95 % point of the draws",
                "rhat": "R-hat of the chains of this cell",
                "ess": "bulk effective sample size of the cell",
                "converged": "whether the chains of the row have converged",
                "surprise": "how often a row of the flow is as unlike the training data in what is seen as this one",
            },
            notes="Rows without holes have no line. Draws of whole rows are in `results/imputed/{dataset}.parquet`, a line for "
            "each row and draw.",
        ),
    ),
)
