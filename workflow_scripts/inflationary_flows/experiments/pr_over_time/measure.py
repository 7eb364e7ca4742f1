"""The participation ratio of the marginals over time, under both families of kernels.

PR(t) = tr(Sigma_t)^2 / tr(Sigma_t^2) with Sigma_t = A(t)^2 diag(xi + gamma(t)).  `proportional`
keeps it (PRP) or ends at that of the kept directions (PRR); `floor` adds the same variance to all
directions, and ends isotropic in the kept ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from inflationary_flows.errors import ScheduleError
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.schedules import Schedule, make_schedule

PR_COLUMNS = ("kernel", "of", "t", "t_fraction", "participation_ratio")


def make_both_kernels(eigenvalues: np.ndarray, settings: Mapping[str, Any]) -> dict[str, Schedule]:
    """The schedule of both kernel families with otherwise equal settings.

    Times that belong to one family alone (`t_min`) stay with the kernel that the settings name.
    Where `proportional` cannot have the exponents of `floor`, which may be negative, the compressed
    directions get exponent 0 instead.

    Arguments:
        eigenvalues: Data variances, shape (D,), descending.
        settings: Arguments of `make_schedule`.

    Raises:
        ScheduleError: if the settings do not fit the data.
    """
    schedules = {}
    for kernel in ("floor", "proportional"):
        own = dict(settings) | {"kernel": kernel}
        if kernel != settings.get("kernel", "floor"):
            own["t_min"] = None
        try:
            schedules[kernel] = make_schedule(eigenvalues, **own)
        except ScheduleError as error:
            if kernel == settings.get("kernel", "floor") or error.where != "schedule.gap":
                raise
            schedules[kernel] = make_schedule(eigenvalues, **(own | {"gap": "constant", "inflation_gap": 1.0}))
    return schedules


def participation_ratio_over_time(
    eigenvalues: np.ndarray, schedule_settings: Mapping[str, Any], *, points: int = 200
) -> list[dict[str, Any]]:
    """Follows PR(t) from the first to the last time of each kernel family.

    Arguments:
        eigenvalues: Data variances, shape (D,), descending.
        schedule_settings: Arguments of `make_schedule` as for the flow itself.
        points: Times, uniform.

    Returns:
        Rows of kernel, of (`equation`), t, t_fraction (0 at the first time, 1 at the last), participation_ratio.

    Raises:
        ScheduleError: if the settings do not fit the data.
    """
    rows = []
    for kernel, schedule in make_both_kernels(eigenvalues, schedule_settings).items():
        for fraction in np.linspace(0, 1, points):
            t = float(schedule.t_min + fraction * (schedule.t_max - schedule.t_min))
            rows.append(
                {
                    "kernel": kernel,
                    "of": "equation",
                    "t": t,
                    "t_fraction": float(fraction),
                    "participation_ratio": schedule.participation_ratio_at(t),
                }
            )
    return rows


def measure(
    *, eigenbases: Mapping[str, Eigenbasis], pairs: list[list[str]], schedules: Mapping[str, Any], points: int
) -> Measured:
    """Rows of `participation_ratio_over_time` for each data set and schedule.

    Arguments:
        eigenbases: By data set.
        pairs: Data sets with their schedules.
        schedules: Arguments of `make_schedule` by name.
        points: Times.
    """
    spectra = {name: basis.eigenvalues.numpy() for name, basis in eigenbases.items()}
    rows = [
        {"dataset": dataset, "schedule": schedule, "seed": None, **row}
        for dataset, schedule in pairs
        for row in participation_ratio_over_time(spectra[dataset], schedules[schedule], points=points)
    ]
    return Measured({"pr_over_time": rows})
