"""Integrates out the latent of every observation by importance sampling with the flow."""

from inflationary_flows import Flow
from inflationary_flows.artifacts.evidence import save_evidence
from inflationary_flows.artifacts.laplace import load_laplace
from inflationary_flows.artifacts.observations import load_observations
from inflationary_flows.files.tables import write_rows
from inflationary_flows.inference.collapsed import estimate_evidence, evidence_quality
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    params, n = snakemake.params, snakemake.params.observations
    flow = Flow.load(snakemake.input.flow).to(device_for(snakemake.resources))
    observed = load_observations(snakemake.input.observations, snakemake.input.flow)
    evidence = estimate_evidence(
        Decoder(flow, solver=params.solver, steps=params.steps),
        observed.mixture,
        observed.observations.x[:n],
        observed.noise_std,
        load_laplace(snakemake.input.laplace, snakemake.input.flow).first(n),
        particles=params.particles,
        seed=params.seed,
    )
    save_evidence(snakemake.output.evidence, evidence)
    write_rows(snakemake.output.table, evidence_quality(evidence), **dict(snakemake.wildcards))
