"""Participation ratio of the marginals over time."""
