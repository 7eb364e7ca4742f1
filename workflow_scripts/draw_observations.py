"""Draws the observations of the HMC experiment: latents of a mixture, generated, with noise."""

from inflationary_flows import Flow
from inflationary_flows.artifacts.observations import ObservedMixture, save_observations
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.latent_mixture import LatentMixture, observe
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    params = snakemake.params
    flow = Flow.load(snakemake.input.flow).to(device_for(snakemake.resources))
    mixture = LatentMixture.of(**params.mixture)
    # The flow's own solver, not the samplers' cheaper one: data know nothing of how they will be explained.
    made = observe(Decoder(flow), mixture, params.observations, params.noise_std, params.seed)
    observed = ObservedMixture(made, mixture, params.noise_std, flow.schedule.latent_std)
    save_observations(snakemake.output.observations, observed, snakemake.input.flow)
