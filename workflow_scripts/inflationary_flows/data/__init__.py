"""Data sets: toys with exact densities, digits, own tables, and their splits."""
