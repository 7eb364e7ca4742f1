"""Ranks the true weights of one batch of replicates among draws of their posteriors."""

from inflationary_flows import Flow
from inflationary_flows.experiments.sbc.replicates import rank_weights
from inflationary_flows.files.tensors import save_tensors
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.latent_mixture import LatentMixture
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake) as log:
    params = snakemake.params
    flow = Flow.load(snakemake.input.flow).to(device_for(snakemake.resources))
    ranked = rank_weights(
        Decoder(flow),
        Decoder(flow, solver=params.solver, steps=params.steps),
        LatentMixture.of(**params.mixture),
        replicates=params.replicates,
        observations=params.observations,
        noise_std=params.noise_std,
        particles=params.particles,
        warmup=params.warmup,
        draws=params.draws,
        ranks=params.ranks,
        seed=params.seed,
    )
    log.info("largest R-hat %.3f, smallest effective sample size %.0f", ranked.rhat.max(), ranked.ess.min())
    save_tensors(snakemake.output.ranks, vars(ranked), {"kind": "sbc_ranks"})
