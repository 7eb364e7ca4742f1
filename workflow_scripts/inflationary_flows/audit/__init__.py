"""Reads the sidecars of a folder of results: checks every file, follows numbers to data and seeds, hands all on."""
