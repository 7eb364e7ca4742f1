"""Error of solvers against network evaluations."""
