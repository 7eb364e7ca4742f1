"""The configuration as typed models; editors show the keys' descriptions, by the JSON schema."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from inflationary_flows.config.baselines import Baselines
from inflationary_flows.config.datasets import Dataset
from inflationary_flows.config.experiments import Experiments
from inflationary_flows.config.images import Extractors
from inflationary_flows.config.machines import Hardware, Limits
from inflationary_flows.config.sharing import Sharing
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.layout import trained_flows
from inflationary_flows.experiments.registry import experiments
from inflationary_flows.fields import (
    Count,
    DatasetName,
    DottedName,
    EstimatedDuration,
    EstimatedMemory,
    Fraction,
    Layers,
    Name,
    NetworkName,
    NonNegativeNumber,
    Number,
    PositiveNumber,
    PresetName,
    Section,
    Seeds,
    SolverName,
    Text,
    TrainingName,
    Unique,
    Whole,
    Width,
)
from inflationary_flows.networks.kernel_range import SHARED
from inflationary_flows.networks.presets import PRESETS
from inflationary_flows.networks.shapes import require_shape
from inflationary_flows.requirements import USUAL_GAMMA0, growth_problem, require_known, require_one

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study

# Names of schedules that stand for images no flow has made: of a Gaussian fitted to the data, and of the test split.
BASELINES = ("gaussian", "held_out")


class Grid(Section):
    """Where along the schedule a solver spends its steps."""

    kind: Literal["uniform", "sinh", "time"] = Field(
        "uniform",
        description="uniform in the log of the noise ratio, sinh (dense near its centre), or time (uniform in t).",
    )
    centre: Number = Field(0.0, description="sinh: where steps are dense, as log(gamma / xi).")
    width: PositiveNumber = Field(4.0, description="sinh: how wide the dense part is.")


class Solver(Section):
    """How the flow's equation is integrated."""

    method: SolverName = Field("adams_bashforth6", description="Integration method.")
    steps: Count = Field(95, description="Steps over the schedule's time range (all but dopri5).")
    tolerance: PositiveNumber = Field(1e-6, description="dopri5: relative and absolute error tolerance of a step.")
    grid: Grid = Field(default_factory=Grid, description="Where the steps are.")


