"""Pictures inside of a page: the bytes of their files, or smaller ones where all together would be too many."""

from __future__ import annotations

import base64
import hashlib
import io
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, ImageSequence, UnidentifiedImageError

from inflationary_flows.errors import ArtifactError

KINDS = {".png": "image/png", ".gif": "image/gif", ".webp": "image/webp"}
_SMALLER = "image/webp"
_QUALITY = 82
# Each time that a picture is made smaller, and the width in pixels below which it is left as it is.
_SCALE, _NARROWEST = 0.75, 600

# Figures are drawn for print; CSS counts 96 pixels for an inch.
_CSS_DOTS, _ENLARGED = 96, 1.45

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Picture:
    """A picture as the page has it.

    Attributes:
        path: Of its file, below the results.
        sha256: Of its file.
        width, height: Of its file, pixels.
        dots: Its pixels for each inch; 0 if the file does not say.
        kind: Media type of what is embedded.
        content: What is embedded: the file, unless it was made smaller.
        shrunk: What was done to make it smaller; empty for a file as it is.
    """

    path: str
    sha256: str
    width: int
    height: int
    dots: float
    kind: str
    content: bytes
    shrunk: str = ""

    @classmethod
    def read(cls, results: Path, path: str) -> Picture:
        """Reads a picture below a folder of results.

        Raises:
            ArtifactError: if the file is no picture.
        """
        content = (results / path).read_bytes()
        try:
            with Image.open(io.BytesIO(content)) as image:
                width, height = image.size
                dots = float(image.info.get("dpi", (0, 0))[0])
        except UnidentifiedImageError:
            hint = "delete the file and run the workflow again."
            raise ArtifactError(str(results / path), "a picture", "something else", hint) from None
        digest = hashlib.sha256(content).hexdigest()
        return cls(path, digest, width, height, dots, KINDS[Path(path).suffix], content)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in the page, CSS pixels: letters of all figures are equally large."""
        scale = _ENLARGED * _CSS_DOTS / self.dots if self.dots else 1.0
        return round(self.width * scale), round(self.height * scale)

    @property
    def uri(self) -> str:
        """The embedded bytes as a data URI."""
        return f"data:{self.kind};base64,{base64.b64encode(self.content).decode('ascii')}"


def fitted(pictures: Iterable[Picture], budget: int) -> list[Picture]:
    """Makes the largest pictures smaller, one after the other, until all of them fit.

    Arguments:
        pictures: Files as they are.
        budget: Bytes of all data URIs together.

    Returns:
        The pictures in their order; as large as they were if they fit, and larger than the budget if they cannot.
    """
    originals = {picture.path: picture for picture in pictures}
    fitting, widths = dict(originals), {path: picture.width for path, picture in originals.items()}
    while sum(4 * len(picture.content) / 3 for picture in fitting.values()) > budget:
        shrinkable = [path for path, width in widths.items() if width * _SCALE >= _NARROWEST]
        if not shrinkable:
            _log.warning("pictures are larger than the %.1f MB that the page has room for", budget / 1e6)
            break
        largest = max(shrinkable, key=lambda path: len(fitting[path].content))
        widths[largest] = round(widths[largest] * _SCALE)
        fitting[largest] = _shrink(originals[largest], widths[largest])
    return list(fitting.values())


def _shrink(picture: Picture, width: int) -> Picture:
    height = round(picture.height * width / picture.width)
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(picture.content)) as image:
        times = [int(frame.info.get("duration", 0)) for frame in ImageSequence.Iterator(image)]
        frames = [
            frame.convert("RGBA").resize((width, height), Image.Resampling.LANCZOS)
            for frame in ImageSequence.Iterator(image)
        ]
    animation = {"save_all": True, "append_images": frames[1:], "duration": times, "loop": 0} if len(frames) > 1 else {}
    frames[0].save(buffer, "WEBP", quality=_QUALITY, **animation)
    return replace(
        picture,
        kind=_SMALLER,
        content=buffer.getvalue(),
        shrunk=f"{width} x {height} of {picture.width} x {picture.height} pixels, WebP",
    )
