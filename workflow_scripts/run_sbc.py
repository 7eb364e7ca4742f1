"""Ranks the true weights of one batch of replicates among draws of their posteriors, and of wrong ones."""

from inflationary_flows.artifacts.bases import load_basis
from inflationary_flows.artifacts.flow_files import read_flow
from inflationary_flows.artifacts.networks import load_network
from inflationary_flows.experiments.sbc.replicates import rank_weights
from inflationary_flows.files.tensors import save_tensors
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.latent_mixture import LatentMixture
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job
from inflationary_flows.training.assembly import assemble

with job(snakemake) as log:
    params, device = snakemake.params, device_for(snakemake.resources)
    flow, made = read_flow(snakemake.input.flow)
    flow = flow.to(device)
    cases = {"learned": (flow, 1.0)} | {f"noise_{factor:g}": (flow, factor) for factor in params.noise_factors}
    if snakemake.input.generator:
        path, basis = snakemake.input.generator
        network, _ = load_network(path, load_basis(basis), made["schedule"])
        other = assemble(network, None, solver=flow.solver, compressed_prior="gaussian", device=device)
        cases["other_seed"] = (other, 1.0)
    tensors = {}
    for name, (generator, factor) in cases.items():
        ranked = rank_weights(
            Decoder(generator),
            Decoder(flow, solver=params.solver, steps=params.steps),
            LatentMixture.of(**params.mixture),
            replicates=params.replicates,
            observations=params.observations,
            noise_std=params.noise_std,
            assumed_std=factor * params.noise_std,
            particles=params.particles,
            warmup=params.warmup,
            draws=params.draws,
            ranks=params.ranks,
            seed=params.seed,
        )
        quality = f"largest R-hat {ranked.rhat.max():.3f}, smallest effective sample size {ranked.ess.min():.0f}"
        log.info("%s: %s", name, quality)
        tensors |= {f"{name}/{key}": value for key, value in vars(ranked).items()}
    save_tensors(snakemake.output.ranks, tensors, {"kind": "sbc_ranks"})
