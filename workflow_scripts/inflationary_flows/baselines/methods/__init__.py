"""One module per method, found by file name: its `Settings`, `fit`, `pack` and `unpack`."""
