"""Fits the classifier of digits whose features measure generated digits.

Cross entropy by Adam with a cosine decay. Initial weights and batches depend on seed and step alone: the same data and
seed give bitwise identical weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from inflationary_flows.errors import DataError
from inflationary_flows.networks.digits_classifier import SIDE, DigitsClassifier
from inflationary_flows.progress import tracked
from inflationary_flows.seeding import derive_seed


@dataclass(frozen=True)
class ClassifierSettings:
    """Hyper-parameters of the classifier.

    Attributes:
        steps: Optimiser steps.
        batch_size: Digits a step.
        learning_rate: First rate of Adam, decayed along a cosine to zero.
        weight_decay: Decoupled weight decay.
        channels, features: Sizes of the network (see `DigitsClassifier`).
    """

    steps: int = 600
    batch_size: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    channels: int = 16
    features: int = 64


def fit_classifier(
    points: np.ndarray, labels: np.ndarray, settings: ClassifierSettings, *, seed: int
) -> DigitsClassifier:
    """Trains a classifier on labelled digits.

    Arguments:
        points: Digits, shape (n, 64), in [-1, 1].
        labels: Their classes, shape (n,), whole numbers from 0.
        settings: Sizes and optimisation.
        seed: Seed of initial weights and batches.

    Returns:
        The classifier, in evaluation mode, on the CPU.

    Raises:
        DataError: if the digits are not of 8x8 pixels, or a label is not a whole number from 0.
    """
    x, classes = as_digits(points), as_classes(labels)
    # Initialisers draw from torch's global stream, whose state is restored afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("classifier weights", seed))
        network = DigitsClassifier(settings.channels, settings.features, int(classes.max()) + 1)
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, foreach=True
    )
    network.train()
    for step in tracked(range(settings.steps), "training of the classifier"):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * (1 + math.cos(math.pi * step / settings.steps)) / 2
        generator = torch.Generator().manual_seed(derive_seed("classifier batch", seed, step))
        rows = torch.randint(len(x), (settings.batch_size,), generator=generator)
        loss = nn.functional.cross_entropy(network(x[rows]), classes[rows])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return network.eval()


def accuracy(network: DigitsClassifier, points: np.ndarray, labels: np.ndarray) -> float:
    """Share of digits, shape (n, 64) in [-1, 1], whose class (n,) the classifier names."""
    with torch.inference_mode():
        predicted = network(as_digits(points)).argmax(1)
    return float((predicted == as_classes(labels)).double().mean())


def as_digits(points: np.ndarray) -> Tensor:
    """Rows of 64 pixels in [-1, 1] as float32 images (n, 1, 8, 8); DataError for another number of pixels."""
    x = np.asarray(points, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != SIDE**2 or not len(x):
        raise DataError(
            "digits",
            f"rows of {SIDE**2} pixels",
            f"shape {x.shape}",
            "the classifier is one of the data set of kind digits",
        )
    return torch.from_numpy(x).float().reshape(len(x), 1, SIDE, SIDE)


def as_classes(labels: np.ndarray) -> Tensor:
    """Labels as whole numbers; DataError if they are none."""
    values = np.asarray(labels, dtype=np.float64)
    if not np.all((values == np.floor(values)) & (values >= 0)):
        raise DataError(
            "labels of digits",
            "whole numbers from 0",
            f"values from {values.min():g} to {values.max():g}",
            "make the data set again",
        )
    return torch.from_numpy(values.astype(np.int64))
