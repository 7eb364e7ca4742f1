"""How axes and legends call what is measured."""

from __future__ import annotations

# Metrics that are Frechet distances, in the order of preference where there are several.
DISTANCES = {"fid": "FID", "fd_effnetlite0": "FD-EffNetLite0", "fd_digits": "FD-digits"}
# Errors of images after a round trip.
IMAGE_ERRORS = {"wrapped": "round-trip MSE,\nuint8, wrapped", "mse": "round-trip MSE,\ngrey levels$^2$"}

SOLVERS = {
    "euler": "Euler",
    "heun": "Heun",
    "rk4": "Runge-Kutta 4",
    "rk5": "Runge-Kutta 5",
    "adams_bashforth4": "Adams-Bashforth 4",
    "adams_bashforth6": "Adams-Bashforth 6",
    "dopri5": "Dormand-Prince, adaptive",
    "euler_scaled": "Euler, scaled (the paper's)",
    "heun_scaled": "Heun, scaled (the paper's)",
}
