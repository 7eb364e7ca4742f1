"""The part of the configuration that is about images: files to fetch, extractors of features, experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from inflationary_flows.data.checksums import RECORD, is_checksum
from inflationary_flows.data.download import SCHEMES, file_name
from inflationary_flows.errors import ConfigError
from inflationary_flows.fields import (
    Count,
    NonNegativeNumber,
    PositiveNumber,
    Section,
    Seed,
    Text,
    Width,
)
from inflationary_flows.requirements import listing, require_file, require_one

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study

# Schema only: `require_checksum` says in words what is wrong.
CHECKSUM: dict[str, Any] = {"pattern": "^(record|sha256:[0-9a-f]{64}|md5:[0-9a-f]{32})$"}


class Download(Section):
    """A file to fetch before anything else, and how to know that it is the right one."""

    url: Text = Field(..., description="Where the file is: an address that begins with https, http or file.")
    checksum: Text = Field(
        ...,
        description="What the file must hash to: sha256:... or md5:...; record where nobody publishes one.",
        json_schema_extra=CHECKSUM,
    )

    def check(self, where: str, study: Study) -> None:
        """The file can be fetched, and its checksum is one."""
        if file_name(self.url) is None:
            raise ConfigError(
                f"{where}.url",
                f"an address that begins with {listing(SCHEMES)} and ends in a plain file name of at most 200 letters",
                f'"{self.url}"',
                "write it as https://host/folder/file.zip.",
            )
        require_checksum(self.checksum, f"{where}.checksum")


def require_checksum(checksum: str, where: str) -> None:
    """Raises `ConfigError` if a text is no checksum."""
    if not is_checksum(checksum):
        raise ConfigError(
            where,
            f'"sha256:" and 64 or "md5:" and 32 small hexadecimal digits, or "{RECORD}"',
            f'"{checksum}"',
            "copy it from where the file is published; record notes down what is found.",
        )


def require_source(path: str | None, download: Any, where: str) -> None:
    """Raises `ConfigError` unless files are either there or fetched."""
    hint = "name the file you have by path, or let the workflow fetch it by download."
    require_one({"path": path, "download": download}, where, hint)


class Inception(Section):
    """The network of the FID: weights by path, or fetched."""

    path: Text | None = Field(None, description="File of the weights, looked for like tables.")
    download: Download | None = Field(None, description="Where to fetch it, in place of path.")
    sha256: Annotated[Text, Field(json_schema_extra={"pattern": "^[0-9a-f]{64}$"})] = Field(
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        description="What the file must hash to; only with the official one is the distance called FID.",
    )
    layer: Literal["64", "192", "768", "2048"] = Field("2048", description="Layer whose features are read.")

    def check(self, where: str, study: Study) -> None:
        """There are weights."""
        require_source(self.path, self.download, where)
        if self.path is not None:
            require_file(self.path, f"{where}.path")


class DigitsClassifier(Section):
    """The network that the workflow trains to tell digits apart, and whose features compare them."""

    steps: Count = Field(600, description="Optimiser steps.")
    batch_size: Count = Field(128, description="Digits a step.")
    learning_rate: PositiveNumber = Field(3e-3, description="Peak learning rate of AdamW.")
    weight_decay: NonNegativeNumber = Field(1e-2, description="Decoupled weight decay.")
    channels: Width = Field(16, description="Channels of the first convolution.")
    features: Width = Field(64, description="Features.")
    seed: Seed = Field(0, description="Seed of weights and batches.")


class Extractors(Section):
    """Networks whose features tell how far images are apart; EfficientNet-Lite0 comes in a package."""

    inception: Inception | None = Field(None, description="The network of the FID.")
    digits_classifier: DigitsClassifier = Field(
        default_factory=DigitsClassifier, description="A classifier of digits that the workflow trains."
    )
