"""What is measured and shown of posteriors under five likelihoods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from inflationary_flows.data.oracles import MOST_WEIGHED, find_toy
from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Measurement, Table, settings_of
from inflationary_flows.fields import Count, DatasetName, Levels, PositiveNumber, Section, Seed, Unique
from inflationary_flows.requirements import require_known

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study


class TaskNoises(Section):
    """Standard deviations of the noise of the tasks that have noise, in those of the data."""

    denoising: PositiveNumber = Field(0.5, description="Of a point.")
    linear: PositiveNumber = Field(0.3, description="Of the sum of its first two coordinates.")
    radius: PositiveNumber = Field(0.1, description="Of its distance from the origin.")
    product: PositiveNumber = Field(0.1, description="Of the product of its first two coordinates.")


class PosteriorTasks(Section):
    """Posteriors under five likelihoods, by `infer` and by guidance, against exact ones."""

    flows: dict[DatasetName, Annotated[list[str], Field(min_length=1), Unique("schedule")]] = Field(
        default_factory=dict, description="Schedules to do it with, by data set: toys."
    )
    noise_stds: TaskNoises = Field(default_factory=TaskNoises, description="Noise of the tasks.")
    observations: Annotated[Count, Field(ge=20)] = Field(400, description="Observations of each task.")
    truths: Count = Field(25, description="Truths of each observation, draws of its exact posterior.")
    draws: Annotated[Count, Field(ge=16, multiple_of=4)] = Field(1_000, description="Draws of each posterior.")
    compared: Count = Field(8, description="Observations whose draws a classifier compares with exact ones.")
    references: Count = Field(10, description="Random reference points of an observation.")
    levels: Levels = Field(
        default_factory=lambda: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], description="Nominal coverages."
    )
    strengths: Annotated[list[PositiveNumber], Field(min_length=1), Unique("strength")] = Field(
        default_factory=lambda: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0],
        description="Strengths of guidance, of which the best is taken.",
    )
    tuning: Annotated[Count, Field(ge=2)] = Field(200, description="Truths that they are tried on.")
    steps: Count = Field(100, description="Steps of guidance.")
    seed: Seed = Field(0, description="Seed of points, noise and draws.")

    def check(self, where: str, study: Study) -> None:
        """Schedules keep all dimensions of their data sets, whose density is known; levels are fewer than observations."""
        for name, schedules in self.flows.items():
            if find_toy(study.settings_of(name)) is None or not 2 <= study.dimension_of(name) <= MOST_WEIGHED:
                expected = f"toys of 2 to {MOST_WEIGHED} dimensions, whose density is known"
                got = f"{name} of kind {study.kind_of(name)}, D = {study.dimension_of(name)}"
                raise ConfigError(f"{where}.flows", expected, got, "remove it.")
            for index, schedule in enumerate(schedules):
                known = study.config.datasets[name].schedules
                require_known(schedule, known, f"{where}.flows.{name}[{index}]", f"schedules of {name}", "schedules")
                kept = study.config.schedules[schedule].kept_dims
                if kept is not None:
                    got, hint = f"{schedule} with {kept}", "guidance takes kernels that widen in every direction."
                    raise ConfigError(f"{where}.flows.{name}[{index}]", "a schedule without kept_dims", got, hint)
        least = len(self.levels) + 1
        if self.flows and self.observations <= least:
            got = str(self.observations)
            raise ConfigError(f"{where}.observations", f"more than {least}", got, "400 give a sharp test.")


METHODS = (
    "`exact` (other draws of the exact posterior: what chance does), `infer`, or `guidance` (diffusion posterior "
    "sampling with the same denoiser: a control, which is no posterior)"
)
TASK = "`denoising`, `missing`, `linear`, `radius` or `product`"

EXPERIMENT = Experiment(
    settings=PosteriorTasks,
    measurement=Measurement(
        minutes=2,
        environment="inference",
        flows=lambda study: [
            flow for flow in study.flows if flow[1] in study.experiments["posterior_tasks"]["flows"].get(flow[0], ())
        ],
        needs=("mixture",),
        params=settings_of("posterior_tasks", *(name for name in PosteriorTasks.model_fields if name != "flows")),
    ),
    stage="calibration",
    shown=(
        Figure(
            "posterior_tasks",
            "B30",
            "Posteriors under five likelihoods",
            "Calibration",
            """
            Coverage minus nominal level of posteriors of points of which a noisy version, all coordinates but the
            first, a noisy sum, a noisy radius or a noisy product is observed, around the reference where it is worst:
            random points, the centre of the data, or a fixed grid. Shaded are two standard errors. Grey are exact
            posteriors: what chance makes of the worst of many references. Guidance by the likelihood of the denoised
            point, with its strength tuned for each task, is a control that has to be rejected. Numbers are how often a
            classifier tells draws from exact ones, half of the time by chance, and the p-value that all coverages are nominal.
            """,
        ),
        Table(
            "posterior_tasks",
            "B29",
            "Posteriors under five likelihoods",
            "Calibration",
            """
            Posteriors of points under five likelihoods, with a flow as prior, by ``infer`` and by guidance, against
            exact ones: coverage, a classifier, a score, and seconds. Guidance is a control, which has to be rejected.
            """,
            columns={
                **FLOW_COLUMNS,
                "task": TASK,
                "method": METHODS,
                "worst": "largest difference of coverage and level around any reference, at any level",
                "p_value": "that all coverages are nominal: the least of all references' tests times their number",
                "centre": "largest difference of coverage and level around the centre of the data",
                "c2st": "accuracy of a classifier that tells draws from exact ones, beside the observation; 0.5 by chance",
                "energy_score": "mean energy score of the truths, units of the data; the smaller, the better",
                "seconds": "CPU seconds of an observation, `draws` draws each, of many at once",
                "unconverged": "observations whose posterior is said not to have converged: they are left out of coverage",
                "strength": "strength of guidance: of those tried the one with the least energy score on other truths",
                "observations": "observations, the independent units of the test",
                "truths": "truths of each, draws of its exact posterior, over which coverage is averaged",
            },
            notes="""
            Points are of the exact density with the first noise, which the flow is a model of. `seconds` of `exact` are
            those of drawing from the known density, and no method's. What is observed has a noise of `noise_stds`, in
            standard deviations of the data. Guidance follows Chung et al. (2023): the gradient of the residual of the
            denoised point, over the length of the residual, times a strength.
            """,
        ),
        Table(
            "posterior_task_coverage",
            "B30",
            "Coverage of posteriors under five likelihoods",
            "Calibration",
            """
            Coverage of the same posteriors against the nominal level, around random references, the centre of the
            data, and the worst reference. Exact posteriors show what chance does.
            """,
            columns={
                **FLOW_COLUMNS,
                "task": TASK,
                "method": METHODS,
                "reference": "`random` points, the `centre` of the data, or the `worst` of these and of a fixed grid",
                "level": "nominal level",
                "coverage": "expected coverage around that reference",
                "se": "its standard error",
                "worst": "largest difference of coverage and level around any reference, at any level",
                "p_value": "that all coverages are nominal",
                "looks": "references that count",
                "replicates": "observations",
            },
        ),
    ),
)
