"""The report: figures, tables and where they come from, as one file that opens without a server."""
