"""Where calibration begins: coverage of posteriors, errors of score and density, for trainings of several lengths.

Each length is a training of its own, with its own warm-up and decay.  A flow of no steps is the Gaussian of the data.
Coverage is measured as in `metrics.tarp`, under a noise that leaves much to the prior.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inflationary_flows.data.oracles import draw_fresh, exact_mixture
from inflationary_flows.experiments.flow_quality.measure import measure_excess
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.denoisers import GaussianDenoiser
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.oracles import exact_denoiser
from inflationary_flows.metrics.density import measure_density
from inflationary_flows.metrics.tarp import judge_prior, judged_rows
from inflationary_flows.seeding import derive_seed

# Of the exact density.
_NO_ERROR = {"excess_denoising_error": 0.0, "kl_to_flow": 0.0, "kl_to_flow_error": 0.0}


def measure(
    flows: Mapping[tuple[str, str], Flow],
    *,
    dataset: Mapping[str, Any],
    steps: Mapping[str, int],
    noise_std: float,
    samples: int,
    levels: Sequence[float],
    replicates: int,
    references: int,
    pool: int,
    pool_steps: int,
    seed: int,
) -> Measured:
    """Measures the flows of one toy.

    Arguments:
        flows: Flows by schedule and member, such as ("prp", "0-steps30").
        dataset: The toy's settings.
        steps: Optimiser steps of each member.
        noise_std: Standard deviation of the noise that posteriors are judged under, in those of the data.
        samples: Points of the divergence.
        levels, replicates, references, pool, pool_steps: As of `tarp`.
        seed: Seed of points, noise and references.

    Returns:
        Rows of schedule, prior (learned, gaussian or exact), steps (0 for the Gaussian, none for the exact density),
        excess_denoising_error, kl_to_flow, kl_to_flow_error, worst, p_value, looks, replicates.
    """
    pool_seed = derive_seed("tarp pool", seed)
    exact = draw_fresh(dataset, pool, pool_seed)
    truth = draw_fresh(dataset, replicates, derive_seed("tarp truth", seed))
    mixture = exact_mixture(dataset)
    # Data sets without a true density are not measured: the configuration leaves them out.
    assert exact is not None
    assert truth is not None
    assert mixture is not None

    def coverage(points: np.ndarray) -> dict[str, Any]:
        masses = judge_prior(points, truth, exact, [noise_std], references=references, seed=seed, minimum_ess=0)
        row = judged_rows(masses[noise_std], levels)[0]
        return {name: row[name] for name in ("worst", "p_value", "looks", "replicates")}

    def judged(flow: Flow) -> dict[str, Any]:
        denoiser = exact_denoiser(flow.schedule, flow.basis, *mixture)
        rows = measure_excess(flow, denoiser, truth, seed) + measure_density(flow, denoiser, truth, samples, seed)
        found = {row["metric"]: row["value"] for row in rows}
        points = flow.generate(flow.sample_latents(pool, pool_seed), steps=pool_steps)
        return {name: found[name] for name in _NO_ERROR} | coverage(np.asarray(points))

    best = _NO_ERROR | coverage(exact)
    rows = []
    for schedule in dict.fromkeys(name for name, _ in flows):
        members = {member: flow for (name, member), flow in flows.items() if name == schedule}
        first = next(iter(members.values()))
        none = Flow(GaussianDenoiser(first.schedule), first.basis, solver=first.solver)
        rows += [
            {"schedule": schedule, "prior": "exact", "steps": None, **best},
            {"schedule": schedule, "prior": "gaussian", "steps": 0, **judged(none)},
        ]
        for member, flow in sorted(members.items(), key=lambda item: steps[item[0]]):
            rows.append({"schedule": schedule, "prior": "learned", "steps": steps[member], **judged(flow)})
    return Measured({"training_length": rows})
