"""A table and what flows generate: pairs of columns, single columns, and latents."""

from __future__ import annotations

import math
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from inflationary_flows.plotting.material import Arrays, Material
from inflationary_flows.plotting.style import (
    COLOURS,
    DOUBLE_COLUMN,
    GREY,
    despine,
    figure_style,
    label_colours,
    new_figure,
    new_panels,
)

_PAIRED = 6
_MOST_COLUMNS = 24
_MOST_POINTS = 400
_MOST_BINS = 24
# Radius that holds 95 % of a Gaussian of two coordinates.
_RADIUS_95 = 2.4477
_INK = "0.1"


def draw_own_pairs(material: Material) -> Figure:
    """Draws pairs of columns of held-out and of generated rows, a block for each flow.

    Arguments:
        material: Arrays `own_tables`, table `own_marginals`; param `flows`.
    """
    found = _found(material)
    chosen = _worst_first(material)[:_PAIRED]
    names, colours = [str(found["columns"][place]) for place in chosen], _colours(material)
    size = max(2.6, 1.15 * len(chosen))
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, size * len(colours))
        bands = figure.subfigures(len(colours), 1, squeeze=False)[:, 0]
        for band, ((schedule, title), colour) in zip(bands, colours.items(), strict=True):
            generated = _of_flow(found, material, schedule, "generated")
            _draw_pairs(band, found["held_out"][:, chosen], generated[:, chosen], names, colour)
            handles = [Line2D([], [], color=c, marker="o", ls="") for c in (_INK, colour)]
            band.legend(handles, ["held out", f"generated, {title}"], loc="upper right")
    return figure


def _draw_pairs(band: FigureBase, held_out: np.ndarray, generated: np.ndarray, names: list[str], colour: str) -> None:
    """Panels on and below the diagonal."""
    d = len(names)
    axes = band.subplots(d, d, squeeze=False)
    limits = [_limits(held_out[:, j], generated[:, j]) for j in range(d)]
    for row in range(d):
        for column in range(d):
            axis = axes[row, column]
            if column > row:
                axis.remove()
                continue
            if row == column:
                _draw_distribution(axis, held_out[:, row], {"": generated[:, row]}, {"": colour}, limits[row])
                axis.set_yticks([])
            else:
                for points, ink, size in ((generated, colour, 1.2), (held_out, _INK, 2.5)):
                    some = points[:_MOST_POINTS]
                    axis.scatter(some[:, column], some[:, row], s=size, c=ink, lw=0, rasterized=True)
                axis.set_ylim(limits[row])
            axis.set_xlim(limits[column])
            axis.tick_params(labelbottom=row == d - 1, labelleft=column == 0 and row > 0)
            axis.locator_params(nbins=3)
            if row == d - 1:
                axis.set_xlabel(_wrapped(names[column]))
            if column == 0:
                axis.set_ylabel(_wrapped(names[row]))
            despine([axis])


def draw_own_latents(material: Material) -> Figure:
    """Draws the first two latents of rows of the table, coloured by label, a panel for each flow.

    Arguments:
        material: Arrays `own_tables`; param `flows`.
    """
    found, colours = _found(material), _colours(material)
    labels = found["labels"]
    known = np.isfinite(labels)
    held_out = np.arange(len(labels)) < len(found["held_out"])
    with figure_style():
        figure, axes = new_panels(len(colours), columns=3, height=2.4)
        colour_map, (low, high) = label_colours(labels[known]) if known.any() else (None, (0.0, 1.0))
        latents = {schedule: _of_flow(found, material, schedule, "latents") for schedule, _ in colours}
        bound = 1.05 * max(_RADIUS_95, *(float(np.abs(points).max()) for points in latents.values()))
        drawn = None
        for axis, (schedule, title) in zip(axes, colours, strict=True):
            # Of a single column there is one latent.
            x, y = np.pad(latents[schedule], ((0, 0), (0, 2 - latents[schedule].shape[1]))).T
            for rows, edge in ((~held_out, "none"), (held_out, _INK)):
                unknown, shown = rows & ~known, rows & known
                axis.scatter(x[unknown], y[unknown], s=7, c=GREY, edgecolors=edge, lw=0.5)
                drawn = axis.scatter(x[shown], y[shown], s=7, c=labels[shown], cmap=colour_map, edgecolors=edge, lw=0.5)
                drawn.set_clim(low, high)
            axis.add_patch(Circle((0, 0), _RADIUS_95, fill=False, ec=GREY, lw=0.6))
            axis.set(title=title, xlabel="latent 1", xlim=(-bound, bound), ylim=(-bound, bound), aspect="equal")
        axes[0].set_ylabel("latent 2")
        despine(axes)
        if drawn is not None:
            bar = figure.colorbar(drawn, ax=axes, shrink=0.8, label=_drawn(str(found["label"])))
            distinct = np.unique(labels[known])
            if len(distinct) <= high - low + 0.5 and float(high - low).is_integer():
                bar.set_ticks(distinct.tolist())
    return figure


