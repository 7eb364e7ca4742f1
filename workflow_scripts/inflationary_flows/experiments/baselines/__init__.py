"""The flow beside injective flows."""
