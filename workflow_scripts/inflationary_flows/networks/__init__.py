"""Score networks: modules that map whitened points, and what is told of their noise, to unit-variance outputs.

    network(y, clock):  (n, D), (n,) in [0, 1]  ->  (n, D)      of one schedule
    network(y, kernel): (n, D), (n, K)          ->  (n, D)      of all, told by angles or levels

A network is described by a mapping of plain values with a `kind`, as in the configuration, so that it can be built
again from the metadata of a saved one.
"""
