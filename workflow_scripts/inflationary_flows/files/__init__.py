"""Raw files: written whole or not at all, checksummed, never pickled."""
