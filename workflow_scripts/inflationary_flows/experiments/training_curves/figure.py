"""Losses against training steps, and the error against the exact denoiser where it is known."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import COLOURS, DOUBLE_COLUMN, despine, figure_style, new_figure, use_log_scale

_FEW = 4
_COLUMNS = 6
_LOSS, _ERROR = "validation_loss", "excess_denoising_error"
_NAMES = {_LOSS: "validation loss", _ERROR: "excess\ndenoising error"}


def draw_training_curves(material: Material) -> Figure:
    """Draws validation loss and, below it, the excess denoising error against steps.

    Arguments:
        material: Files `curves`, the training.jsonl of each of the param `flows`; the param `shared`, which stands
            there for all schedules of a network.

    Returns:
        The figure: a panel for each data set, a colour for each schedule or for all that share a network, a thin line
        for each seed; first the toys, whose exact denoiser is known, then images and tables.
    """
    records = _records(material)
    exact = set(records.dropna(subset=[_ERROR])["dataset"])
    groups = [
        ("toys", (_LOSS, _ERROR), [name for name in dict.fromkeys(records["dataset"]) if name in exact]),
        ("images and tables", (_LOSS,), [name for name in dict.fromkeys(records["dataset"]) if name not in exact]),
    ]
    groups = [group for group in groups if group[2]]
    columns = min(_COLUMNS, max(len(datasets) for _, _, datasets in groups))
    heights = [0.2 + 1.3 * len(metrics) * -(-len(datasets) // columns) for _, metrics, datasets in groups]
    schedules = material.preserving_first(schedule for _, schedule, _ in material.flows())
    colours = {_label(material, s): COLOURS[k % len(COLOURS)] for k, s in enumerate(schedules)}
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN * max(columns, 3) / _COLUMNS, sum(heights) + 0.25)
        bands = figure.subfigures(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
        for band, (title, metrics, datasets) in zip(bands, groups, strict=True):
            if len(groups) > 1:
                band.suptitle(title, fontsize=8)
            _draw_group(band, records, metrics, datasets, columns, colours)
        handles = [Line2D([], [], color=colour) for colour in colours.values()]
        figure.legend(handles, list(colours), loc="outside upper center", ncols=len(handles))
    return figure


def _label(material: Material, schedule: str) -> str:
    """How the figure calls the schedule of a network, or all schedules that share it."""
    return "all schedules" if schedule == material.params.get("shared") else material.labels.schedule(schedule)


def _records(material: Material) -> pd.DataFrame:
    """Lines of all files with a validation loss, with labels of data set and schedule, and the seed."""
    labels = material.labels
    curves = [
        _curve(path).assign(dataset=labels.dataset(dataset), schedule=_label(material, schedule), seed=seed)
        for path, (dataset, schedule, seed) in zip(material.files["curves"], material.flows(), strict=True)
    ]
    records = pd.concat(curves, ignore_index=True)
    return records.reindex(columns=records.columns.union([_ERROR])).dropna(subset=[_LOSS])


def _curve(path: str) -> pd.DataFrame:
    """Lines of a file, and of each whether the weights of its step are those of the flow, if not the last ones are."""
    lines = pd.read_json(path, lines=True)
    return lines.assign(kept=lines["step"].isin(lines["step"][lines["event"] == "kept"]))


def _draw_group(
    band: FigureBase,
    records: pd.DataFrame,
    metrics: tuple[str, ...],
    datasets: list[str],
    columns: int,
    colours: dict[str, str],
) -> None:
    """Panels of some data sets, those of the metrics of each one below the other."""
    rows = -(-len(datasets) // columns)
    axes = band.subplots(rows * len(metrics), columns, squeeze=False)
    errors = records[_ERROR][records[_ERROR] > 0]
    for place in range(rows * columns):
        row, column = divmod(place, columns)
        panels: list[Axes] = list(axes[row * len(metrics) : (row + 1) * len(metrics), column])
        if place >= len(datasets):
            for panel in panels:
                panel.remove()
            continue
        chosen = records[records["dataset"] == datasets[place]]
        for panel, metric in zip(panels, metrics, strict=True):
            for (schedule, _), curve in chosen.groupby(["schedule", "seed"], sort=False):
                # Of a training that was stopped early there may be one point.
                marker = "o" if len(curve) < _FEW else None
                panel.plot(curve["step"] / 1000, curve[metric], marker=marker, color=colours[str(schedule)])
                kept = curve[curve["kept"]]
                panel.plot(kept["step"] / 1000, kept[metric], "o", ms=4, mfc="white", color=colours[str(schedule)])
            panel.tick_params(labelbottom=panel is panels[-1])
            if metric == _ERROR:
                use_log_scale(panel, "y", (1, 3))
                if len(errors):
                    panel.set_ylim(0.8 * errors.min(), 1.25 * errors.max())
            if column == 0:
                panel.set_ylabel(_NAMES[metric])
        panels[0].set_title(datasets[place])
        panels[-1].set_xlabel("steps / 1000")
        despine(panels)
