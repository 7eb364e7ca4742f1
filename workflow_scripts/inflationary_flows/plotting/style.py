"""One style for all figures: widths, fonts, colours safe for colour-blind readers, saving."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from inflationary_flows.files.files import atomic_write

# Widths of one and of two columns of a paper, inches.
SINGLE_COLUMN = 3.3
DOUBLE_COLUMN = 6.9

# Okabe and Ito's colours, the light yellow left out.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
GREY = "0.55"

# Colours of classes: ten of seaborn's palette "colorblind".
CLASSES = (
    *("#0173B2", "#DE8F05", "#029E73", "#D55E00", "#CC78BC"),
    *("#CA9161", "#FBAFE4", "#949494", "#ECE133", "#56B4E9"),
)
# More distinct labels are taken for a continuous quantity.
MOST_CLASSES = len(CLASSES)

_INK = "0.15"
_SMALL_P = 0.001
_STYLE: Any = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _INK),
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "w",
    "patch.force_edgecolor": True,
    "font.size": 7.5,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.titlepad": 3.0,
    "axes.labelpad": 2.5,
    "axes.grid": True,
    "grid.color": "0.92",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.2,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.size": 0.0,
    "ytick.minor.size": 0.0,
    "savefig.dpi": 300,
    "figure.dpi": 150,
    # Text stays text, and files do not depend on the day.
    "pdf.fonttype": 42,
    "svg.hashsalt": "inflationary-flows",
    "axes.prop_cycle": cycler(color=list(COLOURS)),
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Applies the style to everything that is drawn inside."""
    with mpl.rc_context(_STYLE):
        yield


def new_figure(width: float, height: float) -> Figure:
    """A figure without a display behind it; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def new_panels(
    count: int, *, columns: int, height: float, sharex: bool = False, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels, at most `columns` in a row, each `height` inches high."""
    columns = min(columns, count)
    rows = -(-count // columns)
    # A single panel would be as wide as the page.
    figure = new_figure(max(SINGLE_COLUMN, DOUBLE_COLUMN * columns / max(columns, 3)), rows * height + 0.35)
    axes = list(figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey).flat)
    for spare in axes[count:]:
        spare.remove()
    for place, axis in enumerate(axes[:count]):
        # Shared axes label only the last row; panels above a removed one are last too.
        axis.tick_params(labelbottom=place + columns >= count)
    return figure, axes[:count]


def label_colours(labels: np.ndarray) -> tuple[Colormap, tuple[float, float]]:
    """A colour map for labels and its range: separate colours for few classes, else viridis.

    Arguments:
        labels: A number per point, shape (n,).
    """
    distinct = np.unique(labels)
    low, high = float(distinct[0]), float(distinct[-1])
    if len(distinct) <= MOST_CLASSES and np.array_equal(distinct, np.round(distinct)):
        classes = int(high - low) + 1
        if classes <= MOST_CLASSES:
            return ListedColormap(CLASSES[:classes]), (low - 0.5, high + 0.5)
    return mpl.colormaps["viridis"], (low, high if high > low else low + 1.0)


def use_log_scale(axis: Axes, which: str, subs: Sequence[float] = (1.0,)) -> None:
    """Makes an axis logarithmic, with few labels.

    Arguments:
        axis: Panel.
        which: `x` or `y`.
        subs: Multiples of powers of ten to label; more than one are written as plain numbers.
    """
    axis.set(**{f"{which}scale": "log"})
    side = axis.xaxis if which == "x" else axis.yaxis
    side.set_major_locator(LogLocator(subs=tuple(subs), numticks=6))
    side.set_minor_locator(NullLocator())
    if len(subs) > 1:
        side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def p_value_text(p_value: float) -> str:
    """A p-value for a panel, two digits, or that it is below 0.001."""
    return f"{p_value:.2g}" if p_value >= _SMALL_P else f"< {_SMALL_P:g}"


def despine(axes: Sequence[Axes]) -> None:
    """Removes the upper and right frame of panels."""
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["bottom", "left"]].set_visible(True)


def save_figure(figure: Figure, *paths: str | os.PathLike[str]) -> None:
    """Writes a figure to each path, the suffix deciding the format; equal figures give equal files.

    Arguments:
        figure: What to write.
        paths: Files ending in .pdf, .png or .svg.
    """
    undated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
    if (layout := figure.get_layout_engine()) is not None:
        # Once for all formats: it takes longer than the drawing.
        with figure_style():
            layout.execute(figure)
        figure.set_layout_engine("none")
    for path in map(Path, paths):
        kind = path.suffix.lstrip(".").lower()
        with figure_style(), atomic_write(path) as temporary:
            figure.savefig(temporary, format=kind, metadata=undated.get(kind))
