"""What is measured and shown of posteriors of images that are seen in part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Measurement, Table, settings_of
from inflationary_flows.fields import (
    Count,
    DatasetName,
    NonNegativeNumber,
    PositiveNumber,
    Section,
    Seed,
    SolverName,
    Unique,
)
from inflationary_flows.requirements import require_known

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


class InverseProblems(Section):
    """Posteriors of held-out images given half of them, means of squares of pixels, or a blurred image."""

    flows: dict[DatasetName, Annotated[list[str], Field(min_length=1), Unique("schedule")]] = Field(
        default_factory=dict, description="Schedules to do it with, by data set: images of few pixels."
    )
    images: Count = Field(20, description="Held-out images, the first ones.")
    shown: Count = Field(2, description="How many of them the figure shows.")
    noise_std: PositiveNumber = Field(0.2, description="Standard deviation of the noise, in that of the data.")
    blur_std: PositiveNumber = Field(1.0, description="Width of the blur, pixels.")
    chains: Annotated[Count, Field(ge=2)] = Field(4, description="Chains of an image.")
    warmup: Count = Field(80, description="Iterations that adapt, of chains.")
    draws: Annotated[Count, Field(ge=4)] = Field(
        600, description="Draws kept, a chain: of tempered particles each has two."
    )
    solver: SolverName = Field("adams_bashforth4", description="Solver of the flow within the sampler.")
    steps: Count = Field(12, description="Its steps.")
    strength: NonNegativeNumber = Field(0.3, description="Strength of the guidance that stands beside.")
    components: Annotated[list[Count], Field(min_length=1), Unique("number of components")] = Field(
        default_factory=lambda: [5, 10, 20, 30], description="Components of the mixture, chosen by held-out density."
    )
    ranks: Annotated[list[Count], Field(min_length=1), Unique("rank")] = Field(
        default_factory=lambda: [2, 5, 10, 20], description="Directions of each component, chosen likewise."
    )
    seed: Seed = Field(0, description="Seed of noise, posteriors and mixture.")

    def check(self, where: str, study: Study) -> None:
        """Data sets are of images of even height and width, few pixels, and schedules are theirs."""
        for name, schedules in self.flows.items():
            image = study.image_of(name)
            if image is None or name not in study.point_sets or image.height % 2 or image.width % 2:
                raise ConfigError(
                    f"{where}.flows",
                    "data sets of images of few pixels and even height and width, such as digits",
                    f"{name} of kind {study.kind_of(name)}",
                    "remove it: larger images would take days.",
                )
            for index, schedule in enumerate(schedules):
                known = study.config.datasets[name].schedules
                require_known(schedule, known, f"{where}.flows.{name}[{index}]", f"schedules of {name}", "schedules")


def solved(study: Study) -> list[FlowName]:
    """Flows that posteriors are sampled of."""
    chosen = study.experiments["inverse_problems"]["flows"]
    return study.first_seed([flow for flow in study.flows if flow[1] in chosen.get(flow[0], ())])


EXPERIMENT = Experiment(
    settings=InverseProblems,
    measurement=Measurement(
        minutes=3,
        environment="inference",
        flows=solved,
        needs=("splits", "log"),
        params=settings_of("inverse_problems", *(name for name in InverseProblems.model_fields if name != "flows")),
        arrays=("inverse_problems",),
    ),
    reads=lambda study, dataset: {
        "pictures": [
            f"results/metrics/{name}/inverse_problems.npz" for name in dict.fromkeys(f[0] for f in solved(study))
        ]
    },
    drawing=lambda study, dataset: {"flows": solved(study)},
    stage="calibration",
    shown=(
        Figure(
            "inverse_problems",
            "B31",
            "Images that are seen in part",
            "Calibration",
            """
            Posteriors of held-out images given their upper half, means of squares of four pixels, or a blurred image, each
            with noise. From left to right: the image; what is seen of it, hidden pixels in blue; a draw of each chain; the
            mean and the spread of the posterior, pixel by pixel; the mean under a mixture of low-rank Gaussians, whose
            posterior is known exactly. A posterior whose chains did not pass the gate is marked by an asterisk. Below: the
            share of pixels within intervals of their posteriors, minus the level of these, with two standard errors over images.
            Guidance is no posterior, and need not cover.
            """,
        ),
        Table(
            "inverse_problems",
            "B31",
            "Images that are seen in part",
            "Calibration",
            """
            Posteriors of held-out images given a part of what they show: whether they cover, how much they say, how many
            passed the gate, and what they cost. Images are blurred by the first kernel, as all that the flow generates.
            """,
            columns={
                **FLOW_COLUMNS,
                "problem": "`half`: the upper half is seen; `squares`: means of squares of four pixels; `blur`: a blurred image",
                "prior": "`learned`: the flow, the prior of its latents being Gaussian; `learned_converged`: those of its "
                "posteriors alone that passed the gate; `mixture`: Gaussians of few directions each, as many as held-out "
                "density asks for; `gaussian`: the Gaussian of the data; `guidance`: the reverse diffusion, pulled towards the "
                "observation by the likelihood of the denoised point, which is no posterior",
                "coverage_50": "share of pixels within the equal-tailed interval of 50 %: of those that vary and are not "
                "themselves seen",
                "coverage_50_se": "its standard error over images",
                "coverage_90": "the same of 90 %",
                "coverage_90_se": "its standard error",
                "energy_score": "of whole images, in units of pixels, whose range is 2; proper, the smaller the better",
                "energy_score_se": "its standard error",
                "rmse": "root mean squared error of the posterior mean at these pixels",
                "spread": "root mean variance of the posterior there: of a calibrated one the same on average",
                "images": "images",
                "converged": "share of posteriors that passed the gate; of the flow alone",
                "rhat": "largest R-hat of a pixel, median over images",
                "ess": "smallest bulk effective sample size of a pixel, median over images",
                "seconds": "CPU seconds an image",
            },
        ),
    ),
)
