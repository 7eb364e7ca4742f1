"""Points that shells of latents keep."""
