"""Baselines: injective flows, their training and the search of their hyper-parameters, one module per method."""