class Schedule(Section):
    """A noise kernel: which directions are inflated, how fast, and until when."""

    kernel: Literal["floor", "proportional"] = Field(
        "floor",
        description="floor: gamma0 exp(rho (1 + g) t) (as in the published code); "
        "proportional: xi (exp(rho (1 + g) t) - 1) (as in the paper).",
    )
    kept_dims: Count | None = Field(
        None, description="Dimensions to keep (PRR), from 1 to D - 1; null preserves all (PRP)."
    )
    gap: Literal["orig", "constant"] = Field(
        "orig",
        description="PRR: rates g of the compressed directions: orig is -d / (D - d) "
        "(but at least -1 if proportional), constant is -inflation_gap.",
    )
    inflation_gap: NonNegativeNumber | None = Field(None, description="PRR with gap constant: the gap, such as 1.02.")
    rho: PositiveNumber = Field(1.0, description="Overall rate.")
    gamma0: PositiveNumber = Field(USUAL_GAMMA0, description="Kernel variance at the start.")
    t_min: NonNegativeNumber | None = Field(
        None, description="First time; by default 0 (floor), or where gamma / xi is gamma0."
    )
    t_max: PositiveNumber | None = Field(None, description="Last time T; give this or signal_left.")
    signal_left: Fraction | None = Field(
        None, description="T is where xi_max / gamma has fallen to this; give this or t_max."
    )
    compressed_prior: Literal["gaussian", "empirical", "zero"] = Field(
        "empirical",
        description="PRR: how compressed latents are drawn for samples: resampled from inflated training data, "
        "from their Gaussian, or zero.",
    )
    solver: Solver | None = Field(
        None, description="Solver settings of this schedule; keys left out are the global ones."
    )
    label: Text | None = Field(None, description="How figures call the schedule; changes nothing else.")

    def check(self, where: str, study: Study) -> None:
        """The end of time is given once, and keys fit each other."""
        ends = {"t_max": self.t_max, "signal_left": self.signal_left}
        require_one(ends, where, "signal_left: 1e-3 chooses the end of time from the data.")
        if self.kept_dims is None:
            reducing = {
                "gap": self.gap != "orig",
                "inflation_gap": self.inflation_gap is not None,
                "compressed_prior": self.compressed_prior != "empirical",
            }
            for key in (key for key, given in reducing.items() if given):
                raise ConfigError(
                    f"{where}.{key}",
                    "the key only together with kept_dims",
                    "it without",
                    "add kept_dims (PRR), or remove the key (PRP compresses nothing).",
                )
        if self.gap == "constant" and self.inflation_gap is None:
            raise ConfigError(
                f"{where}.inflation_gap",
                "a number of at least 0, since gap is constant",
                "nothing",
                "1.02 is the value of the paper's tables.",
            )
        if self.gap == "orig" and self.inflation_gap is not None:
            raise ConfigError(
                f"{where}.inflation_gap",
                "the key only together with gap: constant",
                "gap: orig",
                "add gap: constant, or remove inflation_gap.",
            )
        if self.kernel == "proportional" and (self.inflation_gap or 0.0) > 1:
            raise ConfigError(
                f"{where}.inflation_gap",
                "a number from 0 to 1, since a proportional kernel cannot narrow",
                f"{self.inflation_gap:g}",
                "lower it, or use kernel: floor.",
            )
        if self.kernel == "proportional" and self.t_min == 0:
            raise ConfigError(
                f"{where}.t_min",
                "a number above 0, since the proportional kernel vanishes at 0",
                "0",
                "leave t_min out: a small one is chosen.",
            )
        if self.t_min is not None and self.t_max is not None and self.t_min >= self.t_max:
            expected = f"a number above t_min ({self.t_min:g})"
            raise ConfigError(f"{where}.t_max", expected, f"{self.t_max:g}", "lengthen t_max.")
        if self.t_max is not None:
            rate = self.rho * (2 if self.kept_dims else 1)
            start = math.log1p(self.gamma0) / rate if self.kernel == "proportional" else 0.0
            problem = growth_problem(rate, start if self.t_min is None else self.t_min, self.t_max, self.kernel)
            if problem is not None:
                raise ConfigError(f"{where}.t_max", *problem, "lower t_max or rho.")


class Mlp(Section):
    """A residual multi-layer perceptron with Fourier features, for data of few dimensions."""

    kind: Literal["mlp"] = Field(..., description="Kind of network.")
    width: Width = Field(128, description="Units of a layer.")
    blocks: Layers = Field(3, description="Residual blocks.")
    frequencies: Annotated[Whole, Field(le=100_000)] = Field(
        64, description="Random Fourier features of the whitened point; 0 for none."
    )
    bandwidth: PositiveNumber = Field(
        1.5, description="Standard deviation of their frequencies, per unit of the whitened point."
    )
    time_features: Width = Field(12, description="Smooth features of time.")
    space: Literal["eigen", "wiener", "ambient"] = Field(
        "eigen",
        description="What the network sees: eigen, whitened coordinates in the eigenbasis; wiener, there the linear "
        "estimate of the clean point, in which little noise is left; ambient, whitened coordinates of the data.",
    )
    schedules: Sharing = "own"


class Unet(Section):
    """A convolutional U-Net for images."""

    kind: Literal["unet"] = Field(..., description="Kind of network.")
    preset: PresetName = Field(
        "small_8",
        description="Where the keys below come from if left out: ddpmpp is the paper's, of 54 M parameters for 32x32; "
        "small_ are for a CPU and images of that many pixels a side.",
    )
    channels: Annotated[list[Width], Field(min_length=1)] | None = Field(
        None, description="Channels, one number a resolution, each half the one before."
    )
    layers: Layers | None = Field(None, description="Residual blocks a resolution.")
    attention: list[Count] | None = Field(
        None, description="Resolutions with self-attention, in pixels a side after patch."
    )
    dropout: Annotated[NonNegativeNumber, Field(lt=1)] | None = Field(
        None, description="Share of units dropped in training."
    )
    patch: Width | None = Field(
        None, description="Side of the squares of pixels that are folded into channels: 2 costs a quarter of 1."
    )
    channels_last: bool = Field(False, description="Memory layout of convolutions; a matter of speed alone.")
    space: Literal["ambient", "eigen"] = Field(
        "ambient", description="Coordinates the network works in: pixels, or those of the eigenbasis."
    )
    schedules: Sharing = "own"

    def require_fit(self, image: ImageFormat, where: str) -> None:
        """Raises `ConfigError` if it cannot be built for images."""
        preset = PRESETS[self.preset]
        require_shape(image.shape, self.channels or preset["channels"], self.patch or preset["patch"], where)


