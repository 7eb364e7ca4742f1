"""evaluation_sweep."""
