"""The part of the configuration that is about images: files to fetch, extractors of features, experiments."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from inflationary_flows.config.fields import (
    Count,
    EstimatedDuration,
    EstimatedMemory,
    ExtractorName,
    NonNegativeNumber,
    PositiveNumber,
    Section,
    Seed,
    SolverName,
    Text,
)

# Schema only: config/checks.py says in words what is wrong.
CHECKSUM: dict[str, Any] = {"pattern": "^(record|sha256:[0-9a-f]{64}|md5:[0-9a-f]{32})$"}


class Download(Section):
    """A file to fetch before anything else, and how to know that it is the right one."""

    url: Text = Field(..., description="Where the file is: an address that begins with https, http or file.")
    checksum: Text = Field(
        ...,
        description="What the file must hash to: sha256:... or md5:...; record where nobody publishes one.",
        json_schema_extra=CHECKSUM,
    )


class Inception(Section):
    """The network of the FID: weights by path, or fetched."""

    path: Text | None = Field(None, description="File of the weights, relative to the working directory.")
    download: Download | None = Field(None, description="Where to fetch it, in place of path.")
    sha256: Annotated[Text, Field(json_schema_extra={"pattern": "^[0-9a-f]{64}$"})] = Field(
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        description="What the file must hash to; only with the official one is the distance called FID.",
    )
    layer: Literal["64", "192", "768", "2048"] = Field("2048", description="Layer whose features are read.")


class DigitsClassifier(Section):
    """The network that the workflow trains to tell digits apart, and whose features compare them."""

    steps: Count = Field(600, description="Optimiser steps.")
    batch_size: Count = Field(128, description="Digits a step.")
    learning_rate: PositiveNumber = Field(3e-3, description="Peak learning rate of AdamW.")
    weight_decay: NonNegativeNumber = Field(1e-2, description="Decoupled weight decay.")
    channels: Count = Field(16, description="Channels of the first convolution.")
    features: Count = Field(64, description="Features.")
    seed: Seed = Field(0, description="Seed of weights and batches.")


class Extractors(Section):
    """Networks whose features tell how far images are apart; EfficientNet-Lite0 comes in a package."""

    inception: Inception | None = Field(None, description="The network of the FID.")
    digits_classifier: DigitsClassifier = Field(
        default_factory=DigitsClassifier, description="A classifier of digits that the workflow trains."
    )


_SWEPT_STEPS: dict[SolverName, list[int]] = {
    "adams_bashforth6": [10, 15, 35, 65, 95],
    "heun_scaled": [20, 64, 256],
}


class Sweep(Section):
    """Frechet distance and round-trip error of images against network evaluations."""

    samples: Annotated[int, Field(ge=2)] = Field(
        1_000, description="Images generated, from the same latents each time."
    )
    roundtrip: Count = Field(100, description="Images carried to latents and back.")
    steps: dict[SolverName, Annotated[list[Count], Field(min_length=1)]] = Field(
        default_factory=lambda: dict(_SWEPT_STEPS),
        description="Numbers of steps by solver; heun_scaled with 256 is the paper's, of 511 evaluations.",
    )


def _default_extractors() -> list[ExtractorName]:
    return ["efficientnet_lite0"]


class ImageExperiment(Section):
    """Images that flows generate, and how far they are from the data."""

    samples: Annotated[int, Field(ge=2)] = Field(10_000, description="Images generated for each sample seed.")
    sample_seeds: Annotated[list[Seed], Field(min_length=1)] = Field(
        default_factory=lambda: [0, 1, 2], description="Seeds of independent sets of images, by one network."
    )
    shard_size: Count = Field(2_500, description="Images of one job.")
    batch_size: Count | None = Field(
        None, description="Images carried at once; by default as many as keep a small network in the cache of a CPU."
    )
    extractors: Annotated[list[ExtractorName], Field(min_length=1)] = Field(
        default_factory=_default_extractors,
        description="Networks whose features are compared; inception needs its weights, see extractors.",
    )
    reference: Literal["train", "test", "all"] = Field(
        "train", description="Images compared with: train has those of validation as well."
    )
    feature_samples: Annotated[int, Field(ge=2)] = Field(
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
    gpu: Annotated[int, Field(ge=0, le=1)] = Field(0, description="GPUs of a job.")
