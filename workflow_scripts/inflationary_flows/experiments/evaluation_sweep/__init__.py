"""Image quality and round trips against network evaluations."""
