"""Losses over training."""
