"""Injective flows beside our own: what they share, how their hyper-parameters are searched, and a module a method."""
