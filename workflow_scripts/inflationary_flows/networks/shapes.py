"""Which images a U-Net takes, in plain numbers: asked when a configuration is checked and when the network is built."""

from __future__ import annotations

from collections.abc import Sequence

from inflationary_flows.errors import ConfigError

# Groups of the group normalisation, for wide networks and for narrow ones.
_GROUPS, _FEW_GROUPS, _WIDE = 32, 8, 128


def groups_of(channels: Sequence[int]) -> int:
    """Groups of the group normalisation of a network with these channels."""
    return _GROUPS if min(channels) >= _WIDE else _FEW_GROUPS


def require_shape(image: Sequence[int], channels: Sequence[int], patch: int, where: str = "networks") -> None:
    """Raises `ConfigError` if a U-Net cannot be built for images.

    Arguments:
        image: Channels, height and width.
        channels: Channels per resolution; each further entry halves the image.
        patch: Side of the squares of pixels that are folded into channels.
        where: Place of the network in the configuration.
    """
    _, height, width = image
    halvings = len(channels) - 1
    if height != width or height % (patch * 2**halvings):
        raise ConfigError(
            f"{where}.channels",
            f"square images whose side is a multiple of {patch} times 2^{halvings}, "
            f"to be cut into patches of {patch} and halved {halvings} times",
            f"{height} x {width} pixels",
            "list fewer channels, or use smaller patches",
        )
    groups = groups_of(channels)
    for place, number in enumerate(channels):
        if number % groups:
            raise ConfigError(
                f"{where}.channels[{place}]",
                f"a multiple of {groups}, the groups that are normalised together",
                str(number),
                f"networks all of whose channels are {_WIDE} or more have {_GROUPS} groups, others {_FEW_GROUPS}.",
            )
