"""One family of densities in three descriptions (figure 1 of the paper)."""
