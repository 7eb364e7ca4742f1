"""The check of a flow's posteriors, from what a caller has to a report and a figure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from inflationary_flows.errors import DataError
from inflationary_flows.extras import needs
from inflationary_flows.files.files import path_of
from inflationary_flows.mathematics.points import checked
from inflationary_flows.metrics.calibration import Calibration
from inflationary_flows.metrics.calibration_check import check_calibration

if TYPE_CHECKING:
    from inflationary_flows.artifacts.flows import Flow


def check_flow(
    flow: Flow, truths: Any, observed: Any, at: Any, figure: str | os.PathLike[str] | None, **options: Any
) -> Calibration:
    """Arguments, results and errors as of `Flow.check_calibration`; others as of `check_calibration` of `metrics`."""
    of_columns = options["operator"] is None and options["log_likelihood"] is None
    dimension, columns = (flow.dimension, flow.columns) if of_columns else (None, ())

    def rows(values: Any, name: str) -> np.ndarray | None:
        """Observations, shape (n, m), NaN where cells are missing."""
        if values is None:
            return None
        return checked(values, dimension, name, columns=columns, single=True, holes=True).numpy()

    own = rows(at, "at")
    if own is not None and len(own) != 1:
        raise DataError("at", "one observation", f"{len(own)}", "of a data frame pass df.iloc[[0]]")
    clean = None if truths is None else flow._points(truths, "truths").numpy()
    found = check_calibration(flow, clean, rows(observed, "observed"), None if own is None else own[0], **options)
    if figure is not None and found.rows:
        with needs("figures", "workflow"):
            from inflationary_flows.plotting.calibration import draw_calibration
            from inflationary_flows.plotting.style import save_figure
        local = None if found.local is None else (found.local.statistic, found.local.null)
        save_figure(draw_calibration(found.rows, found.ranks, found.coverage, local), path_of(figure))
    return found
