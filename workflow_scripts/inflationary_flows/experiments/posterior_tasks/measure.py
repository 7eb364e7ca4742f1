"""Posteriors of five tasks by `infer` and by guidance: coverage, a classifier against exact draws, scores and seconds.

Observations are of points of the exact density with the first noise, which a flow is a model of.  `exact` are other
draws of the exact posterior: what chance makes of the best possible method.  Guidance has one free number; of several,
the one with the least energy score on truths of its own is taken, for each task.

Given an observation, each draw of its exact posterior is as good a truth as the point that was observed.  Coverage is
therefore averaged over many truths of each observation, which costs no more posteriors; observations are the
independent units of its test.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.data.toys import Mixture
from inflationary_flows.experiments.known_posteriors.truth import Truth
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.experiments.posterior_tasks.tasks import Task, make_tasks
from inflationary_flows.inference.guidance import guide
from inflationary_flows.inference.infer import infer
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.gaussian_mixtures import GaussianMixture
from inflationary_flows.metrics.calibration_check import USED, suffices
from inflationary_flows.metrics.posterior_draws import energy_scores
from inflationary_flows.metrics.tarp import fixed_references, judged_looks
from inflationary_flows.metrics.two_sample import c2st_accuracy
from inflationary_flows.seeding import derive_seed

CHAINS = 4
# Posteriors that have to converge for coverage of these alone.
_LEAST_JUDGED = 10
# Draws of a strength of guidance that is tried, for each of its truths.
_TRIED = 32
# A method: observations, shape (n, m), number of draws of each, and seed, to draws, shape (n, draws, D), and which of
# the posteriors are claimed to be right.
Method = Callable[[Tensor, int, int], tuple[np.ndarray, np.ndarray]]


def coverage_looks(
    draws: np.ndarray, truths: np.ndarray, law: GaussianMixture, references: int, seed: int
) -> list[np.ndarray]:
    """Shares of draws, shape (n, k, D), closer to references than truths, shape (n, t, D): random, centre, a grid.

    A truth counts as one more draw, at a random place within its own weight, as of `metrics.tarp`.

    Returns:
        Shapes (n, t) each, of random references (n, references t).
    """
    generator = torch.Generator().manual_seed(derive_seed("task references", seed))
    fixed = fixed_references(law.sample(20_000, generator).numpy())
    around = law.sample(len(draws) * references, generator).numpy().reshape(len(draws), references, -1)
    random = np.random.default_rng(derive_seed("task ties", seed))

    def shares(reference: np.ndarray) -> np.ndarray:
        drawn, true = (np.square(points - reference).sum(2) for points in (draws, truths))
        below = np.stack([np.searchsorted(np.sort(row), own) for row, own in zip(drawn, true, strict=True)])
        found: np.ndarray = (below + random.random(below.shape)) / (draws.shape[1] + 1)
        return found

    looks = [np.concatenate([shares(around[:, place, None]) for place in range(references)], 1)]
    return [*looks, shares(fixed.pop("centre")), *map(shares, fixed.values())]


def tuned_strength(
    flow: Flow, task: Task, x: Tensor, y: Tensor, *, strengths: Sequence[float], steps: int, seed: int
) -> float:
    """The strength of guidance with the least energy score on truths, shape (n, D), and their observations."""
    settings = {"draws": _TRIED, "steps": steps, "seed": derive_seed("tuned", seed)}
    scores = {
        strength: float(
            energy_scores(
                guide(flow, task.misfit(y), len(y), strength=strength, **settings).numpy(), x[:, None].numpy()
            ).mean()
        )
        for strength in strengths
    }
    return min(scores, key=scores.__getitem__)


def methods(flow: Flow, law: GaussianMixture, task: Task, strength: float, steps: int) -> Mapping[str, Method]:
    """Exact draws, and the ways to make others."""

    def exact(y: Tensor, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        generator = torch.Generator().manual_seed(derive_seed("exact draws", seed))
        return task.exact(law, y, draws, generator).numpy(), np.ones(len(y), bool)

    def inferred(y: Tensor, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        found = infer(flow, task.rows(y), **task.given, chains=CHAINS, draws=draws // CHAINS, seed=seed)
        return found.x.reshape(len(y), -1, flow.dimension), suffices(found, USED)

    def guided(y: Tensor, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        drawn = guide(flow, task.misfit(y), len(y), draws=draws, strength=strength, steps=steps, seed=seed)
        return drawn.numpy(), np.ones(len(y), bool)

    return {"exact": exact, "infer": inferred, "guidance": guided}


def measure(
    flow: Flow,
    *,
    mixture: Mixture,
    noise_stds: Mapping[str, float],
    observations: int,
    truths: int,
    draws: int,
    compared: int,
    references: int,
    levels: Sequence[float],
    strengths: Sequence[float],
    tuning: int,
    steps: int,
    seed: int,
) -> Measured:
    """Measures all tasks and methods.

    Arguments:
        flow: Trained flow.
        mixture: The exact density of its data.
        noise_stds: Standard deviation of the noise of each task that has noise.
        observations: Observations of each task.
        truths: Truths of each observation.
        draws: Draws of the posterior of each.
        compared: Observations whose draws a classifier compares with exact ones: the first ones.
        references, levels: Random references of an observation, nominal levels of coverage.
        strengths, tuning: Strengths of guidance that are tried, and truths that they are tried on.
        steps: Steps of guidance.
        seed: Seed of all.
    """
    law = Truth.of(flow, mixture, None).law
    scores: list[dict[str, Any]] = []
    coverage: list[dict[str, Any]] = []
    for name, task in make_tasks(flow.dimension, noise_stds).items():
        generator = torch.Generator().manual_seed(derive_seed("task", name, seed))
        x = law.sample(observations + tuning, generator)
        y = task.observe(x, generator)
        own = derive_seed("task draws", name, seed)
        tried = x[observations:], y[observations:]
        strength = tuned_strength(flow, task, *tried, strengths=strengths, steps=steps, seed=own)
        y = y[:observations]
        true = task.exact(law, y, truths, generator).numpy()
        known = task.exact(law, y[:compared], draws, generator).numpy()
        for method, draw in methods(flow, law, task, strength, steps).items():
            start = time.process_time()
            drawn, right = draw(y, draws, own)
            seconds = (time.process_time() - start) / observations
            # If next to none have converged, all are judged: `unconverged` says so.
            judged = right if right.sum() > _LEAST_JUDGED else np.ones_like(right)
            rows = judged_looks(coverage_looks(drawn[judged], true[judged], law, references, own), levels)
            coverage += [{"task": name, "method": method, **row} for row in rows]
            scores.append(
                {
                    "task": name,
                    "method": method,
                    "worst": rows[0]["worst"],
                    "p_value": rows[0]["p_value"],
                    "centre": max(abs(row["coverage"] - row["level"]) for row in rows if row["reference"] == "centre"),
                    "c2st": _told(drawn[:compared, :, : task.hidden], known[..., : task.hidden], y[:compared], own),
                    "energy_score": float(energy_scores(drawn, true).mean()),
                    "seconds": seconds,
                    "unconverged": int((~right).sum()),
                    "strength": strength if method == "guidance" else None,
                    "observations": observations,
                    "truths": truths,
                }
            )
    return Measured({"posterior_tasks": scores, "posterior_task_coverage": coverage})


def _told(draws: np.ndarray, known: np.ndarray, observed: Tensor, seed: int) -> float:
    """How often a classifier tells draws from exact ones, shapes (n, k, D), given the observation, shape (n, m)."""
    centre = known.mean(1, keepdims=True)
    beside = np.repeat(observed[:, None].numpy(), known.shape[1], 1)
    sets = [
        np.concatenate([points - centre, beside], 2).reshape(known.shape[0] * known.shape[1], -1)
        for points in (draws, known)
    ]
    return c2st_accuracy(*sets, seed=seed)
