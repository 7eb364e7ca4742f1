"""A small convolutional classifier of 8x8 digits, whose last hidden layer serves as features of digits."""

from __future__ import annotations

from torch import Tensor, nn

from inflationary_flows.errors import ConfigError

SIDE = 8


class DigitsClassifier(nn.Module):
    """Two convolutions, a layer of features, a linear head on them.

    Arguments:
        channels: Channels of the first convolution; the second has twice as many, at half the resolution.
        features: Number of features.
        classes: Number of classes.

    Raises:
        ConfigError: if one of the numbers is not positive.
    """

    def __init__(self, channels: int = 16, features: int = 64, classes: int = 10) -> None:
        super().__init__()
        for name, value in (("channels", channels), ("features", features), ("classes", classes)):
            if value < 1:
                raise ConfigError(
                    f"extractors.digits_classifier.{name}",
                    "a positive number",
                    str(value),
                    "leave it out for the default",
                )
        self.settings = {"channels": channels, "features": features, "classes": classes}
        self.body = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(2 * channels * (SIDE // 2) ** 2, features),
            # Features of unit size: without, kernel distances of digits are tens of thousands.
            nn.LayerNorm(features, elementwise_affine=False),
            nn.SiLU(),
        )
        self.head = nn.Linear(features, classes)

    def features(self, x: Tensor) -> Tensor:
        """Images in [-1, 1], shape (n, 1, 8, 8), to features, shape (n, features)."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """Images in [-1, 1], shape (n, 1, 8, 8), to logits, shape (n, classes)."""
        return self.head(self.features(x))
