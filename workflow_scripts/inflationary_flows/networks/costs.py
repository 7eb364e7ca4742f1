r"""Costs of networks in closed form: parameters, operations and memory, and hours at a sustained speed.

Layers add up.  With k the width of a kernel, h w the positions of a map and c channels,

    convolution   (k^2 c_in + 1) c_out parameters,   k^2 c_in c_out h w multiply-adds
    linear        (c_in + 1) c_out,                  c_in c_out
    attention     4 (c + 1) c,                       (4 c + 2 h w) c h w

A training step costs three forward passes: one forwards, and one backwards for each of the two factors of a product.
Norms and activation functions count as parameters and as memory, not as operations; the rotations into the
eigenbasis, 2 D^2 a pass, are neglected (0.4 % of the paper's U-Net).

Nothing here imports the networks, so that a run can be planned before anything is installed or trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inflationary_flows.networks.presets import ANGLE_FEATURES, LEVEL_FEATURES, LEVELS, PRESETS

# Backpropagation through a product costs two more products.
_PASSES_OF_A_STEP = 3
# Weights, gradients, the two moments of Adam and the averaged weights.
_COPIES_IN_TRAINING = 5
_SECONDS_PER_HOUR = 3600.0
_BYTES_PER_GB = 1e9

_STAGES = {"euler": 1, "euler_scaled": 1, "heun": 2, "rk4": 4, "rk5": 6}


@dataclass(frozen=True)
class Cost:
    """Cost of one layer, or of a whole network, for one example.

    Attributes:
        parameters: Trained numbers.
        multiply_adds: Multiplications with an addition, of a forward pass.
        activations: Numbers kept from the forward for the backward pass.
    """

    parameters: int = 0
    multiply_adds: int = 0
    activations: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.parameters + other.parameters,
            self.multiply_adds + other.multiply_adds,
            self.activations + other.activations,
        )

    @property
    def flops(self) -> int:
        """Floating-point operations of a forward pass, two a multiply-add."""
        return 2 * self.multiply_adds


def _linear(inputs: int, outputs: int, bias: bool = True) -> Cost:
    return Cost((inputs + bias) * outputs, inputs * outputs, inputs)


def _convolution(inputs: int, outputs: int, width: int, positions: int, kept: int | None = None) -> Cost:
    """A convolution that fills `positions`; what it keeps is its input, of as many positions by default."""
    weights = width**2 * inputs * outputs
    return Cost(weights + outputs, weights * positions, inputs * (positions if kept is None else kept))


def _norm(channels: int, positions: int) -> Cost:
    """A group norm; it keeps its input, and so does the activation function that follows it."""
    return Cost(2 * channels, 0, 2 * channels * positions)


def _residual(inputs: int, outputs: int, embedding: int, positions: int) -> Cost:
    cost = _norm(inputs, positions) + _convolution(inputs, outputs, 3, positions)
    cost += _linear(embedding, outputs)
    cost += _norm(outputs, positions) + _convolution(outputs, outputs, 3, positions)
    if inputs != outputs:
        shortcut = _convolution(inputs, outputs, 1, positions)
        cost += Cost(shortcut.parameters, shortcut.multiply_adds)
    return cost


def _attention(channels: int, positions: int) -> Cost:
    projections = Cost(4 * (channels + 1) * channels, 4 * channels**2 * positions, 5 * channels * positions)
    scores = Cost(0, 2 * positions**2 * channels, 0)
    return Cost(2 * channels, 0, channels * positions) + projections + scores


def unet_cost(
    image: Sequence[int],
    *,
    channels: Sequence[int] = (32, 64),
    layers: int = 1,
    attention: Sequence[int] = (),
    patch: int = 1,
    labels: int = 0,
    told: str = "clock",
) -> Cost:
    """Cost of an `ImageUNet`, which is a U-Net of diffusers (`UNet2DModel`).

    Arguments:
        image: Channels, height and width; square.
        channels: Channels per resolution; each further entry halves the image.
        layers: Residual blocks per resolution on the way down; one more on the way up.
        attention: Resolutions, pixels of a side, whose blocks attend; with any, so does the middle.
        patch: Side p of the squares of pixels that are folded into channels before the first layer.
        labels: Numbers that condition the network besides the noise.
        told: What it is told of the noise, `clock` or `levels`.

    Returns:
        The cost for one image.
    """
    pixels = image[0] * patch**2
    sides = [image[1] // patch // 2**level for level in range(len(channels))]
    first, last = channels[0], channels[-1]
    embedding = 2 * first
    cost = _convolution(pixels, first, 3, sides[0] ** 2)
    cost += _linear(first, embedding) + _linear(embedding, embedding)
    if labels:
        cost += _linear(labels, embedding, bias=False)
    if told == "levels":
        cost += _linear(LEVELS * LEVEL_FEATURES, embedding) + _linear(embedding, embedding)

    for level, width in enumerate(channels):
        before = channels[max(level - 1, 0)]
        for layer in range(layers):
            cost += _block(before if layer == 0 else width, width, embedding, sides[level], attention)
        if level < len(channels) - 1:
            cost += _convolution(width, width, 3, sides[level + 1] ** 2, kept=sides[level] ** 2)

    cost += _residual(last, last, embedding, sides[-1] ** 2)
    cost += _attention(last, sides[-1] ** 2) if attention else Cost()
    cost += _residual(last, last, embedding, sides[-1] ** 2)

    for level in reversed(range(len(channels))):
        width = channels[level]
        below, above = channels[min(level + 1, len(channels) - 1)], channels[max(level - 1, 0)]
        for layer in range(layers + 1):
            # Each block also gets the skip connection of its counterpart on the way down.
            inputs = (below if layer == 0 else width) + (above if layer == layers else width)
            cost += _block(inputs, width, embedding, sides[level], attention)
        if level > 0:
            cost += _convolution(width, width, 3, sides[level - 1] ** 2)

    return cost + _norm(first, sides[0] ** 2) + _convolution(first, pixels, 3, sides[0] ** 2)


def _block(inputs: int, outputs: int, embedding: int, side: int, attention: Sequence[int]) -> Cost:
    block = _residual(inputs, outputs, embedding, side**2)
    return block + _attention(outputs, side**2) if side in attention else block


def mlp_cost(
    dimension: int,
    *,
    width: int = 128,
    blocks: int = 3,
    frequencies: int = 64,
    time_features: int = 12,
    told: str = "clock",
) -> Cost:
    """Cost of a `ResidualMLP`; the arguments are its own.

    Returns:
        The cost for one point with its own time, as in training.  During integration all points share one time,
        which saves up to a third.
    """
    features = dimension + 2 * frequencies
    cost = Cost(0, dimension * frequencies, dimension)
    cost += _linear(time_features if told == "clock" else ANGLE_FEATURES * dimension, width) + _linear(features, width)
    for _ in range(blocks):
        cost += _linear(width, width) + _linear(width, width, bias=False) + _linear(width, width)
        cost += Cost(0, 0, 2 * width)
    return cost + _linear(width, dimension) + Cost(0, 0, width)


def network_cost(
    network: Mapping[str, Any], dimension: int, image: Sequence[int] | None = None, labels: int = 0
) -> Cost:
    """Cost of a network as the configuration describes it.

    Arguments:
        network: `kind`, perhaps a `preset`, and the arguments of that kind; what a preset leaves open is a default.
        dimension: Number of coordinates D.
        image: Channels, height and width of the images whose pixels the coordinates are; by default those that the
            network names itself, else grey and square ones.
        labels: Numbers that condition the network, if the configuration does not say so.

    Returns:
        The cost for one example.
    """
    names = {
        "mlp": ("width", "blocks", "frequencies", "time_features", "told"),
        "unet": ("channels", "layers", "attention", "patch", "told"),
    }[network["kind"]]
    chosen = {**PRESETS.get(network.get("preset") or "", {}), **{k: v for k, v in network.items() if v is not None}}
    options = {name: chosen[name] for name in names if name in chosen}
    if network["kind"] == "mlp":
        return mlp_cost(dimension, **options)
    side = round(dimension**0.5)
    return unet_cost(image or chosen.get("image", (1, side, side)), **options, labels=chosen.get("labels", labels))


def evaluations_of(method: str, steps: int) -> int:
    """Network evaluations of one direction of a flow, by a solver with a fixed number of steps.

    An adaptive solver chooses its own number; ten evaluations per configured step are assumed.
    """
    if method.startswith("adams_bashforth"):
        # Runge-Kutta's first step, then two that are corrected.
        return steps + 3 + min(steps - 1, 2)
    if method == "heun_scaled":
        # The last step is Euler's.
        return 2 * steps - 1
    return steps * _STAGES.get(method, 10)


def training_hours(cost: Cost, examples: float, tflops: float) -> float:
    """Hours that one device computes for a training.

    Arguments:
        cost: The network's.
        examples: Examples seen: steps times batch size.
        tflops: Sustained speed, 10^12 operations a second.
    """
    return _PASSES_OF_A_STEP * cost.flops * examples / (tflops * 1e12) / _SECONDS_PER_HOUR


def generation_hours(cost: Cost, examples: float, evaluations: int, tflops: float) -> float:
    """Hours that one device computes to carry examples through a flow, one way.

    Arguments:
        cost: The network's.
        examples: Points carried.
        evaluations: Network evaluations of each.
        tflops: Sustained speed, 10^12 operations a second.
    """
    return cost.flops * examples * evaluations / (tflops * 1e12) / _SECONDS_PER_HOUR


def training_memory_gb(cost: Cost, batch_size: int, *, bytes_per_activation: int = 4) -> float:
    """Memory of a training on one device, in units of 10^9 bytes.

    Arguments:
        cost: The network's.
        batch_size: Examples that are on the device at once: the batch over devices and over accumulated parts.
        bytes_per_activation: 2 in half precision; weights and moments keep 4.
    """
    weights = 4 * _COPIES_IN_TRAINING * cost.parameters
    return (weights + bytes_per_activation * batch_size * cost.activations) / _BYTES_PER_GB


def generation_memory_gb(cost: Cost, batch_size: int, *, bytes_per_activation: int = 4) -> float:
    """Memory of an integration on one device, in units of 10^9 bytes; arguments as of `training_memory_gb`.

    Without a backward pass only the skip connections are stored, about a tenth of the activations.
    """
    kept = bytes_per_activation * batch_size * cost.activations / 10
    return (4 * cost.parameters + kept) / _BYTES_PER_GB
