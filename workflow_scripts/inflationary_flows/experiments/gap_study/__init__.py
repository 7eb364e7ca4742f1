"""The prior gap and errors of log-densities of digits against inflation gap and kept dimensions."""
