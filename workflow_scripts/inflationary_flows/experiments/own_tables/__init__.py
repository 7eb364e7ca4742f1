"""A table of the user's own: generated rows beside held-out ones, and the likelihood of these."""
