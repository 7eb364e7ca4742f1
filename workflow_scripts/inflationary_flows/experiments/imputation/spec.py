"""What is measured and shown of imputed cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Measurement, Table
from inflationary_flows.fields import Count, DatasetName, Fraction, Section, Seed, Unique, Whole
from inflationary_flows.requirements import require_known

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study

CATEGORY = "Calibration"


class Imputation(Section):
    """Hidden cells of held-out rows, imputed by flows and by other methods."""

    flows: dict[DatasetName, Annotated[list[str], Field(min_length=1), Unique("schedule")]] = Field(
        default_factory=dict, description="Schedules to do it with, by data set, of tables or small images."
    )
    holes: Annotated[list[Literal["cells", "columns", "patches"]], Field(min_length=1), Unique("kind")] | None = Field(
        None,
        description="What is hidden: random cells, whole columns, patches of images. By default cells and columns of "
        "tables, and patches of images.",
    )
    rows: Annotated[Count, Field(ge=2)] = Field(100, description="Held-out rows (or as many as there are).")
    cells: Count = Field(3, description="Hidden cells of a row; of an image as many pixels as a patch has.")
    columns: Fraction = Field(0.25, description="Share of the columns that is hidden, the same in all rows.")
    patch: Count = Field(4, description="Side of a hidden patch, pixels.")
    draws: Annotated[Count, Field(ge=2)] = Field(
        200, description="Draws of a row by each method, but chained regressions."
    )
    chain_draws: Annotated[Count, Field(ge=4)] | None = Field(
        None, description="Draws of each chain of a flow; by default those of `Flow.infer`."
    )
    chain_warmup: Count | None = Field(
        None, description="Iterations in which each chain adapts; by default those of `Flow.infer`."
    )
    iterative_draws: Whole = Field(20, description="Draws by chained regressions, a run each; 0 leaves them out.")
    iterative_rounds: Count = Field(10, description="Rounds of such a run over all columns with holes.")
    covariances: Whole = Field(
        0,
        description="Draws of mean and covariance for flows that know how few rows they were trained on, a method of its "
        "own; 0 leaves it out.",
    )
    seed: Seed = Field(0, description="Seed of holes and draws.")

    def check(self, where: str, study: Study) -> None:
        """Schedules are those of their data sets, which have patches if these are asked for."""
        for name, schedules in self.flows.items():
            for index, schedule in enumerate(schedules):
                known = study.config.datasets[name].schedules
                require_known(schedule, known, f"{where}.flows.{name}[{index}]", f"schedules of {name}", "schedules")
            if "patches" in (self.holes or ()) and study.image_of(name) is None:
                got = f"{name} of kind {study.kind_of(name)}"
                raise ConfigError(f"{where}.holes", "patches of images only", got, "leave patches out.")
        if self.iterative_draws == 1:
            raise ConfigError(f"{where}.iterative_draws", "0, or at least 2", "1", "one draw has no spread.")


def imputing(study: Study) -> list[FlowName]:
    """Flows that impute."""
    chosen = study.experiments["imputation"]["flows"]
    return [flow for flow in study.flows if flow[1] in chosen.get(flow[0], ())]


EXPERIMENT = Experiment(
    settings=Imputation,
    measurement=Measurement(
        minutes=1.5,
        environment="inference",
        flows=imputing,
        each_flow=False,
        needs=("splits",),
        params=lambda study, dataset: {
            "holes": None,
            "chain_draws": None,
            "chain_warmup": None,
            **{name: value for name, value in study.experiments["imputation"].items() if name != "flows"},
        },
    ),
    stage="calibration",
    shown=(
        Figure(
            "imputation",
            "B32",
            "Hidden cells of held-out rows",
            CATEGORY,
            """
            Cells of held-out rows are hidden and imputed by draws. A row of panels is a data set and what is hidden of it.
            Scores are relative to those of the Gaussian with mean and covariance of the training rows, so that what lies
            left of the line is better; bars are two standard errors over rows. Coverage is how often the truth lies in
            central intervals of the draws, whose levels are the lines. Nearest neighbours and chained regressions are what
            many would take first.
            """,
        ),
        Table(
            "imputation",
            "B32",
            "Hidden cells of held-out rows",
            CATEGORY,
            """
            Scores of draws of hidden cells of held-out rows, by flows and by other methods, which have the same training
            rows. Scores are in standard deviations of a column over training rows; pixels of images share theirs. Rows
            are the independent units of standard errors.
            """,
            columns={
                **FLOW_COLUMNS,
                "holes": "what is hidden: `cells`, others in each row; `columns`, the same in all rows; `patches` of images",
                "method": "`flow`; `few_rows`, the same with mean and covariance drawn from their posterior; `gaussian`, the Gaussian of the training rows in closed form; `neighbours`, training rows "
                "that are nearest in what is seen; `iterative`, scikit-learn's IterativeImputer, draws from its posterior",
                "coverage_50": "share of hidden cells within the central half of their draws",
                "coverage_50_se": "its standard error",
                "coverage_90": "share within the central nine tenths",
                "coverage_90_se": "its standard error",
                "crps": "continuous ranked probability score of a cell, mean; the smaller, the better",
                "crps_se": "its standard error",
                "energy": "energy score of all hidden cells of a row together, mean; the smaller, the better",
                "energy_se": "its standard error",
                "crps_difference": "mean difference of the CRPS to the Gaussian's, row by row",
                "crps_difference_se": "its standard error",
                "energy_difference": "the same of the energy score",
                "energy_difference_se": "its standard error",
                "rmse": "root mean square error of the mean of the draws",
                "rmse_se": "its standard error",
                "converged": "share of rows whose chains have converged; of flows",
                "seconds": "CPU seconds a row, without what learning of a flow has taken, of `few_rows` those besides `flow`; they differ "
                "from run to run",
                "hidden": "hidden cells of a row",
                "draws": "draws of a row",
                "n": "rows",
            },
            notes="Other methods than flows have no schedule and no training seed. Ranks of the truth that few draws, or equal "
            "values, leave open are drawn, so that coverage is right for any number of draws, and for whole numbers. The number "
            "of neighbours is chosen by the CRPS of validation rows.",
        ),
    ),
)
