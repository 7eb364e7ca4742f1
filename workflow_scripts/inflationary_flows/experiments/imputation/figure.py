"""Scores and coverage of imputed cells."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import COLOURS, DOUBLE_COLUMN, GREY, MARKERS, despine, figure_style, new_figure

METHODS = {
    "flow": (COLOURS[0], "flow"),
    "few_rows": (COLOURS[3], "flow that knows how few rows it saw"),
    "iterative": (COLOURS[1], "chained regressions"),
    "neighbours": (COLOURS[2], "nearest neighbours"),
    "gaussian": (GREY, "Gaussian"),
}
# Column, label, and what is perfect or the same as the Gaussian.
PANELS = (
    ("crps", "CRPS of cells,\nrelative to the Gaussian's", 1.0),
    ("energy", "energy score of rows,\nrelative to the Gaussian's", 1.0),
    ("coverage_50", "coverage of\n50 % intervals", 0.5),
    ("coverage_90", "coverage of\n90 % intervals", 0.9),
)


def draw_imputation(material: Material) -> Figure:
    """Draws a row for what is hidden of each data set, colours for methods, markers for the schedules of flows.

    Arguments:
        material: Table `imputation`.
    """
    # Other methods have no schedule.
    table = material.tables["imputation"].fillna({"schedule": ""})
    places = list(dict.fromkeys(zip(table["dataset"], table["holes"], strict=True)))
    schedules = list(dict.fromkeys(name for name in table["schedule"] if name))
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, 1.3 + 0.36 * len(places))
        axes = list(figure.subplots(1, len(PANELS), sharey=True, squeeze=False).flat)
        for axis, (column, label, perfect) in zip(axes, PANELS, strict=True):
            axis.axvline(perfect, color="0.7", lw=0.6)
            for place, (dataset, holes) in enumerate(places):
                rows = table[(table["dataset"] == dataset) & (table["holes"] == holes)]
                (gaussian,) = rows.loc[rows["method"] == "gaussian", column]
                for number, row in enumerate(rows.to_dict("records")):
                    value, error = row[column], row[f"{column}_se"]
                    if f"{column}_difference_se" in row:
                        # Rows are the same for all: their differences vary less than they do.
                        value, error = value / gaussian, row[f"{column}_difference_se"] / gaussian
                    marker = MARKERS[schedules.index(row["schedule"]) % len(MARKERS)] if row["schedule"] else "o"
                    height = place + 0.7 * ((number + 0.5) / len(rows) - 0.5)
                    colour = METHODS[row["method"]][0]
                    axis.errorbar(value, height, xerr=2 * error, fmt=marker, color=colour, ms=3, mew=0, elinewidth=0.8)
            axis.set_xlabel(label)
        names = [f"{material.labels.dataset(dataset)}, {holes}" for dataset, holes in places]
        axes[0].set(yticks=range(len(places)), yticklabels=names, ylim=(len(places) - 0.5, -0.5))
        despine(axes)
        present = [method for method in METHODS if method in set(table["method"])]
        handles = [Line2D([], [], color=METHODS[method][0], marker="o", ms=3, ls="none") for method in present]
        labels = [METHODS[method][1] for method in present]
        for schedule in schedules if len(schedules) > 1 else ():
            marker = MARKERS[schedules.index(schedule) % len(MARKERS)]
            handles.append(Line2D([], [], color=METHODS["flow"][0], marker=marker, ms=3, ls="none"))
            labels.append(f"flow, {material.labels.schedule(schedule)}")
        figure.legend(handles, labels, loc="outside upper center", ncols=min(5, len(handles)))
    return figure
