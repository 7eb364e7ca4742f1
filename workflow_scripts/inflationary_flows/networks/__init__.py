"""Score networks: modules that map whitened points and clock positions to unit-variance outputs.

    network(y, clock): (n, D), (n,) in [0, 1]  ->  (n, D)

A network is described by a mapping of plain values with a `kind`, as in the configuration, so that it can be built
again from the metadata of a saved one.
"""
