"""Generated points against fresh ones, latents against their exact law."""
