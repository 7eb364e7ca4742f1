"""The result of every reader of images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inflationary_flows.data.pixels import ImageFormat


@dataclass(frozen=True, eq=False)
class ImageSource:
    """Images as their source has them.

    Attributes:
        parts: Grey levels (n, D), uint8, and a label of each (n,), float64, by part: `train`, then `test` and
            `validation` where the source sets them aside.
        image: Format of all of them.
        where: Name of the source in messages.
        record: Provenance: checksums, counts, filters.
    """

    parts: dict[str, tuple[np.ndarray, np.ndarray]]
    image: ImageFormat
    where: str
    record: dict[str, Any] = field(default_factory=dict)
