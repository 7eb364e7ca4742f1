"""Generated points beside fresh ones, latents beside their exact law."""
