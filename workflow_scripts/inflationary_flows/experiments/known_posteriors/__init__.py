"""Densities, latents and posteriors of data whose true ones are known in closed form."""
