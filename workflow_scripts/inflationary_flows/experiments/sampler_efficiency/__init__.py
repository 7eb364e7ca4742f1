"""Effective samples a second, against the paper's setting."""
