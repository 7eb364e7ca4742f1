"""Coverage of posteriors of clean points under learned and exact priors (see `metrics.tarp`), and under wrong ones.

Controls, which the test has to reject: a flat `box` that holds the data, a `gaussian` of their mean and covariance, as
a flow without training generates it, and `miscalibrated`, a network that was stopped early.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inflationary_flows.data.oracles import draw_fresh
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.prior import CompressedPrior
from inflationary_flows.metrics.ranks import rank_rows
from inflationary_flows.metrics.tarp import Masses, judge_prior, judged_rows
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
        minimum_ess: As of `posterior_masses`, for the learned and the exact prior. Controls may miss the data.
        bins: Bins of rank histograms.
        seed: Seed of samples, noise and references.
        log: Told of effective sample sizes.

    Returns:
        Tables `tarp` and `posterior_ranks`, with schedule, seed, flow and noise_std before the columns of `judged_rows`
        and `rank_rows`. Exact prior, box and Gaussian stand with the first seed of a schedule, as does the next.
        Beside `learned`, whose latents are drawn as the flow says, reducing flows have the other prior of compressed
        latents, `learned_gaussian` or `learned_empirical`.

    Raises:
        InferenceError: if too many posteriors rest on too few samples.
    """
    pool_seed = derive_seed("tarp pool", seed)
    exact = draw_fresh(dataset, pool, pool_seed)
    truth = draw_fresh(dataset, replicates, derive_seed("tarp truth", seed))
    # Data sets without a true density are not measured: the configuration leaves them out.
    assert exact is not None
    assert truth is not None
    below, width = exact.min(0), np.ptp(exact, 0)
    random = np.random.default_rng(derive_seed("tarp controls", seed))
    controls = {
        "gaussian": random.multivariate_normal(exact.mean(0), np.cov(exact.T), pool),
        "box": below + width * random.random((pool, len(width))),
    }

    def judge(points: np.ndarray, least: float = 0.0) -> dict[float, Masses]:
        return judge_prior(points, truth, exact, noise_stds, references=references, seed=seed, minimum_ess=least)

    def generated(flow: Flow, compressed: CompressedPrior | None = None) -> np.ndarray:
        return np.asarray(flow.generate(flow.sample_latents(pool, pool_seed, compressed), steps=pool_steps))

    shared = {"exact": judge(exact, minimum_ess)} | {name: judge(points) for name, points in controls.items()}
    coverage: list[dict[str, Any]] = []
    ranks: list[dict[str, Any]] = []
    trained = [flow for flow in flows if "-" not in flow[1]]
    for schedule, member in trained:
        flow = flows[schedule, member]
        judged = {"learned": judge(generated(flow), minimum_ess)}
        first = member == next(seed for name, seed in trained if name == schedule)
        if first and flow.schedule.kept_dims < flow.dimension:
            other: CompressedPrior = "gaussian" if flow.compressed_prior == "empirical" else "empirical"
            judged[f"learned_{other}"] = judge(generated(flow, other))
        if first:
            judged |= shared
        for (of_schedule, variant), early in flows.items():
            if of_schedule == schedule and variant.startswith(f"{member}-"):
                judged["miscalibrated"] = judge(generated(early))
        for noise_std in noise_stds:
            for name, of_noise in judged.items():
                masses, keys = (
                    of_noise[noise_std],
                    {"schedule": schedule, "seed": member, "flow": name, "noise_std": noise_std},
                )
                log.info("%s: smallest effective sample size %.0f", " ".join(map(str, keys.values())), masses.ess.min())
                coverage += [{**keys, **row} for row in judged_rows(masses, levels)]
                ranks += [
                    {**keys, **row}
                    for i, below_truth in enumerate(masses.below.T)
                    for row in rank_rows(below_truth, f"coordinate{i + 1}", bins=bins, seed=seed)
                ]
    return Measured({"tarp": coverage, "posterior_ranks": ranks})
