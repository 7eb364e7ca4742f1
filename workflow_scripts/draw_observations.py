"""Draws the observations of the HMC experiment, latents of a mixture, generated, with noise, and their Laplace fits."""

from inflationary_flows.artifacts.flow_files import load_flow
from inflationary_flows.artifacts.laplace import save_laplace
from inflationary_flows.artifacts.observations import ObservedMixture, save_observations
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.laplace import fit_laplace
from inflationary_flows.inference.latent_mixture import LatentMixture, observe
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    params, output = snakemake.params, snakemake.output
    flow = load_flow(snakemake.input.flow).to(device_for(snakemake.resources))
    mixture = LatentMixture.of(**params.mixture)
    # The flow's own solver, not the samplers' cheaper one: data know nothing of how they will be explained.
    made = observe(Decoder(flow), mixture, params.observations, params.noise_std, params.seed)
    observed = ObservedMixture(made, mixture, params.noise_std, flow.schedule.latent_std)
    save_observations(output.observations, observed, snakemake.input.flow)

    decoder = Decoder(flow, solver=params.solver, steps=params.steps, checkpointed=params.checkpointed)
    mean, variances = mixture.moments()
    laplace = fit_laplace(decoder, made.x, params.noise_std, 1 / variances, mean)
    save_laplace(output.laplace, laplace, snakemake.input.flow)
