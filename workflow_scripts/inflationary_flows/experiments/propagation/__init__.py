"""Uncertainty of an example, carried to its latents."""
