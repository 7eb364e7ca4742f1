"""Posteriors of images of which half, means of squares or a blurred image are seen."""
