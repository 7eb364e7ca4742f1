"""Inflation and generation in a loop."""
