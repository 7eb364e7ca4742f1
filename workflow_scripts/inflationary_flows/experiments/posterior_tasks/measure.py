"""Posteriors of five tasks by `infer` and by guidance: coverage, a classifier against exact draws, scores and seconds.

Truths come from the exact density with the first noise, which a flow is a model of.  `exact` are other draws of the
exact posterior: what chance makes of the best possible method.  Guidance has one free number; of several, the one with
the least energy score on truths of its own is taken, for each task.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

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
from inflationary_flows.metrics.importance import DrawWeights, masses_of_draws, squared_distances
from inflationary_flows.metrics.tarp import Masses, fixed_references, judged_rows
from inflationary_flows.metrics.two_sample import c2st_accuracy
from inflationary_flows.seeding import derive_seed

CHAINS = 4
# Draws of all methods that coverage is measured with: a multiple of the chains.
_DRAWS = 64
# Draws of a strength of guidance that is tried, for each of its truths.
_TRIED = 32
# A method: observations, shape (n, m), number of draws of each, and seed, to draws, shape (n, draws, D), and which of
# the posteriors are claimed to be right.
Method = Callable[[Tensor, int, int], tuple[np.ndarray, np.ndarray]]


def energy_scores(draws: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """E|x' - x| - E|x' - x''| / 2 of draws, shape (n, k, D), and truths, shape (n, D): small for good posteriors."""
    away = np.linalg.norm(draws - truth[:, None], axis=2).mean(1)
    points = torch.from_numpy(draws)
    k = draws.shape[1]
    apart: np.ndarray = (torch.cdist(points, points).sum((1, 2)) / (k * (k - 1))).numpy()
    return away - apart / 2


def coverage_masses(draws: np.ndarray, truth: np.ndarray, law: GaussianMixture, references: int, seed: int) -> Masses:
    """Shares of draws, shape (n, k, D), closer than truths, shape (n, D), to random points, a grid, and the centre."""
    generator = torch.Generator().manual_seed(derive_seed("task references", seed))
    points = law.sample(20_000, generator).numpy()
    fixed = fixed_references(points)
    centre = fixed.pop("centre")
    around = law.sample(len(truth) * references, generator).numpy().reshape(len(truth), references, -1)
    grid = np.broadcast_to(np.stack(list(fixed.values())), (len(truth), len(fixed), truth.shape[1]))
    # The last reference of `squared_distances` is zero.
    looked_at = np.concatenate([around, grid], 1) - centre
    orders = squared_distances(np.concatenate([draws, truth[:, None]], 1) - centre, looked_at)
    weights = DrawWeights.equal(*draws.shape[:2])
    masses = masses_of_draws(weights, orders[:, :-1], orders[:, -1], seed)
    return replace(masses, closer=masses.closer[:, :references], grid=masses.closer[:, references:])


def tuned_strength(
    flow: Flow, task: Task, x: Tensor, y: Tensor, *, strengths: Sequence[float], steps: int, seed: int
) -> float:
    """The strength of guidance with the least energy score on truths, shape (n, D), and their observations."""
    settings = {"draws": _TRIED, "steps": steps, "seed": derive_seed("tuned", seed)}
    scores = {
        strength: float(
            energy_scores(guide(flow, task.misfit(y), len(y), strength=strength, **settings).numpy(), x.numpy()).mean()
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
        return found.x.reshape(len(y), -1, flow.dimension), found.converged

    def guided(y: Tensor, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        drawn = guide(flow, task.misfit(y), len(y), draws=draws, strength=strength, steps=steps, seed=seed)
        return drawn.numpy(), np.ones(len(y), bool)

    return {"exact": exact, "infer": inferred, "guidance": guided}


def measure(
    flow: Flow,
    *,
    mixture: Mixture,
    noise_stds: Mapping[str, float],
    replicates: int,
    observations: int,
    draws: int,
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
        replicates: Truths of coverage, each with its observation.
        observations: Observations of the classifier.
        draws: Draws of the posterior of each of these.
        references, levels: Random references of a truth, nominal levels of coverage.
        strengths, tuning: Strengths of guidance that are tried, and truths that they are tried on.
        steps: Steps of guidance.
        seed: Seed of all.
    """
    law = Truth.of(flow, mixture, None).law
    scores, coverage = [], []
    for name, task in make_tasks(flow.dimension, dict(noise_stds)).items():
        generator = torch.Generator().manual_seed(derive_seed("task", name, seed))
        x = law.sample(replicates + tuning, generator)
        y = task.observe(x, generator)
        own = derive_seed("task draws", name, seed)
        strength = tuned_strength(
            flow, task, x[replicates:], y[replicates:], strengths=strengths, steps=steps, seed=own
        )
        x, y, few = x[:replicates], y[:replicates], y[:observations]
        made = methods(flow, law, task, strength, steps)
        known = made["exact"](few, draws, derive_seed("compared", own))[0]
        for method, draw in made.items():
            start = time.process_time()
            drawn, converged = draw(y, _DRAWS, own)
            seconds = (time.process_time() - start) / replicates
            masses = coverage_masses(drawn[converged], x.numpy()[converged], law, references, own)
            rows = judged_rows(masses, levels)
            coverage += [{"task": name, "method": method, **row} for row in rows]
            compared = draw(few, draws, derive_seed("few", own))[0]
            scores.append(
                {
                    "task": name,
                    "method": method,
                    "worst": rows[0]["worst"],
                    "p_value": rows[0]["p_value"],
                    "centre": max(abs(row["coverage"] - row["level"]) for row in rows if row["reference"] == "centre"),
                    "c2st": _told(compared, known, few, own),
                    "energy_score": float(energy_scores(drawn, x.numpy()).mean()),
                    "seconds": seconds,
                    "unconverged": int((~converged).sum()),
                    "strength": strength if method == "guidance" else None,
                    "replicates": replicates,
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
