"""Seconds and memory against numbers of points and dimensions."""
