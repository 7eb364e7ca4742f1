"""Training: targets, the loop, its resumable state, and what is measured meanwhile."""
