"""Bayesian inference through a flow: posteriors and their samplers."""
