"""Effective samples a second beside the paper's setting."""
