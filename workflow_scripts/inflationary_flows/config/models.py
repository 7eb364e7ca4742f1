"""The configuration as typed models; editors show the keys' descriptions, by the JSON schema."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from inflationary_flows.config.baselines import Baselines
from inflationary_flows.config.experiments import Experiments
from inflationary_flows.config.fields import (
    Count,
    EstimatedDuration,
    EstimatedMemory,
    Fraction,
    Name,
    NonNegativeNumber,
    Number,
    PositiveNumber,
    PresetName,
    ScheduleName,
    Section,
    Seed,
    SolverName,
    Text,
)
from inflationary_flows.config.images import CHECKSUM, Download, Extractors
from inflationary_flows.config.machines import Hardware, Limits

ToyName = Literal["circles", "moons", "sine", "s_curve", "swirl", "alt_s_curve", "alt_swirl"]
Kind = Literal[
    "circles",
    "moons",
    "sine",
    "s_curve",
    "swirl",
    "alt_s_curve",
    "alt_swirl",
    "embedded",
    "digits",
    "cifar10",
    "afhqv2",
    "idx",
    "image_folder",
    "photo_patches",
    "npz",
    "csv",
    "parquet",
]
ResizeFilter = Literal["box", "bilinear", "hamming", "bicubic", "lanczos"]


class Sizes(Section):
    """Numbers of points drawn for a toy."""

    train: int = Field(50_000, ge=2, description="Points to train on.")
    validation: int = Field(10_000, ge=2, description="Points for the validation loss.")
    test: int = Field(20_000, ge=2, description="Fresh points for the experiments.")


class Fractions(Section):
    """Shares of a finite data set's rows; they add up to 1."""

    train: Fraction = Field(0.7, description="Share of rows to train on.")
    validation: Fraction = Field(0.15, description="Share of rows for the validation loss.")
    test: Fraction = Field(0.15, description="Share of rows for the experiments.")


class Dataset(Section):
    """Where points come from, and which flows are fitted to them."""

    kind: Kind = Field(
        ...,
        description="A toy, an embedded toy, a set of images (the 8x8 digits, patches of photographs, an archive, "
        "a folder of your own), or a table of your own. "
        "May be left out where the data set is named like a toy or digits.",
    )
    schedules: list[str] = Field(..., min_length=1, description="Names of the schedules to fit a flow for.")
    network: str = Field("toy", description="Name of the network.")
    training: str = Field("toy", description="Name of the training settings.")
    label: Text | None = Field(None, description="How figures call the data set; changes nothing else.")
    seed: Seed = Field(0, description="Seed of the data: sampling, embedding and splitting.")
    sizes: Sizes | None = Field(None, description="Toys, photo_patches: numbers of points of the splits.")
    fractions: Fractions | None = Field(
        None,
        description="Finite data sets: shares of rows of the splits; an archive's own test part is then pooled with "
        "the rest.",
    )
    validation_share: Fraction | None = Field(
        None, description="cifar10, afhqv2, idx: share of the training part that is kept for validation (default 0.02)."
    )
    base: ToyName | None = Field(None, description="embedded: the toy that is embedded.")
    dimension: Annotated[int, Field(ge=3)] | None = Field(
        None, description="embedded: the number of coordinates D it is put into."
    )
    path: Text | None = Field(
        None,
        description="Own tables and images: the file (image_folder and idx: or the folder), relative to the working "
        "directory.",
    )
    checksum: Text | None = Field(
        None,
        description="Images: what the file at path must hash to, sha256:... or md5:...",
        json_schema_extra=CHECKSUM,
    )
    download: Annotated[list[Download], Field(min_length=1)] | None = Field(
        None, description="Images: files to fetch instead of a path; one, but for idx."
    )
    resolution: Annotated[int, Field(ge=2)] | None = Field(
        None, description="Images of any size: pixels a side after resizing. idx: what the file has (default 28)."
    )
    resize: ResizeFilter | None = Field(
        None, description="Images of any size: the filter that resizes them (default lanczos; photo_patches box)."
    )
    channels: Literal[1, 3] | None = Field(None, description="image_folder: 3 for colour (default), 1 for grey.")
    array: Text | None = Field(None, description="npz: the array to take; needed if the file holds several.")
    columns: Annotated[list[Text], Field(min_length=1)] | None = Field(
        None, description="csv, parquet: the columns to take; by default all but the label column."
    )
    label_column: Text | None = Field(None, description="csv, parquet: a column used to colour points, never to train.")
    standardise: bool | None = Field(
        None,
        description="Own tables: whether the eigenbasis is that of columns divided by their "
        "standard deviation (default true). Points stay in your units.",
    )


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
    gamma0: PositiveNumber = Field(5e-4, description="Kernel variance at the start.")
    t_min: NonNegativeNumber | None = Field(
        None, description="First time; by default 0 (floor), or where gamma / xi is gamma0."
    )
    t_max: PositiveNumber | None = Field(None, description="Last time T; give this or signal_left.")
    signal_left: Fraction | None = Field(
        None, description="T is where xi_max / gamma has fallen to this; give this or t_max."
    )
    compressed_prior: Literal["gaussian", "empirical", "zero"] = Field(
        "gaussian",
        description="PRR: how compressed latents are drawn for samples: from their Gaussian, "
        "resampled from inflated training data, or zero.",
    )
    solver: Solver | None = Field(
        None, description="Solver settings of this schedule; keys left out are the global ones."
    )
    label: Text | None = Field(None, description="How figures call the schedule; changes nothing else.")


