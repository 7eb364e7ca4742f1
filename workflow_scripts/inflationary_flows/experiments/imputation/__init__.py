"""Hidden cells of held-out rows, imputed by flows and by other methods."""
