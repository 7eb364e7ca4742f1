"""Spectra of the covariance of images: how fast the variance falls from direction to direction."""

from __future__ import annotations

from matplotlib.figure import Figure

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import (
    COLOURS,
    DOUBLE_COLUMN,
    despine,
    figure_style,
    new_figure,
    use_log_scale,
)

# Variances below this share of the largest are rounding errors of directions without any.
_SMALLEST_SHARE = 1e-12


def draw_spectra(material: Material) -> Figure:
    """Draws eigenvalues, and the share of the variance that the first of them hold, against their number.

    Arguments:
        material: Table `spectra`, a row for each eigenvalue.

    Returns:
        The figure: a panel of eigenvalues, both axes logarithmic; a panel of shares, with the participation ratio
            of each set.
    """
    table = material.tables["spectra"]
    table = table.assign(dataset=table["dataset"].map(material.labels.dataset))
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, 2.6)
        left, right = figure.subplots(1, 2)
        for number, (name, spectrum) in enumerate(table.groupby("dataset", sort=True)):
            colour = COLOURS[number % len(COLOURS)]
            values = spectrum["eigenvalue"]
            ratio = values.sum() ** 2 / (values**2).sum()
            shown = spectrum[values > _SMALLEST_SHARE * values.max()]
            label = f"{name} (D = {len(values):,}, PR {ratio:.2f})"
            left.plot(shown["index"], shown["eigenvalue"], color=colour)
            right.plot(spectrum["index"], spectrum["cumulative_share"], color=colour, label=label)
        for axis in (left, right):
            use_log_scale(axis, "x")
            axis.set_xlabel("number of eigenvalue")
        use_log_scale(left, "y")
        left.set_ylabel("variance along the direction")
        right.set(ylabel="share of the variance", ylim=(0, 1.02))
        # Shares have risen before they reach this corner; spectra fall through all of theirs.
        right.legend(loc="lower right")
        despine([left, right])
    return figure
