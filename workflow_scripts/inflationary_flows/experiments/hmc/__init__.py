"""Posterior of the weights of a latent mixture (figure 4 of the paper)."""
