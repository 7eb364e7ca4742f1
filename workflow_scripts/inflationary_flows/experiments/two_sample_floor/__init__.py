"""Fresh points against fresh points."""