class Mlp(Section):
    """A residual multi-layer perceptron with Fourier features, for data of few dimensions."""

    kind: Literal["mlp"] = Field(..., description="Kind of network.")
    width: Count = Field(128, description="Units of a layer.")
    blocks: Count = Field(3, description="Residual blocks.")
    frequencies: Annotated[int, Field(ge=0)] = Field(
        64, description="Random Fourier features of the whitened point; 0 for none."
    )
    bandwidth: PositiveNumber = Field(
        1.5, description="Standard deviation of their frequencies, per unit of the whitened point."
    )
    time_features: Count = Field(12, description="Smooth features of time.")
    space: Literal["eigen", "ambient"] = Field("eigen", description="Coordinates the network works in.")


class Unet(Section):
    """A convolutional U-Net for images."""

    kind: Literal["unet"] = Field(..., description="Kind of network.")
    preset: PresetName = Field(
        "small_8",
        description="Where the keys below come from if left out: ddpmpp is the paper's, of 54 M parameters for 32x32; "
        "small_ are for a CPU and images of that many pixels a side.",
    )
    channels: Annotated[list[Count], Field(min_length=1)] | None = Field(
        None, description="Channels, one number a resolution, each half the one before."
    )
    layers: Count | None = Field(None, description="Residual blocks a resolution.")
    attention: list[Count] | None = Field(
        None, description="Resolutions with self-attention, in pixels a side after patch."
    )
    dropout: Annotated[NonNegativeNumber, Field(lt=1)] | None = Field(
        None, description="Share of units dropped in training."
    )
    patch: Count | None = Field(
        None, description="Side of the squares of pixels that are folded into channels: 2 costs a quarter of 1."
    )
    channels_last: bool = Field(False, description="Memory layout of convolutions; a matter of speed alone.")
    space: Literal["ambient", "eigen"] = Field(
        "ambient", description="Coordinates the network works in: pixels, or those of the eigenbasis."
    )


Network = Annotated[Mlp | Unet, Field(discriminator="kind")]


class Training(Section):
    """Optimiser, targets, length, and the resources a job asks for."""

    steps: Count = Field(3_000, description="Optimiser steps.")
    batch_size: Count = Field(512, description="Points a step.")
    learning_rate: PositiveNumber = Field(5e-3, description="Peak learning rate of Adam.")
    warmup_steps: Annotated[int, Field(ge=0)] = Field(
        200, description="Steps of linear warm-up; a cosine decay follows."
    )
    ema_half_life: PositiveNumber = Field(100_000.0, description="Half-life of the averaged weights, in points seen.")
    targets: Literal["sample", "posterior_mean"] = Field(
        "posterior_mean",
        description="What is regressed: the clean point, or its posterior mean over references.",
    )
    reference_size: Count = Field(1_024, description="posterior_mean: points of the reference batch.")
    gradient_clip: PositiveNumber = Field(1.0, description="Largest norm of the gradient.")
    weight_decay: NonNegativeNumber = Field(0.0, description="Decoupled weight decay; 0 is plain Adam.")
    validate_every: Count = Field(500, description="Steps between validation losses.")
    validation_points: Count = Field(4_096, description="Noisy held-out points of a validation loss.")
    weighting: Literal["uniform", "flow"] = Field(
        "uniform",
        description="Weight of a direction's error at a time: uniform, or flow: by how far the flow moves along it "
        "then, which teaches images of a wide spectrum faster.",
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
    gpu: Annotated[int, Field(ge=0)] = Field(
        0, description="GPUs of a training job; several share each batch, one process a GPU."
    )


class Variant(Section):
    """A flow of the same data and schedule with something else about its network."""

    network: str | None = Field(None, description="Name of another network.")
    training: str | None = Field(None, description="Name of other training settings.")


class Config(Section):
    """Configuration of the Inflationary Flows workflow."""

    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)] = Field(
        ..., description="Data sets by name, each with its schedules."
    )
    schedules: Annotated[dict[ScheduleName, Schedule], Field(min_length=1)] = Field(
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
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(
        default_factory=lambda: [0], description="Training seeds; one flow each."
    )
