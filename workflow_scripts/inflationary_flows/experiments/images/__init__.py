"""Images, latents, reconstructions and samples (figure 5 of the paper)."""
