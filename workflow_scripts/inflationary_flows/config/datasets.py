"""Data sets as typed models, a class for each kind of source, with its keys, defaults and checks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from inflationary_flows.config.images import CHECKSUM, Download, require_checksum, require_source
from inflationary_flows.config.own_tables import (
    NpyTable,
    NpzTable,
    ParquetTable,
    ScikitLearnTable,
    TextTable,
    WorkbookTable,
)
from inflationary_flows.config.sources import MOST_NUMBERS, USES, Fractions, Source
from inflationary_flows.data.download import file_name
from inflationary_flows.data.idx_names import OFFICIAL_NAMES, TEST_IMAGES
from inflationary_flows.data.toys import TOYS
from inflationary_flows.errors import ConfigError
from inflationary_flows.fields import Count, Fraction, NonNegativeNumber, Section, Text
from inflationary_flows.requirements import key_of, listing, require_file

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study

ToyName = Literal["circles", "moons", "sine", "s_curve", "swirl", "alt_s_curve", "alt_swirl"]
ResizeFilter = Literal["box", "bilinear", "hamming", "bicubic", "lanczos"]
Resolution = Annotated[Count, Field(ge=2, le=4_096)]


class Sizes(Section):
    """Numbers of points drawn for a toy or a mixture."""

    train: Annotated[Count, Field(ge=2)] = Field(50_000, description="Points to train on.")
    validation: Annotated[Count, Field(ge=2)] = Field(10_000, description="Points for the validation loss.")
    test: Annotated[Count, Field(ge=2)] = Field(20_000, description="Fresh points for the experiments.")


class PatchSizes(Section):
    """Numbers of patches cut from photographs."""

    train: Annotated[Count, Field(ge=2)] = Field(20_000, description="Patches to train on.")
    validation: Annotated[Count, Field(ge=2)] = Field(1_000, description="Patches for the validation loss.")
    test: Annotated[Count, Field(ge=2)] = Field(4_000, description="Patches for the experiments.")


class Toy(Source):
    """Points drawn from a known density."""

    kind: ToyName = Field(..., description="The toy. May be left out where the data set is named like one.")
    sizes: Sizes = Field(default_factory=Sizes, description="Numbers of points of the splits.")

    def check(self, where: str, study: Study) -> None:
        """There are points enough for a covariance."""
        super().check(where, study)
        _require_rank(self.sizes, study.dimension_of(key_of(where)), where)


class EmbeddedToy(Source):
    """A toy in a space of more dimensions."""

    kind: Literal["embedded"] = Field(..., description="Kind of data set.")
    base: ToyName = Field(..., description="The toy that is embedded.")
    dimension: Annotated[Count, Field(ge=3, le=10_000)] = Field(
        ..., description="The number of coordinates D it is put into."
    )
    sizes: Sizes = Field(default_factory=Sizes, description="Numbers of points of the splits.")

    def check(self, where: str, study: Study) -> None:
        """The space has more dimensions than the toy, and there are points enough for a covariance."""
        base = TOYS[self.base]
        if self.dimension <= base.dimension:
            raise ConfigError(
                f"{where}.dimension",
                f"an integer above {base.dimension}, the dimension of {base.name}",
                str(self.dimension),
                "raise it, or choose a base with fewer dimensions.",
            )
        super().check(where, study)
        _require_rank(self.sizes, self.dimension, where)


class GaussianMixture(Source):
    """A mixture of Gaussians that differ in place and in correlations, of a decaying spectrum."""

    kind: Literal["gaussian_mixture"] = Field(..., description="Kind of data set.")
    dimension: Annotated[Count, Field(ge=2, le=10_000)] = Field(..., description="Number of coordinates D.")
    components: Annotated[Count, Field(le=1_000)] = Field(5, description="Number of Gaussians, of equal weight.")
    decay: NonNegativeNumber = Field(1.0, description="Exponent a of the spectrum: variances fall as i^-a.")
    separation: NonNegativeNumber = Field(
        1.0, description="Spread of the means, in standard deviations of a component."
    )
    sizes: Sizes = Field(default_factory=Sizes, description="Numbers of points of the splits.")

    def check(self, where: str, study: Study) -> None:
        """There are points enough for a covariance, and components fit into memory."""
        super().check(where, study)
        _require_rank(self.sizes, self.dimension, where)
        numbers = 2 * self.components * self.dimension**2
        if numbers > MOST_NUMBERS:
            expected = f"at most {MOST_NUMBERS // (2 * self.dimension**2)} (D = {self.dimension})"
            got = str(self.components)
            raise ConfigError(f"{where}.components", expected, got, "covariances are kept in memory: take fewer.")


def _require_rank(sizes: Sizes, dimension: int, where: str) -> None:
    if sizes.train <= dimension:
        raise ConfigError(
            f"{where}.sizes.train",
            f"an integer of at least {dimension + 1} (D = {dimension})",
            str(sizes.train),
            "a covariance of full rank needs more points than dimensions.",
        )
    _require_memory(sizes, dimension, where)


def _require_memory(sizes: Sizes | PatchSizes, dimension: int, where: str) -> None:
    points = sizes.train + sizes.validation + sizes.test
    if points * dimension > MOST_NUMBERS:
        expected = f"at most {MOST_NUMBERS // dimension} points in all (D = {dimension})"
        raise ConfigError(f"{where}.sizes", expected, str(points), "draw fewer: they are kept in memory.")


class Digits(Source):
    """The 8x8 digits of scikit-learn."""

    kind: Literal["digits"] = Field(
        ..., description="Kind of data set. May be left out where the data set is named digits."
    )
    fractions: Fractions = Field(default_factory=Fractions, description="Shares of rows of the splits.")


class PhotoPatches(Source):
    """Patches of photographs."""

    kind: Literal["photo_patches"] = Field(..., description="Kind of data set.")
    resolution: Annotated[Count, Field(ge=2, le=64)] = Field(
        32, description="Pixels a side after resizing; patches are cut at least 64 pixels wide."
    )
    resize: ResizeFilter = Field("box", description="The filter that resizes them.")
    sizes: PatchSizes = Field(default_factory=PatchSizes, description="Numbers of patches of the splits.")

    def check(self, where: str, study: Study) -> None:
        """Patches fit into memory."""
        super().check(where, study)
        _require_memory(self.sizes, study.dimension_of(key_of(where)), where)


class ImageFiles(Source):
    """Images from files."""

    path: Text | None = Field(
        None,
        description="The file (image_folder and idx: or the folder), looked for beside the configuration first.",
    )
    checksum: Text | None = Field(
        None, description="What the file at path must hash to, sha256:... or md5:...", json_schema_extra=CHECKSUM
    )
    download: Annotated[list[Download], Field(min_length=1)] | None = Field(
        None, description="Files to fetch instead of a path; one, but for idx."
    )

    @property
    def takes_folder(self) -> bool:
        """Whether `path` may be a folder."""
        return self.kind in ("idx", "image_folder")

    def check(self, where: str, study: Study) -> None:
        """Images are either there or fetched, and are the right ones."""
        require_source(self.path, self.download, where)
        if self.path is not None:
            require_file(self.path, f"{where}.path", or_folder=self.takes_folder)
        if self.checksum is not None:
            self._check_checksum(self.checksum, f"{where}.checksum")
        if self.kind != "idx" and len(self.download or ()) > 1:
            got = str(len(self.download or ()))
            raise ConfigError(f"{where}.download", f"one file (kind {self.kind})", got, "keep one of them.")
        super().check(where, study)

    def _check_checksum(self, checksum: str, where: str) -> None:
        if self.path is None:
            hint = "give the checksum within the entry of download."
            raise ConfigError(where, "the key only beside path", "it beside download", hint)
        require_checksum(checksum, where)
        if Path(self.path).is_dir():
            raise ConfigError(
                where, "the key only beside the path of a file", f'the folder "{self.path}"', "remove it."
            )


class Archive(ImageFiles):
    """Images of which the publisher sets some aside for testing."""

    fractions: Fractions | None = Field(
        None, description="Shares of rows of the splits; the archive's own test part is then pooled with the rest."
    )
    validation_share: Fraction | None = Field(
        None, description="Share of the training part that is kept for validation (default 0.02)."
    )

    @property
    def has_test_part(self) -> bool:
        """Whether there are images that are set aside."""
        return True

    def settings(self) -> dict[str, Any]:
        """What the points depend on: the test part that is there, or a cut into three."""
        chosen = self.model_dump(exclude_none=True, exclude={*USES, "fractions", "validation_share"})
        if self.fractions is None and self.has_test_part:
            return chosen | {"validation_share": self.validation_share or 0.02}
        return chosen | {"fractions": (self.fractions or Fractions()).model_dump()}

    def check(self, where: str, study: Study) -> None:
        """Images are split in one way, which is possible."""
        super().check(where, study)
        if self.validation_share is None:
            return
        if self.fractions is not None:
            raise ConfigError(
                f"{where}.validation_share",
                "fractions or validation_share",
                "both",
                "keep fractions to pool and cut everything, validation_share to keep the archive's own test part.",
            )
        if not self.has_test_part:
            raise ConfigError(
                f"{where}.validation_share",
                "files with a test part, t10k-...",
                "a source without one",
                "give fractions instead: the images have to be cut into three.",
            )


class Cifar10(Archive):
    """The archive of CIFAR-10."""

    kind: Literal["cifar10"] = Field(..., description="Kind of data set.")


class Afhqv2(Archive):
    """The archive of AFHQv2."""

    kind: Literal["afhqv2"] = Field(..., description="Kind of data set.")
    resolution: Resolution = Field(32, description="Pixels a side after resizing.")
    resize: ResizeFilter = Field("lanczos", description="The filter that resizes images.")


class Idx(Archive):
    """Grey images in the format of MNIST."""

    kind: Literal["idx"] = Field(..., description="Kind of data set.")
    resolution: Resolution = Field(28, description="Pixels a side that the file has.")

    @property
    def has_test_part(self) -> bool:
        """Whether files of the test part are among those given."""
        if self.download is not None:
            return TEST_IMAGES in map(_plain, self._names())
        return Path(str(self.path)).is_dir()

    def check(self, where: str, study: Study) -> None:
        """Several files are told apart by their names."""
        names = self._names()
        for index, name in enumerate(names):
            place = f"{where}.download[{index}].url"
            if name in names[:index]:
                raise ConfigError(place, "every file name once", f'"{name}" twice', "remove one of them.")
            if len(names) > 1 and _plain(name) not in OFFICIAL_NAMES:
                raise ConfigError(
                    place,
                    f"one of the names {listing(OFFICIAL_NAMES)}, with .gz or without",
                    f'"{name}"',
                    "several files are told apart by their official names; a single one may have any.",
                )
        super().check(where, study)

    def _names(self) -> list[str]:
        return [file_name(item.url) or "" for item in self.download or ()]


def _plain(name: str) -> str:
    return name.removesuffix(".gz")


class ImageFolder(ImageFiles):
    """A folder of images of your own, or an archive of one."""

    kind: Literal["image_folder"] = Field(..., description="Kind of data set.")
    resolution: Resolution = Field(..., description="Pixels a side after resizing.")
    resize: ResizeFilter = Field("lanczos", description="The filter that resizes images.")
    channels: Literal[1, 3] = Field(3, description="3 for colour, 1 for grey.")
    fractions: Fractions = Field(default_factory=Fractions, description="Shares of rows of the splits.")


Dataset = Annotated[
    Toy
    | EmbeddedToy
    | GaussianMixture
    | Digits
    | Cifar10
    | Afhqv2
    | Idx
    | ImageFolder
    | PhotoPatches
    | NpyTable
    | NpzTable
    | ParquetTable
    | ScikitLearnTable
    | TextTable
    | WorkbookTable,
    Field(discriminator="kind"),
]
