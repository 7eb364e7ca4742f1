"""How unlike the flow's own points an observation is: a prior predictive p-value."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

# Neighbours whose mean distance says how far out an observation is.
_NEIGHBOURS = 10


def prior_predictive_p(observed: Tensor, predicted: Tensor) -> np.ndarray:
    """Probability that an observation of the flow's points is as far out as each of these.

    Far out is what is distant from its nearest neighbours among observations of the flow's points, in coordinates in
    which these have unit covariance.

    Arguments:
        observed: Observations, shape (rows, m), NaN where nothing is observed.
        predicted: Observations of draws of the prior, noise included, shape (n, m).

    Returns:
        Probabilities, shape (rows,); NaN for rows of which nothing is observed.
    """
    found = np.full(len(observed), np.nan)
    seen = ~observed.isnan()
    for pattern in seen.unique(dim=0):
        rows = (seen == pattern).all(1).nonzero()[:, 0]
        own = predicted[:, pattern]
        if not own.shape[1]:
            continue
        scale = own.std(0).clamp(min=1e-300)
        own, asked = (own - own.mean(0)) / scale, (observed[rows][:, pattern] - own.mean(0)) / scale
        # Directions of no variance tell nothing but noise.
        values, vectors = torch.linalg.eigh(torch.cov(own.T).reshape(own.shape[1], -1))
        whitener = vectors / values.clamp(min=1e-8).sqrt()
        own, asked = own @ whitener, asked @ whitener
        reference = torch.cdist(own, own).topk(_NEIGHBOURS + 1, largest=False).values[:, 1:].mean(1)
        distance = torch.cdist(asked, own).topk(_NEIGHBOURS, largest=False).values.mean(1)
        further = (reference[None] >= distance[:, None]).sum(1)
        found[rows.numpy()] = ((1 + further) / (1 + len(own))).numpy()
    return found
