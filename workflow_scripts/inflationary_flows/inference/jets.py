r"""Second derivatives of the flow from data to latents, forwards, without a graph.

A jet of order two at a point holds a value, its derivatives along D directions, and the D (D + 1) / 2 second ones, here
as rows of one tensor, values first.  A linear map takes each row alone, and a function f of single numbers maps

    h -> f(h),      h_j -> f'(h) h_j,      h_jk -> f'(h) h_jk + f''(h) h_j h_k .

The solver carries the jets of all points like points.  Its steps are linear in the slopes, so that the derivatives are
those of the steps.  In few dimensions this is a third of the cost of forward tangents and a backward pass through them:
the arithmetic is the same, and thousands of small operations of the graph are saved.
"""

from __future__ import annotations

import math
from typing import TypeGuard

import torch
from torch import Tensor

from inflationary_flows.mathematics.denoisers import Denoiser, NetworkDenoiser
from inflationary_flows.mathematics.grids import TimeGrid
from inflationary_flows.mathematics.pfode import whitened_speed
from inflationary_flows.networks.mlp import ResidualBlock, ResidualMLP

# Above this second derivatives are more rows than a backward pass takes.
_MOST_DIMENSIONS = 3


def supports_jets(denoiser: Denoiser) -> TypeGuard[NetworkDenoiser]:
    """Whether a denoiser is a perceptron on data of few dimensions, all of which it sees."""
    return (
        isinstance(denoiser, NetworkDenoiser)
        and isinstance(denoiser.network, ResidualMLP)
        and denoiser.space == "eigen"
        and denoiser.schedule.dimension <= _MOST_DIMENSIONS
        and bool(denoiser.schedule.spanned.all())
    )


class JetField:
    """d(jet)/ds along the flow, in whitened coordinates, for jets of shape (1 + D + D (D + 1) / 2, n, D).

    Arguments:
        denoiser: A network in the eigenbasis; see `supports_jets`.
        grid: Map from the solver's s in [0, 1] to time.
    """

    def __init__(self, denoiser: NetworkDenoiser, grid: TimeGrid) -> None:
        assert isinstance(denoiser.network, ResidualMLP)
        self.network = denoiser.network
        self.grid = grid
        self.dimension = denoiser.schedule.dimension
        self.pairs = torch.triu_indices(self.dimension, self.dimension, device=denoiser.device)
        # The solver comes back to the same few places in every gradient.
        self._known: dict[float, tuple[Tensor, list[Tensor]]] = {}

    def start(self, y: Tensor) -> Tensor:
        """Jets of points, shape (n, D), by themselves: the identity as first derivatives, no second ones."""
        jet = y.new_zeros(1 + self.dimension + self.pairs.shape[1], *y.shape)
        jet[0] = y
        jet[1 : 1 + self.dimension] = torch.eye(self.dimension, dtype=y.dtype, device=y.device)[:, None]
        return jet

    def split(self, jet: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values y_i, derivatives J_ij and H_ijk, shapes (n, D), (n, D, D) and (n, D, D, D)."""
        (first, second), rows = self.pairs, jet[1 + self.dimension :].permute(1, 2, 0)
        hessian = rows.new_empty(*rows.shape[:2], self.dimension, self.dimension)
        hessian[..., first, second] = hessian[..., second, first] = rows
        return jet[0], jet[1 : 1 + self.dimension].permute(1, 2, 0), hessian

    def __call__(self, jet: Tensor, s: float) -> Tensor:
        speed, shifts = self._at(s)
        return self._push(jet.to(shifts[0]), shifts).to(jet) * speed.to(jet)

    def _at(self, s: float) -> tuple[Tensor, list[Tensor]]:
        """Speed of the field at s, shape (D,), and what each block adds to its values."""
        if s not in self._known:
            network, schedule = self.network, self.grid.schedule
            t, speed = whitened_speed(schedule, self.grid.settings, s)
            time = network.time(network.clock(schedule.clock(t).to(network.last.weight).expand(1)))
            self._known[s] = speed, [block.time(time) + block.inner.bias for block in self._blocks()]
        return self._known[s]

    def _blocks(self) -> list[ResidualBlock]:
        return [block for block in self.network.blocks if isinstance(block, ResidualBlock)]

    def _push(self, jet: Tensor, shifts: list[Tensor]) -> Tensor:
        """The network's outputs, as jets."""
        network = self.network
        phase = jet @ network.features.get_buffer("frequencies")
        sin, cos = math.sqrt(2) * torch.sin(phase[0]), math.sqrt(2) * torch.cos(phase[0])
        waves = self._map(phase, sin, cos, -sin), self._map(phase, cos, -sin, -cos)
        h = _linear(torch.cat([jet, *waves], 2), network.first.weight, network.first.bias)
        for block, shift in zip(self._blocks(), shifts, strict=True):
            inner = _linear(self._silu(h), block.inner.weight, shift)
            h += _linear(self._silu(inner), block.outer.weight, block.outer.bias)
        return _linear(self._silu(h), network.last.weight, network.last.bias)

    def _silu(self, h: Tensor) -> Tensor:
        gate = torch.sigmoid(h[0])
        rest = 1 - gate
        value = h[0] * gate
        slope = torch.addcmul(gate, value, rest)
        # f'' = g (1 - g) (2 + h (1 - 2 g)), and h g (1 - 2 g) = f - 2 f g
        curvature = rest * (2 * gate + value - 2 * value * gate)
        return self._map(h, value, slope, curvature)

    def _map(self, h: Tensor, value: Tensor, slope: Tensor, curvature: Tensor) -> Tensor:
        """f(h) with f, f' and f'' at the values."""
        first, out = h[1 : 1 + self.dimension], h * slope
        out[0] = value
        # Pairs (j, k) in the order of `triu_indices`.
        row = 1 + self.dimension
        for j in range(self.dimension):
            out[row : row + self.dimension - j].addcmul_(first[j] * curvature, first[j:])
            row += self.dimension - j
        return out


def _linear(jet: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    out = jet @ weight.T
    out[0] += bias
    return out
