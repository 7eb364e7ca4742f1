"""Fresh points beside fresh points."""