Network = Annotated[Mlp | Unet, Field(discriminator="kind")]


class Training(Section):
    """Optimiser, targets, length, and the resources a job asks for."""

    steps: Count = Field(3_000, description="Optimiser steps.")
    batch_size: Count = Field(512, description="Points a step.")
    learning_rate: PositiveNumber = Field(5e-3, description="Peak learning rate of Adam.")
    warmup_steps: Whole = Field(200, description="Steps of linear warm-up; a cosine decay follows.")
    ema_half_life: PositiveNumber = Field(100_000.0, description="Half-life of the averaged weights, in points seen.")
    targets: Literal["sample", "posterior_mean"] = Field(
        "posterior_mean",
        description="What is regressed: the clean point, or its posterior mean over references.",
    )
    reference_size: Count = Field(1_024, description="posterior_mean: points of the reference batch.")
    antithetic: bool = Field(
        False, description="Show each clean point twice a step, with opposite noise: the noise of targets cancels."
    )
    gradient_clip: PositiveNumber = Field(1.0, description="Largest norm of the gradient.")
    weight_decay: NonNegativeNumber = Field(0.0, description="Decoupled weight decay; 0 is plain Adam.")
    validate_every: Count = Field(500, description="Steps between validation losses.")
    validation_points: Count = Field(4_096, description="Noisy held-out points of a validation loss.")
    weighting: Literal["uniform", "flow", "data"] = Field(
        "uniform",
        description="Weight of a direction's error at a time: uniform; flow: by how far the flow moves along it "
        "then, which teaches images of a wide spectrum faster; data: by that times the data's standard deviation.",
    )
    shrink: bool = Field(
        True,
        description="Where each row is seen over 100 times: keep the weights that are best on validation points, "
        "shrunk towards the Gaussian of the data as far as these ask, and stop when nothing better comes.",
    )
    flip: bool = Field(False, description="Images: mirror every second example at random.")
    augment: Annotated[NonNegativeNumber, Field(le=1)] = Field(
        0.0,
        description="Images: probability of each geometric augmentation, which the network is told of (paper: 0.12).",
    )
    accumulate: Count = Field(1, description="Parts that a process takes its share of a batch in, to save memory.")
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = Field(
        "32-true", description="Precision of the network's layers."
    )
    tf32: bool = Field(False, description="GPUs: let the network's products round to TF32.")
    compile: bool = Field(False, description="Compile the network by torch.compile.")
    checkpoint_seconds: NonNegativeNumber = Field(20.0, description="Seconds between saved states to resume from.")
    threads: Count = Field(1, description="Threads of a training job.")
    runtime: EstimatedDuration = Field(
        "30m", description="Time limit of a training job; auto estimates it from the network. Grows with each attempt."
    )
    mem: EstimatedMemory = Field(
        "2GB", description="Memory of a training job; auto estimates it. Grows with each attempt."
    )
    gpu: Whole = Field(0, description="GPUs of a training job; several share each batch, one process a GPU.")

    def check(self, where: str, study: Study) -> None:
        """The warm-up ends, and batches can be shared."""
        if self.warmup_steps >= self.steps:
            raise ConfigError(
                f"{where}.warmup_steps",
                f"fewer than steps ({self.steps})",
                str(self.warmup_steps)
                if "warmup_steps" in self.model_fields_set
                else f"{self.warmup_steps}, the default",
                "write a shorter warm-up, or train longer.",
            )
        parts = max(1, self.gpu) * self.accumulate
        if self.batch_size % parts:
            raise ConfigError(
                f"{where}.batch_size",
                f"a multiple of {parts} (gpu times accumulate)",
                str(self.batch_size),
                "each process takes equal parts of a batch.",
            )


