"""Errors of flows of digits against inflation gap and kept dimensions."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import (
    COLOURS,
    DOUBLE_COLUMN,
    GREY,
    MARKERS,
    despine,
    figure_style,
    new_figure,
    use_log_scale,
)

# Metrics of a panel, the first filled, the second open, and its label.
_PANELS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("frechet_prior", "frechet_true_pt"), "Frechet distance\nto training digits"),
    (("latent_compressed", "latent_compressed_exact"), "distance of compressed\nlatents to Gaussian"),
    (("gain",), "log-likelihood over\nGaussian (nats)"),
    (("log_density_error",), "error of log-density\n(nats)"),
    (("roundtrip_own", "roundtrip_paper"), "error of round trip\n(grey levels$^2$)"),
)
# What the paper's values of a panel stand with, and what they are scaled to.
_PUBLISHED = {
    "frechet_prior": ("frechet_prior", "frechet_prior"),
    "roundtrip_own": ("roundtrip_paper_wrapped", "roundtrip_paper"),
}
_NOT_LOGARITHMIC = ("gain", "latent_compressed")


def draw_gap_study(material: Material) -> Figure:
    """Draws the errors against the gap, a line a number of kept dimensions.

    Arguments:
        material: Table `gap_study`.
    """
    table = material.tables["gap_study"]
    likelihood = table[table["metric"] == "log_likelihood"]
    table = pd.concat([table, likelihood.assign(metric="gain", value=likelihood["value"] - likelihood["reference"])])
    reducing = table[table["inflation_gap"].notna()]
    kept = sorted(reducing["kept_dims"].unique())
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, 3.9)
        grid = list(figure.subplots(2, 3).flat)
        for axis, (metrics, label) in zip(grid, _PANELS, strict=False):
            for metric, filled in zip(metrics, (True, False), strict=False):
                for k, dims in enumerate(kept):
                    _draw_line(
                        axis, reducing[(reducing["metric"] == metric) & (reducing["kept_dims"] == dims)], k, filled
                    )
                for value in table.loc[(table["metric"] == metric) & table["inflation_gap"].isna(), "value"]:
                    axis.axhline(value, color="black" if filled else GREY, lw=0.8, ls="--")
            _draw_published(axis, reducing, metrics[0])
            if metrics[0] not in _NOT_LOGARITHMIC:
                use_log_scale(axis, "y", (1, 2, 5) if metrics[0] == "frechet_prior" else (1,))
            axis.set(xlabel="inflation gap", ylabel=label)
        despine(grid[:-1])
        grid[-1].set_axis_off()
        handles = [Line2D([], [], color=COLOURS[k], marker=MARKERS[k]) for k in range(len(kept))]
        names = [f"{dims} kept dimensions" for dims in kept]
        handles += [Line2D([], [], color="black", ls="--"), Line2D([], [], color=GREY, marker="x")]
        grid[-1].legend(handles, [*names, "all kept (PRP)", "paper (scaled)"], loc="center")
    return figure


def _draw_line(axis: Axes, rows: pd.DataFrame, k: int, filled: bool) -> None:
    """Means over seeds against the gap."""
    values = rows.groupby("inflation_gap")["value"].mean()
    face = COLOURS[k] if filled else "white"
    axis.plot(
        values.index, values, color=COLOURS[k], marker=MARKERS[k], mfc=face, mec=COLOURS[k], lw=1.1 if filled else 0.7
    )


def _draw_published(axis: Axes, table: pd.DataFrame, panel: str) -> None:
    """The paper's values, scaled to begin where ours do."""
    beside, scaled_to = _PUBLISHED.get(panel, ("", ""))
    rows = table[(table["metric"] == beside) & table["published"].notna()]
    if len(rows):
        known = rows.groupby("inflation_gap")["published"].mean()
        ours = table[(table["metric"] == scaled_to) & table["kept_dims"].isin(rows["kept_dims"])]
        start = ours.loc[ours["inflation_gap"] == known.index[0], "value"].mean()
        axis.plot(known.index, known / known.iloc[0] * start, color=GREY, marker="x", lw=0.8)
