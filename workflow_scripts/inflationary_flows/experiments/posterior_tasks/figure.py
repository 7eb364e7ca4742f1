"""Coverage of posteriors of five tasks, and how well they are told from exact ones."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import (
    COLOURS,
    DOUBLE_COLUMN,
    GREY,
    despine,
    figure_style,
    new_figure,
    p_value_text,
)

# Colour and label of each method.
METHODS = {
    "exact": (GREY, "exact posterior"),
    "infer": (COLOURS[0], "infer"),
    "guidance": (COLOURS[1], "guidance (control)"),
}
TASKS = {
    "denoising": "noisy point",
    "missing": "missing coordinate",
    "linear": "noisy sum",
    "radius": "noisy radius",
    "product": "noisy product",
}


def draw_posterior_tasks(material: Material) -> Figure:
    """Draws coverage minus level around the worst reference, a column for each task, a row for each flow.

    Numbers in the panels are the accuracies of the classifier and p-values of coverage, in the colours of the curves.

    Arguments:
        material: Tables `posterior_tasks` and `posterior_task_coverage`.
    """
    coverage, scores = (material.labelled(name) for name in ("posterior_task_coverage", "posterior_tasks"))
    coverage = coverage[coverage["reference"] == "worst"]
    keys = ["dataset", "schedule", "seed"]
    groups = [dict(list(table.groupby(keys, sort=False))) for table in (coverage, scores)]
    flows = list(groups[0])
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, 1.55 * len(flows) + 0.6)
        axes = figure.subplots(len(flows), len(TASKS), squeeze=False, sharex=True, sharey="row")
        for line, flow in zip(axes, flows, strict=True):
            for axis, (task, label) in zip(line, TASKS.items(), strict=True):
                curves, numbers = (group[flow][group[flow]["task"] == task] for group in groups)
                axis.axhline(0, color="0.7", lw=0.6)
                for place, (method, (colour, _)) in enumerate(METHODS.items()):
                    curve = curves[curves["method"] == method]
                    gap, two = curve["coverage"] - curve["level"], 2 * curve["se"]
                    axis.plot(curve["level"], gap, color=colour)
                    axis.fill_between(curve["level"], gap - two, gap + two, color=colour, alpha=0.15, lw=0)
                    row = numbers[numbers["method"] == method].iloc[0]
                    text = f"C2ST {row['c2st']:.2f}, p {p_value_text(row['p_value'])}"
                    place_of = {"ha": "left", "va": "bottom", "transform": axis.transAxes}
                    axis.text(0.03, 0.02 + 0.09 * (2 - place), text, color=colour, fontsize=5, **place_of)
                axis.set_title(label)
            line[0].set_ylabel(f"{flow[0]}, {flow[1]}")
            # Room for the numbers.
            low, high = line[0].get_ylim()
            line[0].set_ylim(low - 0.35 * (high - low), high)
        axes[0, 0].set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
        figure.supxlabel("nominal level", fontsize=7.5)
        figure.supylabel("coverage minus level, worst reference", fontsize=7.5)
        handles = [Line2D([], [], color=colour, label=label) for colour, label in METHODS.values()]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
        despine(list(axes.flat))
    return figure
