"""What chains have to fulfil before anything is said of their posterior; without imports, for configurations to read.

Source: Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021).
"""

# Largest rank-normalised R-hat, and smallest effective sample size, of all chains together.
MOST_RHAT, LEAST_ESS = 1.01, 400.0
