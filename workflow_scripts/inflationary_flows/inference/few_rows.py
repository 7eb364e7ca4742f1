r"""Posteriors that know how few rows a flow was trained on.

A flow has the mean and the covariance of its n rows, as if these were those of the population.  What s seen cells tell
of hidden ones is then too much: of Gaussian rows, errors have a variance of about (n + s) / (n - s) times what the flow
says.  Here mean m and covariance C are drawn from their posterior, and the flow's density p moves with them.  In
coordinates e in which its own mean and covariance are 0 and 1,

    C^-1 ~ Wishart(n - 1 - s, 1 / (n - 1)),   m ~ N(0, C / n),   p_mC(e) ~ p(C^(-1/2) (e - m)),

and draws of the flow's own posterior are weighted by p_mC / p.  Of Gaussian rows this is the regression of hidden cells
on seen ones with flat priors.  What the flow has learned beyond mean and covariance is taken as known.  A likelihood
cancels; where no cell is seen exactly s is 0.
"""

from __future__ import annotations

import numpy as np
import torch

from inflationary_flows.errors import DataError
from inflationary_flows.inference.decoder import inference_decoder
from inflationary_flows.inference.posterior import Posterior
from inflationary_flows.inference.resampling import effective_number, resampled
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.points import whole
from inflationary_flows.seeding import derive_seed


def draws_for_few_rows(
    flow: Flow, posterior: Posterior, trained_on: int, *, draws: int = 200, members: int = 10, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draws that are as wide as the number of training rows asks for.

    Arguments:
        flow: The flow.
        posterior: Its posteriors, as `infer` gives them.
        trained_on: Rows that the flow was trained on, without those of validation and test.
        draws: Draws of each row.
        members: Draws of mean and covariance, which share the draws of a row.
        seed: Seed of all that is drawn.

    Returns:
        Points, shape (rows, draws, D), data units, and the least effective share of the draws that were weighted, for
        each row, shape (rows,).

    Raises:
        DataError: if there are fewer training rows than columns and seen cells together.
    """
    dimension, rows = flow.dimension, whole(trained_on, "trained_on", 1)
    seen = dimension - posterior.free.sum(1)
    least = dimension + 1 + int(seen.max())
    if rows < least:
        got = f"{rows}: too few to know a covariance"
        raise DataError("trained_on", f"at least {least} rows, for {dimension} columns", got, "leave out columns")
    count, members = whole(draws, "draws", 1), whole(members, "members", 1)
    decoder = inference_decoder(flow)
    maps = {
        s: [_drawn_map(rows, s, dimension, derive_seed("few rows", seed, member)) for member in range(members)]
        for s in np.unique(seen).tolist()
    }
    sizes = [len(part) for part in np.array_split(np.arange(count), members)]
    drawn, effective = [], []
    for place, x in enumerate(posterior.x.reshape(len(posterior), -1, dimension)):
        random = np.random.default_rng(derive_seed("few rows of", seed, place))
        e = decoder.whitened(flow.basis.transforms.forward(torch.from_numpy(x)))
        # Each member has draws of its own, from all chains.
        parts = [torch.arange(member, len(x), members) for member in range(members)]
        moved = torch.cat(
            [e[part] @ root - shift for part, (root, shift) in zip(parts, maps[int(seen[place])], strict=True)]
        )
        own = decoder.log_density(decoder.unwhitened(e[torch.cat(parts)]))[0]
        levels = torch.nan_to_num(decoder.log_density(decoder.unwhitened(moved))[0] - own, nan=-torch.inf)
        chosen, shares = [], []
        for part, level, size in zip(parts, levels.split([len(part) for part in parts]), sizes, strict=True):
            weights = level.softmax(0)
            chosen.append(part[resampled(weights, size, random)])
            shares.append(float(effective_number(weights)) / len(part))
        drawn.append(x[torch.cat(chosen).numpy()])
        effective.append(min(shares))
    return np.stack(drawn), np.array(effective)


def _drawn_map(rows: int, seen: int, dimension: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """C^(-1/2), which is symmetric, and C^(-1/2) m, of a mean and a covariance drawn from their posterior."""
    random = np.random.default_rng(seed)
    normal = torch.from_numpy(random.standard_normal((rows - 1 - seen, dimension)))
    values, vectors = torch.linalg.eigh(normal.mT @ normal / (rows - 1))
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.mT
    return root, torch.from_numpy(random.standard_normal(dimension)) / np.sqrt(rows)
