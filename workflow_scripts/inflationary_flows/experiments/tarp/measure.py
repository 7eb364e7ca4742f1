"""Coverage of posteriors of clean points under learned, exact and miscalibrated priors (see `metrics.tarp`)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from inflationary_flows.data.oracles import draw_fresh
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.prior import CompressedPrior
from inflationary_flows.metrics.ranks import rank_rows
from inflationary_flows.metrics.tarp import coverage_rows, judge_prior
from inflationary_flows.seeding import derive_seed


def measure(
    flows: Mapping[tuple[str, str], Flow],
    *,
    dataset: Mapping[str, Any],
    noise_stds: Sequence[float],
    levels: Sequence[float],
    replicates: int,
    references: int,
    pool: int,
    pool_steps: int,
    compressed_prior: CompressedPrior,
    minimum_ess: float,
    bins: int,
    seed: int,
    log: logging.Logger,
) -> Measured:
    """Measures the flows of one toy.

    Arguments:
        flows: Flows by schedule and member: a training seed, such as ("prp", "0"), or a variant of it that the test has
            to reject, such as ("prp", "0-early").
        dataset: The toy's settings.
        noise_stds: Standard deviations of the noise, in those of the data.
        levels: Nominal levels in (0, 1).
        replicates: Number of true points, each with its observation.
        references: Random reference points of an observation.
        pool: Samples of each prior.
        pool_steps: Steps of the integration that makes them.
        compressed_prior: How compressed latents of these are drawn.
        minimum_ess: As of `posterior_masses`.
        bins: Bins of rank histograms.
        seed: Seed of samples, noise and references.
        log: Told of effective sample sizes.

    Returns:
        Tables `tarp` and `posterior_ranks`, with schedule, flow (learned, exact or miscalibrated) and noise_std before
        the columns of `coverage_rows` and `rank_rows`.

    Raises:
        InferenceError: if too many posteriors rest on too few samples.
    """
    pool_seed = derive_seed("tarp pool", seed)
    exact = draw_fresh(dataset, pool, pool_seed)
    truth = draw_fresh(dataset, replicates, derive_seed("tarp truth", seed))
    # Data sets without a true density are not measured: the configuration leaves them out.
    assert exact is not None
    assert truth is not None
    judge = partial(
        judge_prior,
        truth=truth,
        exact=exact,
        noise_stds=noise_stds,
        references=references,
        seed=seed,
        minimum_ess=minimum_ess,
    )

    def judge_flow(flow: Flow) -> dict[float, Any]:
        latents = flow.sample_latents(pool, pool_seed, compressed_prior)
        return judge(np.asarray(flow.generate(latents, steps=pool_steps)))

    judged_exact = judge(exact)
    coverage: list[dict[str, Any]] = []
    ranks: list[dict[str, Any]] = []
    for (schedule, member), flow in flows.items():
        if "-" in member:
            continue
        judged = {"learned": judge_flow(flow), "exact": judged_exact}
        for (of_schedule, variant), early in flows.items():
            if of_schedule == schedule and variant.startswith(f"{member}-"):
                judged["miscalibrated"] = judge_flow(early)
        for noise_std in noise_stds:
            for name, of_noise in judged.items():
                masses, keys = of_noise[noise_std], {"schedule": schedule, "flow": name, "noise_std": noise_std}
                log.info("%s: smallest effective sample size %.0f", " ".join(map(str, keys.values())), masses.ess.min())
                coverage += [{**keys, **row} for row in coverage_rows(masses.closer, masses.central, levels)]
                ranks += [
                    {**keys, **row}
                    for i, below in enumerate(masses.below.T)
                    for row in rank_rows(below, f"coordinate{i + 1}", bins=bins, seed=seed)
                ]
    return Measured({"tarp": coverage, "posterior_ranks": ranks})
