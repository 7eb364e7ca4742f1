"""Objects of the library as files: flows, models, images, posteriors, reference statistics."""
