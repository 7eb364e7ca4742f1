"""The part of the configuration that compares flows with injective ones, as typed models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from inflationary_flows.config.fields import (
    Count,
    Duration,
    Memory,
    Name,
    NonNegativeNumber,
    PositiveNumber,
    ScheduleName,
    Section,
    Seed,
    Text,
    read_exponent_form,
)

# A hyper-parameter as a method's Settings have it; config/baseline_checks.py looks up which type each one is of.
_Finite = Annotated[float, Field(allow_inf_nan=False)]
PlainValue = Annotated[bool | int | _Finite | str | None, BeforeValidator(read_exponent_form)]
Options = dict[Name, PlainValue]


class Chart(Section):
    """The invertible layers of an injective flow; their width follows from the number of parameters of our network."""

    layers: Count = Field(6, description="Coupling layers.")
    univariate: Literal["spline", "affine"] = Field("spline", description="How a layer transforms each coordinate.")
    bins: Annotated[int, Field(ge=2)] = Field(8, description="spline: bins of a coordinate.")
    hidden_layers: Count = Field(2, description="Hidden layers of the networks inside of coupling layers.")
    conditioner: Literal["mlp", "convolution"] = Field(
        "mlp", description="What these networks are; convolution is for sets of images."
    )
    squeeze: Count = Field(4, description="convolution: side of the squares of pixels that are folded into channels.")
    latent_layers: Count = Field(3, description="Layers of the flow that describes the density of the latents.")


class Budget(Section):
    """What all methods get alike on a data set: layers, batches, and the resources a job asks for."""

    chart: Chart = Field(default_factory=Chart, description="Invertible layers of the injective flows.")
    batch_size: Count = Field(256, description="Points a step.")
    warmup_steps: Annotated[int, Field(ge=0)] = Field(
        50, description="Steps of linear warm-up, at most a fifth of all; a cosine decay follows."
    )
    ema_half_life: PositiveNumber = Field(20_000.0, description="Half-life of the averaged weights, in points seen.")
    gradient_clip: PositiveNumber = Field(1.0, description="Largest norm of the gradient.")
    exact_dims: Annotated[int, Field(ge=0)] = Field(
        4, description="Most kept dimensions with an exact log det of J^T J; above, it is estimated."
    )
    probes: Count = Field(1, description="Estimate: random vectors of a point.")
    cg_iterations: Count = Field(20, description="Estimate: most iterations of conjugate gradients.")
    cg_tolerance: PositiveNumber = Field(1e-3, description="Estimate: relative residual at which they end.")
    validate_every: Count = Field(100, description="Steps between validation losses.")
    validation_points: Count = Field(1_024, description="Held-out points of a validation loss.")
    search_share: Annotated[PositiveNumber, Field(le=1)] = Field(
        0.25, description="Steps of each candidate of the search, as a share of those of the training."
    )
    checkpoint_seconds: NonNegativeNumber = Field(20.0, description="Seconds between saved states to resume from.")
    threads: Count = Field(1, description="Threads of a job.")
    runtime: Duration = Field("1h", description="Time limit of a search, and of a training. Grows with each attempt.")
    mem: Memory = Field("4GB", description="Memory, likewise.")
    gpu: Annotated[int, Field(ge=0, le=1)] = Field(0, description="GPUs of a job.")


class ComparedImages(Section):
    """Images that every method generates; extractors and reference are those of experiments.images."""

    samples: Annotated[int, Field(ge=2)] = Field(10_000, description="Images generated for each sample seed.")
    sample_seeds: Annotated[list[Seed], Field(min_length=1)] = Field(
        default_factory=lambda: [0, 1, 2], description="Seeds of independent sets of images, by one model."
    )


class ComparedDataset(Section):
    """A data set that all methods are trained on."""

    schedules: Annotated[dict[ScheduleName, str], Field(min_length=1)] = Field(
        ...,
        description="Schedules that reduce dimensions, each with the name of its budget; all methods keep as many "
        "dimensions as they do.",
    )
    images: ComparedImages | None = Field(None, description="Also Frechet distances, of data sets of images.")


class ComparedMethod(Section):
    """A method with its hyper-parameters: those that are fixed, and those that the search chooses among."""

    kind: Name = Field(..., description="Module of inflationary_flows/baselines/methods.")
    label: Text | None = Field(None, description="How figures call the method; changes nothing else.")
    steps: dict[Name, Count] = Field(
        ..., description="Optimiser steps of a training, by budget: as many as take the same time with each method."
    )
    settings: Options = Field(
        default_factory=dict, description="Hyper-parameters of all candidates; others have the method's defaults."
    )
    candidates: Annotated[list[Options], Field(min_length=1)] = Field(
        ..., description="Hyper-parameters that the search tries, as many of each method."
    )


class Baselines(Section):
    """Flows beside injective flows, all trained, searched and measured by the same rules."""

    datasets: dict[Name, ComparedDataset] = Field(default_factory=dict, description="Data sets to do it with.")
    budgets: dict[Name, Budget] = Field(default_factory=dict, description="What methods get alike, by name.")
    methods: dict[Name, ComparedMethod] = Field(
        default_factory=dict, description="Methods by the name that tables have."
    )
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(
        default_factory=lambda: [0, 1, 2], description="Training seeds; one model each."
    )
    samples: Annotated[int, Field(ge=10)] = Field(
        5_000, description="Points a side of energy distance and classifier (or as many as the test split has)."
    )
    search_samples: Annotated[int, Field(ge=10)] = Field(
        2_000, description="Points a side of the search's energy distance (or as many as the validation split has)."
    )
    shown: Count = Field(1_000, description="Points in figures.")
    timing_steps: Count = Field(10, description="Steps of a turn, where methods are timed side by side.")
    timing_rounds: Count = Field(3, description="Turns of each method.")
    timing_samples: Count = Field(1_000, description="Points whose generation is timed.")
    seed: Seed = Field(0, description="Seed of the search, and of the points that are compared.")
