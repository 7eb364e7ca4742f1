"""Frechet distances of generated images."""
