"""Ranks of true weights in their posteriors."""
