"""What draws have to reach to be trusted; without imports, so that configurations can read it.

Sources: Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021), Vehtari et al. (2024).
"""

# R-hat at most, effective draws at least, and the shape of the tail of importance weights at most.
MOST_RHAT, ENOUGH_DRAWS, MOST_PARETO_K = 1.01, 400, 0.7
# Observations that are this improbable under the flow are unlike what it was trained on.
UNLIKELY = 0.01
