"""Features of digits, by a classifier that a measurement trains for itself: it takes seconds, and needs no file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments.images.generation import as_images
from inflationary_flows.metrics.features import make_digits_classifier
from inflationary_flows.metrics.frechet import fit_statistics, frechet_of
from inflationary_flows.networks.digits_classifier import DigitsClassifier
from inflationary_flows.training.classifier import ClassifierSettings, fit_classifier


class Features:
    """Features of digits, from a classifier, and the Frechet distance of sets of them to the training digits.

    Arguments:
        splits: Digits with labels.
        network: The classifier.
    """

    def __init__(self, splits: Splits, network: DigitsClassifier) -> None:
        assert splits.image is not None
        self.image, self.train = splits.image, np.asarray(splits.train)
        # The network is in no file that a digest could name.
        self.extractor = make_digits_classifier(network, sha256="")
        self.reference = fit_statistics(as_images(self.train, self.image), self.image.levels, self.extractor)

    @classmethod
    def fit(cls, splits: Splits, classifier: Mapping[str, Any]) -> Features:
        """Features of a classifier that is trained now; `classifier` are its settings, and its seed."""
        chosen = ClassifierSettings(**{name: value for name, value in classifier.items() if name != "seed"})
        labels = splits.train_labels
        return cls(splits, fit_classifier(np.asarray(splits.train), labels, chosen, seed=classifier["seed"]))

    def distance(self, x: np.ndarray) -> float:
        """Squared Frechet distance of digits, shape (n, 64), rounded to their grey levels, to the training digits."""
        return frechet_of(as_images(x, self.image), self.image.levels, self.reference, self.extractor)
