"""The part of the configuration that compares flows with injective ones, as typed models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from inflationary_flows.baselines.discovery import accepts, describe_option, method_names, option_names
from inflationary_flows.errors import ConfigError
from inflationary_flows.fields import (
    BudgetName,
    Count,
    DatasetName,
    Duration,
    Layers,
    Memory,
    Name,
    NonNegativeNumber,
    PositiveNumber,
    SampleSeeds,
    ScheduleName,
    Section,
    Seed,
    Seeds,
    Text,
    Whole,
    read_exponent_form,
)
from inflationary_flows.requirements import describe_value, key_of, listing, require_fit, suggest

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study

# Folders beside those of methods in results/baselines, and priors beside methods in tables.
RESERVED = ("costs", "comparison", "exact", "gaussian", "box")
# A hyper-parameter as a method's Settings have it; checks look up which type each one is of.
_Finite = Annotated[float, Field(allow_inf_nan=False)]
PlainValue = Annotated[bool | int | _Finite | str | None, BeforeValidator(read_exponent_form)]
Options = dict[Name, PlainValue]


class Chart(Section):
    """The invertible layers of an injective flow; their width follows from the number of parameters of our network."""

    layers: Layers = Field(6, description="Coupling layers.")
    univariate: Literal["spline", "affine"] = Field("spline", description="How a layer transforms each coordinate.")
    bins: Annotated[Count, Field(ge=2)] = Field(8, description="spline: bins of a coordinate.")
    hidden_layers: Layers = Field(2, description="Hidden layers of the networks inside of coupling layers.")
    conditioner: Literal["mlp", "convolution"] = Field(
        "mlp", description="What these networks are; convolution is for sets of images."
    )
    squeeze: Count = Field(4, description="convolution: side of the squares of pixels that are folded into channels.")
    latent_layers: Layers = Field(3, description="Layers of the flow that describes the density of the latents.")

    def require_fit(self, dataset: str, where: str, study: Study) -> None:
        """Raises `ConfigError` if convolutions cannot work on a data set."""
        if self.conditioner != "convolution":
            return
        image = study.image_of(dataset)
        if image is None:
            raise ConfigError(
                f"{where}.conditioner",
                f"mlp (data set {dataset} has points)",
                "convolution",
                f"give {dataset} another budget, or use mlp: only images have neighbouring pixels.",
            )
        channels, height, width = image.shape
        if height % self.squeeze or width % self.squeeze or channels * self.squeeze**2 < 2:
            raise ConfigError(
                f"{where}.squeeze",
                f"a divisor of {height}" + (" above 1" if channels == 1 else "") + f" (data set {dataset})",
                str(self.squeeze),
                "squares of pixels fill an image and become at least two channels: 2 or 4 do mostly.",
            )


class Budget(Section):
    """What all methods get alike on a data set: layers, batches, and the resources a job asks for."""

    chart: Chart = Field(default_factory=Chart, description="Invertible layers of the injective flows.")
    batch_size: Count = Field(256, description="Points a step.")
    warmup_steps: Whole = Field(
        50, description="Steps of linear warm-up, at most a fifth of all; a cosine decay follows."
    )
    ema_half_life: PositiveNumber = Field(20_000.0, description="Half-life of the averaged weights, in points seen.")
    gradient_clip: PositiveNumber = Field(1.0, description="Largest norm of the gradient.")
    exact_dims: Whole = Field(
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
    gpu: Annotated[Whole, Field(le=1)] = Field(0, description="GPUs of a job.")


class ComparedImages(Section):
    """Images that every method generates; extractors and reference are those of experiments.images."""

    samples: Annotated[Count, Field(ge=2)] = Field(10_000, description="Images generated for each sample seed.")
    sample_seeds: SampleSeeds = Field(
        default_factory=lambda: [0, 1, 2], description="Seeds of independent sets of images, by one model."
    )


class ComparedDataset(Section):
    """A data set that all methods are trained on."""

    schedules: Annotated[dict[ScheduleName, BudgetName], Field(min_length=1)] = Field(
        ...,
        description="Schedules that reduce dimensions, each with the name of its budget; all methods keep as many "
        "dimensions as they do.",
    )
    images: ComparedImages | None = Field(None, description="Also Frechet distances, of data sets of images.")

    def check(self, where: str, study: Study) -> None:
        """Schedules reduce dimensions of the data set, charts fit it, and images are measured elsewhere too."""
        name, config = key_of(where), study.config
        for schedule, budget in self.schedules.items():
            kept = config.schedules[schedule].kept_dims
            if kept is None:
                raise ConfigError(
                    f"{where}.schedules.{schedule}",
                    "a schedule with kept_dims, the dimensions that injective flows map from",
                    f"{schedule}, which preserves all",
                    "name one of PRR, or remove it.",
                )
            require_fit(kept, schedule, name, study.dimension_of(name))
            config.baselines.budgets[budget].chart.require_fit(name, f"baselines.budgets.{budget}.chart", study)
        if self.images is not None and name not in config.experiments.images:
            raise ConfigError(
                f"{where}.images",
                f"a data set of experiments.images ({listing(config.experiments.images) or 'there is none'})",
                name,
                "list it there too: extractors and reference are read from there.",
            )


class ComparedMethod(Section):
    """A method with its hyper-parameters: those that are fixed, and those that the search chooses among."""

    kind: Name = Field(..., description="Module of inflationary_flows/baselines/methods.")
    label: Text | None = Field(None, description="How figures call the method; changes nothing else.")
    steps: dict[BudgetName, Count] = Field(
        ..., description="Optimiser steps of a training, by budget: as many as take the same time with each method."
    )
    settings: Options = Field(
        default_factory=dict, description="Hyper-parameters of all candidates; others have the method's defaults."
    )
    candidates: Annotated[list[Options], Field(min_length=1)] = Field(
        ..., description="Hyper-parameters that the search tries, as many of each method."
    )

    def check(self, where: str, study: Study) -> None:
        """The kind exists and has the options, every budget in use has steps, and no candidate stands twice."""
        name, kinds = key_of(where), method_names()
        if name in RESERVED:
            raise ConfigError(
                where, "another name", f'"{name}", which the comparison uses itself', "rename the method."
            )
        if self.kind not in kinds:
            hint = suggest(self.kind, kinds, "a kind is a module of inflationary_flows/baselines/methods.")
            raise ConfigError(f"{where}.kind", f"one of the kinds {listing(kinds)}", f'"{self.kind}"', hint)
        for dataset in study.config.baselines.datasets.values():
            for budget in dataset.schedules.values():
                if budget not in self.steps:
                    raise ConfigError(
                        f"{where}.steps.{budget}",
                        "an integer of at least 1",
                        "nothing",
                        "add the steps that take the same time as those of other methods with this budget.",
                    )
        options = option_names(self.kind)
        self._check_options(self.settings, options, f"{where}.settings")
        earlier: list[Options] = []
        for index, candidate in enumerate(self.candidates):
            place = f"{where}.candidates[{index}]"
            self._check_options(candidate, options, place)
            whole = {**self.settings, **candidate}
            if whole in earlier:
                raise ConfigError(
                    place,
                    "every candidate once",
                    f"that of candidates[{earlier.index(whole)}] again",
                    "change one of the two: they would be trained alike.",
                )
            earlier.append(whole)

    def _check_options(self, given: Options, options: Mapping[str, str], where: str) -> None:
        for key, value in given.items():
            if key not in options:
                raise ConfigError(
                    f"{where}.{key}",
                    f"one of the options {listing(options) or '(there is none)'} (kind {self.kind})",
                    f'the unknown option "{key}"',
                    suggest(key, options, "remove it: a kind's options are the fields of its Settings."),
                )
            if not accepts(options[key], value):
                raise ConfigError(
                    f"{where}.{key}",
                    f"{describe_option(options[key])} (kind {self.kind})",
                    describe_value(value),
                    f"the option is annotated {options[key]} in the module {self.kind}.py of baselines/methods.",
                )


class Baselines(Section):
    """Flows beside injective flows, all trained, searched and measured by the same rules."""

    datasets: dict[DatasetName, ComparedDataset] = Field(default_factory=dict, description="Data sets to do it with.")
    budgets: dict[Name, Budget] = Field(default_factory=dict, description="What methods get alike, by name.")
    methods: dict[Name, ComparedMethod] = Field(
        default_factory=dict, description="Methods by the name that tables have."
    )
    seeds: Seeds = Field(default_factory=lambda: [0, 1, 2], description="Training seeds; one model each.")
    samples: Annotated[Count, Field(ge=10)] = Field(
        5_000, description="Points a side of energy distance and classifier (or as many as the test split has)."
    )
    search_samples: Annotated[Count, Field(ge=10)] = Field(
        2_000, description="Points a side of the search's energy distance (or as many as the validation split has)."
    )
    shown: Count = Field(1_000, description="Points in figures.")
    timing_steps: Count = Field(10, description="Steps of a turn, where methods are timed side by side.")
    timing_rounds: Count = Field(3, description="Turns of each method.")
    timing_samples: Count = Field(1_000, description="Points whose generation is timed.")
    seed: Seed = Field(0, description="Seed of the search, and of the points that are compared.")

    def check(self, where: str, study: Study) -> None:
        """There are methods to compare, and their searches are fair."""
        if self.datasets and not self.methods:
            got = f"none, with data sets {listing(self.datasets)}"
            raise ConfigError(f"{where}.methods", "at least one method", got, "configs/baselines.yaml compares four.")
        for name in self.datasets:
            if key := study.config.datasets[name].transforming:
                expected = "a data set whose columns are all real: compared methods know no others"
                hint = "give the comparison a data set of the same table without this key."
                raise ConfigError(f"{where}.datasets.{name}", expected, f"one with `{key}`", hint)
        counts = {name: len(method.candidates) for name, method in self.methods.items()}
        for name, count in counts.items():
            first = next(iter(counts))
            if count != counts[first]:
                raise ConfigError(
                    f"{where}.methods.{name}.candidates",
                    f"{counts[first]} candidates, as many as {first} has",
                    str(count),
                    "a search is fair if every method has as many tries.",
                )
