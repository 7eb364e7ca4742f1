"""Our flow and injective flows."""
