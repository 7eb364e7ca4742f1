"""What is measured and shown of a table of the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from inflationary_flows.data.tables import TABLE_KINDS
from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Measurement, Table
from inflationary_flows.fields import Count, Section, Seed

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study

CATEGORY = "Your data"


class OwnTables(Section):
    """Generated rows of your own tables beside held-out ones; made for every table."""

    rows: Annotated[Count, Field(ge=10)] = Field(1_000, description="Rows that are generated.")
    samples: Annotated[Count, Field(ge=10)] = Field(2_000, description="Rows of the table that figures show at most.")
    likelihood_rows: Annotated[Count, Field(ge=2)] = Field(
        1_000, description="Held-out rows whose likelihood is measured at most; fewer of tables of many columns."
    )
    seed: Seed = Field(0, description="Seed of generated rows and of noise.")


def flows_of_tables(study: Study) -> list[FlowName]:
    """Flows of tables."""
    return [flow for flow in study.flows if study.kind_of(flow[0]) in TABLE_KINDS]


def tables(study: Study) -> list[str]:
    """Data sets that are tables."""
    return list(dict.fromkeys(flow[0] for flow in flows_of_tables(study)))


EXPERIMENT = Experiment(
    settings=OwnTables,
    measurement=Measurement(
        minutes=0.2,
        environment="metrics",
        flows=flows_of_tables,
        each_flow=False,
        needs=("splits",),
        tables=("own_marginals", "own_likelihood"),
        arrays=("own_tables",),
        rows=("generated",),
    ),
    datasets=tables,
    reads=lambda study, dataset: {
        "own_tables": [f"results/metrics/{dataset}/own_tables.npz"],
        "own_marginals": [f"results/metrics/{dataset}/own_marginals.csv"],
    },
    drawing=lambda study, dataset: {
        "flows": [flow for flow in study.first_seed(flows_of_tables(study)) if flow[0] == dataset]
    },
    stage="metrics",
    of_tables=True,
    shown=(
        Figure(
            "own_pairs_{dataset}",
            "B27",
            "Rows of the table and generated rows, in pairs of columns",
            CATEGORY,
            """
            Generated rows (colour) and held-out rows (black) of {{ snakemake.wildcards.dataset }}, a block for each flow.
            On the diagonal are the distributions of single columns, below it pairs of columns. Of a table with many
            columns those are shown whose distributions differ most, by the Kolmogorov-Smirnov distance of the worst flow:
            the others fit better. Few rows far out may lie beyond the panels.
            """,
        ),
        Figure(
            "own_latents_{dataset}",
            "B28",
            "Latents of the table",
            CATEGORY,
            """
            The first two latents of rows of {{ snakemake.wildcards.dataset }}, those of largest variance, in units of
            their standard deviation. Colours are those of the label column or, without one, of the first column.
            Held-out rows have a dark edge, the other rows were trained on. Latents of a good flow are Gaussian: the circle
            holds nineteen of twenty points of one. Labels are never trained on, so that groups of one colour were found by
            the flow.
            """,
        ),
        Figure(
            "own_marginals_{dataset}",
            "B29",
            "Distributions of columns",
            CATEGORY,
            """
            Distribution of each column of {{ snakemake.wildcards.dataset }}: held-out rows (grey) and rows that flows
            generated (lines). Above each panel stand the Kolmogorov-Smirnov distances of the flows, in the order of the
            legend, and behind them what two samples of one distribution exceed once in twenty times. Columns with the
            largest distances come first; of very many only those are shown, and the table has all.
            """,
        ),
        Table(
            "own_likelihood",
            "B27",
            "Likelihood of held-out rows",
            CATEGORY,
            """
            Mean log density of rows that were not trained on, under each flow and under the Gaussian with the full
            covariance of the training rows, nats a row. The last column says which is better: a difference of less than
            two of its standard errors tells nothing.
            """,
            columns={
                **FLOW_COLUMNS,
                "log_likelihood": "mean log density of held-out rows under the flow, nats a row",
                "se": "its standard error",
                "gaussian": "that under the Gaussian with the mean and covariance of the training rows",
                "gaussian_se": "its standard error",
                "difference": "mean of the differences, row by row",
                "difference_se": "its standard error, which is what counts: rows are the same",
                "n": "held-out rows",
                "verdict": "`flow better`, `Gaussian better`, or `not told apart`, within two standard errors",
            },
            notes="Rows carry the first noise of the flow, 0.02 standard deviations of a column, in both densities. Of tables "
            "with positive, bounded or whole columns the Gaussian is that of the transformed columns.",
        ),
        Table(
            "own_marginals",
            "B28",
            "Distances of columns",
            CATEGORY,
            """
            Kolmogorov-Smirnov distance between each column of generated rows and of held-out rows: the largest difference
            of their distribution functions. Beside it stands what two samples of one distribution of these sizes exceed
            once in twenty times, so that with many columns some are beyond it by chance.
            """,
            columns={
                **FLOW_COLUMNS,
                "column": "column of the table",
                "ks": "Kolmogorov-Smirnov distance of generated to held-out rows",
                "ks_95": "95 % point of the distance of two samples of these sizes of one continuous distribution",
                "p_value": "probability of a larger distance then",
                "n_generated": "generated rows",
                "n_held_out": "held-out rows",
            },
            notes="Columns of few distinct values, such as whole numbers, have larger distances to a flow, which is continuous.",
        ),
    ),
)