class Variant(Section):
    """A flow of the same data and schedule with something else about its network."""

    network: NetworkName | None = Field(None, description="Name of another network.")
    training: TrainingName | None = Field(None, description="Name of other training settings.")
    steps: Count | None = Field(None, description="Other number of optimiser steps; the warm-up keeps its share.")

    def check(self, where: str, study: Study) -> None:
        """Something is different."""
        if not any((self.network, self.training, self.steps)):
            expected = "another network, training or number of steps"
            raise ConfigError(where, expected, "none", "name one: a variant differs in it.")


class Repeats(Section):
    """Flows that are trained with other seeds as well, for error bars of their quality, coverage and images."""

    seeds: Seeds = Field(default_factory=lambda: [1, 2], description="Their training seeds, besides those of `seeds`.")
    flows: dict[DatasetName, Annotated[list[str], Field(min_length=1), Unique("schedule")]] = Field(
        default_factory=dict, description="Schedules of these flows, by data set."
    )

    def check(self, where: str, study: Study) -> None:
        """Schedules are those of their data sets."""
        for name, schedules in self.flows.items():
            for index, schedule in enumerate(schedules):
                known = study.config.datasets[name].schedules
                require_known(schedule, known, f"{where}.flows.{name}[{index}]", f"schedules of {name}", "schedules")


class Config(Section):
    """Configuration of the Inflationary Flows workflow."""

    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)] = Field(
        ..., description="Data sets by name, each with its schedules."
    )
    schedules: Annotated[dict[DottedName, Schedule], Field(min_length=1)] = Field(
        ..., description="Noise schedules by name."
    )
    networks: Annotated[dict[Name, Network], Field(min_length=1)] = Field(..., description="Networks by name.")
    training: Annotated[dict[Name, Training], Field(min_length=1)] = Field(
        ..., description="Training settings by name."
    )
    variants: dict[Name, Variant] = Field(
        default_factory=dict, description="Other networks or trainings that experiments ask for, by name."
    )
    solver: Solver = Field(default_factory=Solver, description="How flows are integrated.")
    experiments: Experiments = Field(default_factory=Experiments, description="Settings of the experiments.")
    baselines: Baselines = Field(
        default_factory=Baselines, description="Flows beside injective flows (target `baselines`)."
    )
    extractors: Extractors = Field(
        default_factory=Extractors, description="Networks whose features tell how far images are apart."
    )
    hardware: Hardware = Field(default_factory=Hardware, description="The machines that jobs run on.")
    limits: Limits = Field(default_factory=Limits, description="Time limits and memory of jobs that run networks.")
    seeds: Seeds = Field(default_factory=lambda: [0], description="Training seeds; one flow each.")
    repeats: Repeats = Field(default_factory=Repeats, description="Flows that are trained again with other seeds.")
    only: Annotated[list[str], Field(min_length=1), Unique("experiment")] | None = Field(
        None,
        description="Experiments that targets and the report make, by name; if left out all that there is data for. "
        "Where all data sets are tables of your own: own_tables, training_curves, and those that `experiments` names.",
    )
    note: Text | None = Field(None, description="What the report says at its top.")

    def check(self, where: str, study: Study) -> None:
        """No schedule or data set has a name that something else has, and what experiments need is there."""
        for index, name in enumerate(self.only or ()):
            require_known(name, experiments(), f"only[{index}]", "experiments", "the registry")
        if "extractors" in self.datasets:
            got = '"extractors", a folder of results/downloads'
            raise ConfigError("datasets.extractors", "another name", got, "rename the data set.")
        for dataset, schedule, seed in trained_flows(study):
            variant = seed.partition("-")[2]
            if variant:
                size, other = study.dimension_of(dataset), self.variants[variant].network
                self.datasets[dataset].require_network(other, size, f"variants.{variant}", study, [schedule])
        taken = dict.fromkeys(BASELINES, "tables of images use for a baseline") | {SHARED: "folders of networks use"}
        for name in (name for name in taken if name in self.schedules):
            got = f'"{name}", which {taken[name]}'
            raise ConfigError(f"schedules.{name}", "another name", got, "rename the schedule.")
