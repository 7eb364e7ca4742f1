"""Latents of the same points under different networks."""
