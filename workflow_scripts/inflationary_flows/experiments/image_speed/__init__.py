"""Speed of the image path beside the bare network."""
