"""Coverage of posteriors and errors of the flow against the length of training."""
