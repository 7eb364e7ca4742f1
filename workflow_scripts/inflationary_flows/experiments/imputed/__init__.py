"""Holes of the user's own tables, imputed by a flow of the rows that have none."""
