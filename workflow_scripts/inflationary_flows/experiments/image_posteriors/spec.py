"""What is measured and shown of posteriors of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Measurement, Table
from inflationary_flows.fields import (
    Count,
    DatasetNames,
    Fraction,
    Number,
    PositiveNumber,
    Section,
    Seed,
    SolverName,
    Unique,
)

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


class ChainGate(Section):
    """When the posterior of an image counts as converged; all others are measured as well, and counted."""

    rhat: Annotated[Number, Field(gt=1)] = Field(1.1, description="Largest R-hat of a pixel.")
    ess: PositiveNumber = Field(40.0, description="Smallest bulk effective sample size of the same.")


class ImagePosteriors(Section):
    """Posteriors of held-out images given noisy ones, the flow being the prior: ranks of the images in them."""

    datasets: DatasetNames = Field(default_factory=list, description="Data sets of images of few pixels to do it with.")
    images: Count = Field(100, description="Held-out images, the first ones.")
    noise_std: PositiveNumber = Field(0.3, description="Standard deviation of the noise, in that of the data.")
    scores: Count = Field(10, description="PCA scores ranked, the first ones.")
    narrowing: Fraction = Field(
        0.8, description="Controls: factor by which draws are moved towards their mean; the test should reject them."
    )
    chains: Annotated[Count, Field(ge=2)] = Field(4, description="Chains of an image.")
    warmup: Count = Field(80, description="Iterations that adapt.")
    draws: Annotated[Count, Field(ge=4)] = Field(300, description="Draws kept, a chain.")
    solver: SolverName = Field("adams_bashforth4", description="Solver of the flow within the sampler.")
    steps: Count = Field(15, description="Its steps.")
    gate: ChainGate = Field(default_factory=ChainGate)
    components: Annotated[list[Count], Field(min_length=1), Unique("number of components")] = Field(
        default_factory=lambda: [5, 10, 20, 30], description="Components of the mixture, chosen by held-out density."
    )
    ranks: Annotated[list[Count], Field(min_length=1), Unique("rank")] = Field(
        default_factory=lambda: [2, 5, 10, 20], description="Directions of each component, chosen likewise."
    )
    bins: Annotated[Count, Field(ge=3)] = Field(10, description="Bins of the rank histograms.")
    seed: Seed = Field(0, description="Seed of noise, chains, mixture and controls.")

    def check(self, where: str, study: Study) -> None:
        """Data sets are of images, and there are enough of these for a test of all bins."""
        for index, name in enumerate(self.datasets):
            if name not in study.image_sets or name not in study.point_sets:
                raise ConfigError(
                    f"{where}.datasets[{index}]",
                    "a data set of images of few pixels, such as digits",
                    f"{name} of kind {study.kind_of(name)}",
                    "remove it from the list: larger images would take days.",
                )
        if self.images <= self.bins:
            raise ConfigError(f"{where}.images", f"more than bins ({self.bins})", str(self.images), "take more images.")


def judged(study: Study) -> list[FlowName]:
    """Flows whose posteriors are sampled."""
    chosen = study.experiments["image_posteriors"]["datasets"]
    return study.first_seed([flow for flow in study.flows if flow[0] in chosen])


_PRIOR = (
    "`learned`: the flow, the prior of its latents being Gaussian, compressed ones as well; `learned_converged`: those of its "
    "posteriors alone whose chains passed the gate; `learned_narrow`: its draws moved towards their mean by the setting "
    "`narrowing`; `mixture`: Gaussians of few directions each, as many as held-out density asks for; `gaussian`: the Gaussian "
    "of the data; `exact`: images drawn from the mixture in its own posteriors, right by construction; `exact_narrow`: these "
    "draws moved towards their mean"
)

EXPERIMENT = Experiment(
    settings=ImagePosteriors,
    measurement=Measurement(
        minutes=6,
        environment="inference",
        flows=judged,
        needs=("splits", "log"),
    ),
    stage="calibration",
    shown=(
        Figure(
            "image_posteriors",
            "B26",
            "Ranks of images in their posteriors",
            "Calibration",
            """
            Held-out images are ranked in their posteriors given noisy ones, with two standard errors over images: all
            pixels that vary, the first PCA scores, the distance from the noisy image, and the log density of the
            posterior. Ranks are uniform if posteriors are calibrated; a valley means too narrow, a hump too wide, a slope
            biased. Beside the flow stand a mixture of Gaussians of few directions each, the Gaussian of the data, and, as a
            control that has to fail, the flow's draws moved towards their mean. Numbers are p-values of the bins, images
            being the independent units. Curves that leave a panel are cut off. Pixels and scores see how wide posteriors are, not
            how much they say: a poorer prior can pass. The scores in the table tell these apart.
            """,
        ),
        Table(
            "image_posteriors",
            "B25",
            "Ranks of images in their posteriors",
            "Calibration",
            """
            Rank histograms of held-out images among draws of their posteriors, with tests that take images as independent
            units. ``width`` is above one for posteriors that are too narrow. Images are blurred by the first kernel, as all
            that the flow generates, so that pixels are not tied to grey levels.
            """,
            columns={
                **FLOW_COLUMNS,
                "prior": _PRIOR,
                "statistic": "`pixels`: all that vary in the training images; `scores`: the first PCA scores; `distance`: "
                "from the noisy image; `density`: log density of the posterior, of the flow in latents",
                "bin": "number of the bin of ranks, from 0",
                "share": "share of ranks in the bin",
                "se": "its standard error over images",
                "p_value": "that all shares are equal: Hotelling's test of an image's shares",
                "p_bias": "that all mean ranks are half: the least of the quantities' tests times their number",
                "p_width": "that the mean squared distance of ranks from their middle is that of uniform ones",
                "width": "this distance, relative to that of uniform ranks",
                "worst": "the pixel, counted row by row from 0, or score whose own chi-square test has the least p",
                "p_worst": "this p times the number of quantities",
                "quantities": "pixels or scores",
                "images": "images",
            },
        ),
        Table(
            "image_posterior_scores",
            "B26",
            "Scores of posteriors of images",
            "Calibration",
            """
            How much the posteriors of ``image_posteriors`` say of the images, and how the chains went. Of a calibrated
            posterior the squared error of the mean and the variance are the same on average. Log densities are known for
            closed forms alone.
            """,
            columns={
                **FLOW_COLUMNS,
                "prior": "as in `image_posteriors.csv`",
                "metric": "see below",
                "value": "mean over images",
                "se": "its standard error",
                "least": "least of an image",
                "largest": "largest of an image",
                "images": "images",
            },
            notes="""
            `energy_score`: of draws, in standard deviations of the noise; proper, the smaller the better. `squared_error`: of the
            posterior mean, a pixel, in variances of the noise; `variance`: of the posterior, likewise. `log_density`: of the
            posterior at the image, nats. `rhat`, `ess`: the worst of an image's pixels; `converged`: whether both
            pass the gate; `divergences`: divergent trajectories.
            """,
        ),
    ),
)
