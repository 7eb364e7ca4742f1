r"""Training data as whitened rows w = W^T ((x - mean) / scale) / sqrt(xi): unit variance in every direction.

Points that fit are whitened once and kept where the network runs.  Images that are augmented, or too many to keep, are
read from their memory map batch by batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.mathematics.eigenbasis import Eigenbasis, Rows
from inflationary_flows.mathematics.schedules import Schedule
from inflationary_flows.training.augmentation import augment
from inflationary_flows.training.settings import TrainingSettings

# Whitened data up to this size are kept: all of CIFAR-10 and its mirror images.
KEPT_BYTES = 2**31
_ROWS = 4096


def whitened_data(x: Rows, basis: Eigenbasis, schedule: Schedule) -> Tensor:
    """Data in the eigenbasis over sqrt(xi), shape (n, D), float32: unit variance in every direction.

    Whole numbers have the noise of their cells that is always the same.
    """
    scale = schedule.eigenvalues.sqrt()
    x = basis.transforms.dequantised(x)
    parts = [
        (basis.to_eigen(torch.as_tensor(x[first : first + _ROWS], dtype=torch.float64)) / scale).float()
        for first in range(0, len(x), _ROWS)
    ]
    return torch.cat(parts)


class Examples(ABC):
    """Training data, drawn by number."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of examples."""

    @abstractmethod
    def draw(self, numbers: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Examples of given numbers.

        Arguments:
            numbers: Shape (n,), on the CPU.
            generator: Source of random augmentation.

        Returns:
            Whitened rows w, shape (n, D), float32, network's device; labels of their augmentation, (n, L), or None.
        """


class KeptExamples(Examples):
    """Whitened rows in memory, and those of their mirror images if they are flipped at random.

    Arguments:
        w: Whitened rows, shape (n, D).
        mirrored: Those of the mirror images, shape (n, D), or none.
    """

    def __init__(self, w: Tensor, mirrored: Tensor | None = None) -> None:
        self.w = w
        self.mirrored = mirrored

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.w)

    def draw(self, numbers: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Rows of these numbers, every second one mirrored if they are flipped."""
        rows = numbers.to(self.w.device)
        if self.mirrored is None:
            return self.w[rows], None
        flipped = torch.rand(len(numbers), generator=generator) < 0.5
        return torch.where(flipped.to(self.w.device)[:, None], self.mirrored[rows], self.w[rows]), None


class DequantisedExamples(Examples):
    """Rows of tables with whole numbers, which get the noise of their cells when they are drawn: each time another.

    Arguments:
        x: Rows, shape (n, D), data units.
        basis, schedule: Whitening of the data.
        device: Device of the network.
    """

    def __init__(self, x: Rows, basis: Eigenbasis, schedule: Schedule, device: str) -> None:
        self.x = torch.as_tensor(np.asarray(x), dtype=torch.float64)
        self.basis = basis
        self.scale = schedule.eigenvalues.sqrt()
        self.device = device

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.x)

    def draw(self, numbers: Tensor, generator: torch.Generator) -> tuple[Tensor, None]:
        """Rows of these numbers, with noise of their own."""
        transforms = self.basis.transforms
        uniform = torch.rand(len(numbers), len(transforms.integers), generator=generator, dtype=torch.float64)
        u = self.basis.to_eigen(transforms.spread(self.x[numbers], uniform))
        return (u / self.scale).float().to(self.device), None


class StreamedExamples(Examples):
    """Images that are decoded, mapped at random and whitened when they are drawn.

    Arguments:
        x: Images as rows, shape (n, D), [-1, 1].
        image: Channels, height and width.
        basis, schedule: Whitening of the data.
        flip, probability: As `flip` and `augment` of the training settings.
        device: Device of the network.
    """

    def __init__(
        self,
        x: Rows,
        image: Sequence[int],
        basis: Eigenbasis,
        schedule: Schedule,
        *,
        flip: bool,
        probability: float,
        device: str,
    ) -> None:
        basis.require_affine("images")
        self.x = x
        self.image = tuple(image)
        self.flip = flip
        self.probability = probability
        self.mean, self.scale = basis.mean.float().to(device), basis.scale.float().to(device)
        self.whitener = (basis.vectors / schedule.eigenvalues.sqrt()).float().to(device)

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.x)

    def draw(self, numbers: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Images of these numbers, augmented, as whitened rows; and the labels of their augmentation."""
        x = torch.from_numpy(self.x[numbers.numpy()]).float().to(self.mean.device)
        images = x.view(len(x), *self.image)
        labels = None
        if self.flip:
            flipped = torch.rand(len(numbers), generator=generator) < 0.5
            images = torch.where(flipped.to(x.device)[:, None, None, None], images.flip(3), images)
        if self.probability > 0:
            images, labels = augment(images, self.probability, generator)
        return ((images.flatten(1) - self.mean) / self.scale) @ self.whitener, labels


def make_examples(
    x: Rows,
    basis: Eigenbasis,
    schedule: Schedule,
    settings: TrainingSettings,
    image: Sequence[int] | None,
    device: str,
) -> Examples:
    """Prepares training data as the settings ask.

    Arguments:
        x: Data, shape (n, D), data units.
        basis, schedule: Whitening of the data.
        settings: `flip` and `augment` are for images.
        image: Channels, height and width, if rows are images.
        device: Device of the network.
    """
    size = 4 * len(x) * basis.dimension * (2 if settings.flip else 1)
    if image is not None and (settings.augment > 0 or size > KEPT_BYTES):
        return StreamedExamples(
            x, image, basis, schedule, flip=settings.flip, probability=settings.augment, device=device
        )
    if basis.transforms.integers:
        return DequantisedExamples(x, basis, schedule, device)
    w = whitened_data(x, basis, schedule).to(device)
    if not (settings.flip and image is not None):
        return KeptExamples(w)
    return KeptExamples(w, whitened_data(Mirrored(x, image), basis, schedule).to(device))


class Mirrored:
    """Images as rows, seen in a mirror.

    Arguments:
        x: Images, shape (n, D).
        image: Channels, height and width.
    """

    def __init__(self, x: Rows, image: Sequence[int]) -> None:
        self.x = x
        self.image = tuple(image)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, D)."""
        return self.x.shape

    def __len__(self) -> int:
        """Number of images."""
        return len(self.x)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Rows as float64, mirrored left to right."""
        x = self.x[rows]
        return x.reshape(len(x), *self.image)[..., ::-1].reshape(len(x), -1).copy()
