"""Posteriors under five likelihoods, by `infer` and by guidance, against exact ones."""
