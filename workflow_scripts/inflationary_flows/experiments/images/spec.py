"""What is shown of generated images and of round trips, as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from inflationary_flows.data.pixels import EIGHT_BITS
from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import Experiment, Figure
from inflationary_flows.fields import (
    Count,
    DatasetName,
    EstimatedDuration,
    EstimatedMemory,
    ExtractorName,
    NonNegativeNumber,
    SampleSeeds,
    Section,
    SolverName,
    Unique,
    Whole,
)
from inflationary_flows.requirements import key_of, require_fixed_steps

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study


_SWEPT_STEPS: dict[SolverName, list[int]] = {
    "adams_bashforth6": [10, 15, 35, 65, 95],
    "heun_scaled": [20, 64, 256],
}


class Sweep(Section):
    """Frechet distance and round-trip error of images against network evaluations."""

    samples: Annotated[Count, Field(ge=2)] = Field(
        1_000, description="Images generated, from the same latents each time."
    )
    roundtrip: Count = Field(100, description="Images carried to latents and back.")
    steps: dict[SolverName, Annotated[list[Count], Field(min_length=1)]] = Field(
        default_factory=lambda: dict(_SWEPT_STEPS),
        description="Numbers of steps by solver; heun_scaled with 256 is the paper's, of 511 evaluations.",
    )

    def check(self, where: str, study: Study) -> None:
        """dopri5 chooses its own steps."""
        require_fixed_steps(self.steps, f"{where}.steps", "remove it.")


def _default_extractors() -> list[ExtractorName]:
    return ["efficientnet_lite0"]


class ImageExperiment(Section):
    """Images that flows generate, and how far they are from the data."""

    samples: Annotated[Count, Field(ge=2)] = Field(10_000, description="Images generated for each sample seed.")
    sample_seeds: SampleSeeds = Field(
        default_factory=lambda: [0, 1, 2], description="Seeds of independent sets of images, by one network."
    )
    shard_size: Count = Field(2_500, description="Images of one job.")
    batch_size: Count | None = Field(
        None, description="Images carried at once; by default as many as keep a small network in the cache of a CPU."
    )
    extractors: Annotated[list[ExtractorName], Field(min_length=1), Unique("extractor")] = Field(
        default_factory=_default_extractors,
        description="Networks whose features are compared; inception needs its weights, see extractors.",
    )
    reference: Literal["train", "test", "all"] = Field(
        "train", description="Images compared with: train has those of validation as well."
    )
    feature_samples: Annotated[Count, Field(ge=2)] = Field(
        10_000, description="Most reference images for KID, precision and recall."
    )
    roundtrip: Count = Field(10_000, description="Images carried to latents and back (or as many as there are).")
    roundtrip_split: Literal["train", "test", "all"] = Field("test", description="Where these come from.")
    pictures: Count = Field(8, description="Images of each kind in figures.")
    sweep: Sweep | None = Field(None, description="Also measure against evaluations, as far as given.")
    tf32: bool = Field(False, description="GPUs: let the network's products round to TF32.")
    compile: bool = Field(False, description="Compile the network by torch.compile.")
    checkpoint_seconds: NonNegativeNumber = Field(
        120.0, description="Seconds after which a job keeps the images it has done, to resume from."
    )
    runtime: EstimatedDuration = Field(
        "1h", description="Time limit of a job; auto estimates it from the network. Grows with each attempt."
    )
    mem: EstimatedMemory = Field("4GB", description="Memory of a job, likewise.")
    gpu: Annotated[Whole, Field(le=1)] = Field(0, description="GPUs of a job.")

    def check(self, where: str, study: Study) -> None:
        """The data set has images, its extractors know such images and have weights, and jobs can be counted."""
        name = key_of(where)
        if self.samples > 10_000 * self.shard_size:
            expected = f"at least {-(-self.samples // 10_000)}, for 10000 jobs a set of images"
            raise ConfigError(f"{where}.shard_size", expected, str(self.shard_size), "raise it, or lower samples.")
        image = study.image_of(name)
        if image is None:
            raise ConfigError(where, "a data set of images", f"{name} of kind {study.kind_of(name)}", "remove it.")
        for index, extractor in enumerate(self.extractors):
            if (extractor == "digits_classifier") != (image.levels != EIGHT_BITS):
                raise ConfigError(
                    f"{where}.extractors[{index}]",
                    "digits_classifier for the digits, inception or efficientnet_lite0 for other images",
                    extractor,
                    "features are to be those of a network that knows such images.",
                )
            if extractor == "inception" and study.config.extractors.inception is None:
                raise ConfigError(
                    "extractors.inception",
                    f"the weights of the extractor that {where} asks for",
                    "nothing",
                    "add path, or download with url and checksum; or use efficientnet_lite0.",
                )


EXPERIMENT = Experiment(
    settings=dict[DatasetName, ImageExperiment],
    datasets=lambda study: list(dict.fromkeys(flow[0] for flow in study.images.flows)),
    reads=lambda study, dataset: {"pictures": study.images.pictures(dataset)},
    drawing=lambda study, dataset: {
        "schedules": [schedule for _, schedule, _ in study.images.by_dimensions(dataset)],
        "levels": study.images.levels(dataset),
    },
    stage="reporting",
    shown=(
        Figure(
            "fig05_{dataset}",
            "5",
            "Images, latents, reconstructions and samples",
            "Images",
            """
            Images of ``{{ snakemake.wildcards.dataset }}``, a band for each flow, by kept dimensions and gap: held-out
            images, their latents, reconstructions from these, and samples. Latents are transformed from the eigenbasis
            back to pixels and shown up to a fixed multiple of their standard deviation. Grey images on a dark ground
            are shown as ink on paper. Paper: samples and round trips of its flows of images. Here: images chosen by the
            sample seed, not by eye; the errors of round trips are in their table.
            """,
        ),
        Figure(
            "samples_{dataset}",
            "A7",
            "Samples by kept dimensions and by gap",
            "Images",
            """
            Images of ``{{ snakemake.wildcards.dataset }}``: held-out data above, then samples of each flow, ordered by
            kept dimensions and by gap. The flow that preserves all dimensions is last. Samples are the first of their
            sample seed and are not chosen. Grey images on a dark ground are shown as ink on paper. Paper: samples of
            CIFAR-10, and samples at varying gaps. Here: the schedules of the configuration.
            """,
        ),
    ),
)
