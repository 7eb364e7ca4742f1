"""frechet."""
