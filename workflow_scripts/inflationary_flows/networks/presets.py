"""Named sizes of the image network, as plain values: defaults of the configuration."""

from __future__ import annotations

from typing import Any

# The settings of de Albuquerque and Pearson (2024): DDPM++ of Song et al. (2021), 54 M parameters at 32x32x3.
PAPER = "ddpmpp"

PRESETS: dict[str, dict[str, Any]] = {
    PAPER: {"channels": [256, 256, 256], "layers": 4, "attention": [16], "dropout": 0.13, "patch": 1},
    # For a CPU: half the resolution with four times the channels costs a quarter and loses no pixels.
    "small_32": {"channels": [32, 64, 128], "layers": 1, "attention": [], "dropout": 0.0, "patch": 2},
    "small_28": {"channels": [32, 64], "layers": 1, "attention": [], "dropout": 0.0, "patch": 2},
    "small_8": {"channels": [32, 64], "layers": 1, "attention": [], "dropout": 0.0, "patch": 1},
}

# Number of labels that describe the augmentation of an example.
AUGMENTATION_LABELS = 9

# Features of each angle that tells a network of the kernel.
ANGLE_FEATURES = 11
# Numbers that tell a kernel of two rates (`mathematics.kernels.levels`), and features of each.
LEVELS, LEVEL_FEATURES = 4, 12
