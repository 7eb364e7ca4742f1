"""Images that flows generate: Frechet distances, round trips, both against evaluations, and pictures."""
