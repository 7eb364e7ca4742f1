"""image_roundtrip."""
