"""Measures the coverage of posteriors of clean points under the learned, the exact and a miscalibrated prior."""

import numpy as np

from inflationary_flows import Flow
from inflationary_flows.data.oracles import draw_fresh
from inflationary_flows.files.tables import write_rows
from inflationary_flows.metrics.ranks import rank_rows
from inflationary_flows.metrics.tarp import coverage_rows, make_replicates, posterior_masses
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job
from inflationary_flows.seeding import derive_seed

with job(snakemake) as log:
    params = snakemake.params
    device = device_for(snakemake.resources)

    def samples_of(path):
        flow = Flow.load(path).to(device)
        seed = derive_seed("tarp pool", params.seed)
        latents = flow.sample_latents(params.pool, seed, params.compressed_prior)
        return flow.generate(latents, steps=params.pool_steps).numpy()

    pools = {"learned": samples_of(snakemake.input.flow)}
    pools["exact"] = draw_fresh(params.dataset, params.pool, derive_seed("tarp pool", params.seed))
    if snakemake.input.get("miscalibrated"):
        pools["miscalibrated"] = samples_of(snakemake.input.miscalibrated)
    truth = draw_fresh(params.dataset, params.replicates, derive_seed("tarp truth", params.seed))
    centre, spread = pools["exact"].mean(0), float(np.sqrt(pools["exact"].var(0).mean()))
    coverage, ranks = [], []
    for noise_std in params.noise_stds:
        replicates = make_replicates(truth, noise_std * spread, params.references, params.seed, centre=centre)
        for name, pool in pools.items():
            masses = posterior_masses(pool, replicates, params.minimum_ess)
            log.info("%s, noise %g: smallest effective sample size %.0f", name, noise_std, masses.ess.min())
            keys = {"flow": name, "noise_std": noise_std}
            coverage += [{**keys, **row} for row in coverage_rows(masses.closer, masses.central, params.levels)]
            ranks += [
                {**keys, **row}
                for i, below in enumerate(masses.below.T)
                for row in rank_rows(below, f"coordinate{i + 1}", bins=params.bins, seed=params.seed)
            ]
    keys = {name: snakemake.wildcards[name] for name in ("dataset", "schedule")}
    write_rows(snakemake.output.table, coverage, **keys)
    write_rows(snakemake.output.ranks, ranks, **keys)
