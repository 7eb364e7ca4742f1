"""Curves from tables: training, participation ratio over time."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from inflationary_flows.plotting.solvers import plot_flow_quality, plot_solver_comparison
from inflationary_flows.plotting.style import (
    COLOURS,
    DOUBLE_COLUMN,
    GREY,
    despine,
    figure_style,
    new_figure,
    new_panels,
    use_log_scale,
)

__all__ = [
    "plot_flow_quality",
    "plot_participation_ratio",
    "plot_solver_comparison",
    "plot_training_curves",
]

_MOST_COLUMNS = 6


def _by(table: pd.DataFrame, *columns: str) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Groups of a table in order of appearance, keyed by text."""
    for key, group in table.groupby(list(columns), sort=False):
        yield tuple(str(part) for part in key), group


def plot_training_curves(records: pd.DataFrame) -> Figure:
    """Draws validation loss and, where it is known, the excess denoising error against steps.

    Arguments:
        records: Lines of `training.jsonl` with columns dataset, schedule, seed beside step,
            validation_loss and, where known, excess_denoising_error.

    Returns:
        The figure: a column for each data set, a colour for each schedule, a thin line for each
            seed.
    """
    records = records.dropna(subset=["validation_loss"])
    if "excess_denoising_error" not in records:
        records = records.assign(excess_denoising_error=float("nan"))
    datasets = list(dict.fromkeys(records["dataset"]))
    schedules = list(dict.fromkeys(records["schedule"]))
    colours = dict(zip(schedules, COLOURS * len(schedules), strict=False))
    columns = min(_MOST_COLUMNS, len(datasets))
    bands = -(-len(datasets) // columns)
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN * max(columns, 3) / _MOST_COLUMNS, 2.7 * bands + 0.25)
        axes = figure.subplots(2 * bands, columns, squeeze=False)
        handles: dict[str, Line2D] = {}
        errors = records["excess_denoising_error"].dropna()
        errors = errors[errors > 0]
        limits = (0.8 * errors.min(), 1.25 * errors.max()) if len(errors) else None
        for place in range(bands * columns):
            upper = axes[2 * (place // columns), place % columns]
            lower = axes[2 * (place // columns) + 1, place % columns]
            if place >= len(datasets):
                upper.remove()
                lower.remove()
                continue
            chosen = records[records["dataset"] == datasets[place]]
            for (schedule, _), curve in _by(chosen, "schedule", "seed"):
                steps, colour = curve["step"] / 1000, colours[schedule]
                (line,) = upper.plot(steps, curve["validation_loss"], color=colour)
                handles.setdefault(schedule, line)
                if curve["excess_denoising_error"].notna().any():
                    lower.plot(steps, curve["excess_denoising_error"], color=colour)
            upper.set_title(datasets[place])
            if lower.lines:
                use_log_scale(lower, "y", (1, 3))
                lower.set(xlabel="steps / 1000", ylim=limits)
                upper.tick_params(labelbottom=False)
                despine([upper, lower])
            else:
                lower.remove()
                upper.set(xlabel="steps / 1000")
                despine([upper])
        axes[0, 0].set_ylabel("validation loss")
        axes[1, 0].set_ylabel("excess denoising error")
        figure.align_ylabels()
        figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=len(handles))
    return figure


def _draw_ratio(axis: Axes, group: pd.DataFrame, title: str) -> None:
    """PR(t) of one data set and schedule under each kernel."""
    styles = {"floor": (COLOURS[0], "-"), "proportional": (COLOURS[1], "--")}
    for (kernel,), curve in _by(group, "kernel"):
        colour, line = styles.get(kernel, (GREY, ":"))
        axis.plot(curve["t_fraction"], curve["participation_ratio"], line, color=colour, label=kernel)
    low, high = axis.get_ylim()
    # A constant must look like one: never less than a tenth of the value from below to above.
    middle = (low + high) / 2
    if high - low < 0.1 * middle:
        axis.set_ylim(0.95 * middle, 1.05 * middle)
    axis.set_title(title)
    axis.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])


def plot_participation_ratio(table: pd.DataFrame) -> Figure:
    """Draws PR(t) for both kernel families, a panel for each data set and schedule.

    Arguments:
        table: Columns dataset, schedule, kernel, t_fraction, participation_ratio.
    """
    groups = list(_by(table, "dataset", "schedule"))
    with figure_style():
        figure, axes = new_panels(len(groups), columns=5, height=1.15)
        for axis, ((dataset, schedule), group) in zip(axes, groups, strict=True):
            _draw_ratio(axis, group, f"{dataset}, {schedule}")
        despine(axes)
        figure.supxlabel("time, share of the range", fontsize=7.5)
        figure.supylabel("participation ratio", fontsize=7.5)
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=2)
    return figure
