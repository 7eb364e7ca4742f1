"""Coordinates in which networks of full dimension see data: whitened, without directions in which these do not vary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.mathematics.eigenbasis import Eigenbasis, Rows
from inflationary_flows.mathematics.schedules import NULL_VARIANCE


@dataclass(frozen=True, eq=False)
class Whitening:
    """The first k principal directions in units of their standard deviations.

    Attributes:
        basis: Eigenbasis of the data.
    """

    basis: Eigenbasis

    @property
    def dimension(self) -> int:
        """Number of directions k in which the data vary: along the others no density exists."""
        return int((self.basis.eigenvalues > NULL_VARIANCE * self.basis.eigenvalues.max()).sum())

    def whiten(self, x: Rows) -> Tensor:
        """Data, shape (n, D), to whitened coordinates, shape (n, k), float32."""
        u = self.basis.to_eigen(torch.as_tensor(np.asarray(x), dtype=torch.float64))[:, : self.dimension]
        return (u / self._std).float()

    def restore(self, y: Tensor) -> np.ndarray:
        """Whitened coordinates, shape (n, k), to data, shape (n, D), float64."""
        u = y.double().cpu() * self._std
        left = self.basis.dimension - self.dimension
        return self.basis.from_eigen(torch.nn.functional.pad(u, (0, left))).numpy()

    @property
    def _std(self) -> Tensor:
        return self.basis.eigenvalues[: self.dimension].sqrt()
