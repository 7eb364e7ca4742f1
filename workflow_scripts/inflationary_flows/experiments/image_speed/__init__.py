"""Speed of the image path and of the bare network."""
