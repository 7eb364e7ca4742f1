"""Raw files: written atomically, checksummed, never pickled."""
