"""Reads the sidecars of a folder of results: checks every file, traces numbers to data and seeds, bundles a run."""
