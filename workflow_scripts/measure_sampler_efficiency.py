"""Compares effective samples of the weights a CPU second between this project's samplers and the paper's setting."""

from inflationary_flows import Flow
from inflationary_flows.experiments.sampler_efficiency.measure import SamplerComparison, measure_sampler_efficiency
from inflationary_flows.files.tables import write_rows
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.latent_mixture import LatentMixture, observe
from inflationary_flows.runtime.job import job

with job(snakemake):
    params = snakemake.params
    flow, mixture = Flow.load(snakemake.input.flow), LatentMixture.of(**params.mixture)
    comparison = SamplerComparison(
        flow,
        mixture,
        observe(Decoder(flow), mixture, params.observations, params.noise_std, params.seed),
        params.noise_std,
        solver=params.solver,
        steps=params.steps,
        seed=params.seed,
    )
    samplers = {
        "paper": (params.paper, {"steps": params.paper_steps}),
        "joint": (params.joint, params.joint_options),
        "collapsed": (params.collapsed, {"particles": params.particles}),
    }
    rows = measure_sampler_efficiency(comparison, samplers)
    write_rows(snakemake.output.table, rows, **dict(snakemake.wildcards))
