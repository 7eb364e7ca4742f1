"""Bayesian inference through a flow: uncertainty carried to latents, posteriors, and samplers of them."""
