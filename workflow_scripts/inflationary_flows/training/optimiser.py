r"""AdamW on all weights of a network as one vector.

A small network has dozens of tensors, and an operation on each of them costs more than its arithmetic. Here the weights
are parts of one vector, as are their gradients: a step, a clipped norm and an average are single operations.

The arithmetic is that of `torch.optim.adamw.adamw` (Loshchilov and Hutter, 2019). An object of `torch.optim.AdamW`
would import torch's compiler, which takes a fifth of the time of a toy's training.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw


def flat_weights(network: nn.Module) -> nn.Parameter:
    """Makes all weights of a network parts of one vector, and returns it.

    Arguments:
        network: Its weights have one type and lie on one device; they keep their values and strides.
    """
    parameters = list(network.parameters())
    flat = nn.Parameter(torch.cat([_in_memory_order(p.detach()) for p in parameters]))
    for parameter, part in zip(parameters, _parts(flat.data, parameters), strict=True):
        parameter.data = part
    return flat


def _parts(vector: Tensor, parameters: list[nn.Parameter]) -> list[Tensor]:
    """A vector cut into pieces that have the shapes and strides of parameters."""
    pieces = vector.split([parameter.numel() for parameter in parameters])
    return [
        piece.as_strided(parameter.shape, _dense_stride(parameter))
        for piece, parameter in zip(pieces, parameters, strict=True)
    ]


def _dense_stride(weights: Tensor) -> tuple[int, ...]:
    """Strides without gaps, in the order of the tensor's own: convolutions may keep their channels last."""
    return torch.empty_like(weights, memory_format=torch.preserve_format).stride()


def _in_memory_order(weights: Tensor) -> Tensor:
    order = sorted(range(weights.ndim), key=lambda axis: _dense_stride(weights)[axis], reverse=True)
    return weights.permute(order).reshape(-1)


class FlatAdamW:
    """AdamW with the interface of `torch.optim.Optimizer`, as far as training and loss scaling need it.

    Arguments:
        network: Its weights become parts of `weights`.
        learning_rate: Rate; `param_groups` holds it, to be changed between steps.
        betas: Decay of the first and second moments.
        eps: Added to the root of the second moment.
        weight_decay: Decoupled weight decay; 0 is plain Adam.
    """

    def __init__(
        self,
        network: nn.Module,
        learning_rate: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self.weights = flat_weights(network)
        self.weights.grad = torch.zeros_like(self.weights)
        parameters = list(network.parameters())
        for parameter, part in zip(parameters, _parts(self.weights.grad, parameters), strict=True):
            parameter.grad = part
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay
        self.param_groups: list[dict[str, Any]] = [{"params": [self.weights], "lr": learning_rate}]
        self._moments = {
            "step": torch.zeros((), device=self.weights.device),
            "exp_avg": torch.zeros_like(self.weights.data),
            "exp_avg_sq": torch.zeros_like(self.weights.data),
        }

    @property
    def gradient(self) -> Tensor:
        """The gradient of all weights, a vector."""
        assert self.weights.grad is not None
        return self.weights.grad

    def zero_grad(self) -> None:
        """Sets the gradient to zero; the backward pass adds to it in place."""
        self.gradient.zero_()

    @torch.no_grad()
    def step(self) -> None:
        """Moves the weights along the gradient."""
        adamw(
            [self.weights],
            [self.gradient],
            [self._moments["exp_avg"]],
            [self._moments["exp_avg_sq"]],
            [],
            [self._moments["step"]],
            fused=True,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=self.param_groups[0]["lr"],
            weight_decay=self.weight_decay,
            eps=self.eps,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """Moments of the one vector, as an optimiser of torch keeps them; before the first step there are none."""
        moved = float(self._moments["step"]) > 0
        return {"state": {0: self._moments} if moved else {}, "param_groups": [{"params": [0]}]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes over moments of `state_dict`."""
        for moments in state["state"].values():
            for name, value in self._moments.items():
                value.copy_(moments[name])
