"""Metrics: arrays in, numbers out. Nothing here reads or writes a file."""
