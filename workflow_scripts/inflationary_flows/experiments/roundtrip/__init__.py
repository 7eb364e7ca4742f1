"""Data to latents and back."""