def draw_own_marginals(material: Material) -> Figure:
    """Draws the distribution of each column, with its distances.

    Arguments:
        material: Arrays `own_tables`, table `own_marginals`; param `flows`.
    """
    found, colours = _found(material), _colours(material)
    chosen = _worst_first(material)[:_MOST_COLUMNS]
    table = material.tables["own_marginals"].astype({"column": str})
    table = table[table["seed"] == int(material.flows()[0][2])]
    with figure_style():
        figure, axes = new_panels(len(chosen), columns=4, height=1.45)
        for axis, place in zip(axes, chosen, strict=True):
            name = str(found["columns"][place])
            generated = {s: _of_flow(found, material, s, "generated")[:, place] for s, _ in colours}
            held_out = found["held_out"][:, place]
            limits = _limits(held_out, *generated.values())
            _draw_distribution(axis, held_out, generated, {s: c for (s, _), c in colours.items()}, limits)
            rows = table[table["column"] == name].set_index("schedule")
            distances = ", ".join(f"{rows['ks'][schedule]:.2f}" for schedule in generated)
            axis.set_title(f"{_drawn(name)}\n{distances} (95 %: {rows['ks_95'].max():.2f})")
            axis.set(xlim=limits, yticks=[])
            axis.tick_params(labelbottom=True)
            axis.locator_params(axis="x", nbins=4)
        handles = [Line2D([], [], color="0.8", lw=5), *(Line2D([], [], color=c) for c in colours.values())]
        figure.legend(handles, ["held out", *(t for _, t in colours)], loc="outside upper center", ncols=len(handles))
        despine(axes)
    return figure


def _draw_distribution(
    axis: Axes,
    held_out: np.ndarray,
    generated: dict[str, np.ndarray],
    colours: dict[str, str],
    limits: tuple[float, float],
) -> None:
    """Histograms: held-out rows filled, generated ones as lines."""
    # Of few rows more bins would be gaps.
    edges = np.linspace(*limits, min(_MOST_BINS, 5 + round(math.sqrt(len(held_out)))) + 1).tolist()
    axis.hist(held_out, edges, density=True, color="0.8", lw=0)
    for name, values in generated.items():
        axis.hist(values, edges, density=True, histtype="step", color=colours[name], ec=colours[name], lw=1)


def _limits(held_out: np.ndarray, *generated: np.ndarray) -> tuple[float, float]:
    """All held-out rows, and generated ones but for the farthest hundredth."""
    bounds = [held_out.min(), held_out.max()]
    for values in generated:
        bounds += np.quantile(values, (0.005, 0.995)).tolist()
    margin = 0.04 * (max(bounds) - min(bounds))
    return float(min(bounds) - margin), float(max(bounds) + margin)


def _found(material: Material) -> Arrays:
    """Arrays of the data set."""
    return material.arrays["own_tables"][0]


def _of_flow(found: Arrays, material: Material, schedule: str, name: str) -> np.ndarray:
    """An array of a flow."""
    (seed,) = {seed for _, chosen, seed in material.flows() if chosen == schedule}
    return found[f"{schedule}/seed{seed}/{name}"]


def _colours(material: Material) -> dict[tuple[str, str], str]:
    """Colours by schedule and its label, those that preserve dimensions first."""
    schedules = material.preserving_first(schedule for _, schedule, _ in material.flows())
    return {(s, material.labels.schedule(s)): COLOURS[k % len(COLOURS)] for k, s in enumerate(schedules)}


def _worst_first(material: Material) -> list[int]:
    """Places of columns by their largest distance, the largest first; equal ones as they stand in the table."""
    worst = material.tables["own_marginals"].astype({"column": str}).groupby("column")["ks"].max()
    columns = [str(name) for name in _found(material)["columns"]]
    return sorted(range(len(columns)), key=lambda place: -worst[columns[place]])


def _wrapped(name: str) -> str:
    """The name of a column beside a small panel, in two lines at most."""
    return _drawn("\n".join(wrap(name, 16, max_lines=2, placeholder="…")))


def _drawn(name: str) -> str:
    """The name of a column as Matplotlib draws it: dollars are no formulas, and long names are cut."""
    short = name if len(name) <= 32 else f"{name[:31]}…"
    return short.replace("$", r"\$")
