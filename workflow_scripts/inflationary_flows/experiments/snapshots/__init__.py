"""Inflation and generation of toys and digits (figures 2 and 3 of the paper)."""
