"""Images that flows generate, and images, their latents and what comes back from them (figure 5 of the paper)."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from inflationary_flows.files.contact_sheet import GAP_SHARE, as_colours, mosaic
from inflationary_flows.plotting.images import columns_within, is_ink, name_rows, show_canvas, width_of
from inflationary_flows.plotting.material import Arrays, Material
from inflationary_flows.plotting.style import DOUBLE_COLUMN, figure_style, new_figure

# Side of an image on paper and the height that a page has, inches.
_LARGEST, _SMALLEST, _PAGE = 0.46, 0.2, 8.9
# Inches for names to the left of images, for a title above them, between bands, and between two mosaics.
_NAMES, _TITLE, _BETWEEN, _APART = 0.8, 0.17, 0.06, 0.2
# Inches of white to the right of all images and below them.
_MARGIN = 0.03

STAGES = ("original", "latent", "recovered")


def _pictures(material: Material) -> dict[str, Arrays]:
    """Pictures of each flow by the label of its schedule."""
    titles = map(material.labels.schedule, material.params["schedules"])
    return dict(zip(titles, material.arrays["pictures"], strict=True))


def draw_samples(material: Material) -> Figure:
    """Draws generated images, a band for each flow.

    Arguments:
        material: Arrays `pictures` of the param `schedules`, in the order to draw them: `samples` and, of the first,
            held-out images `original`, shape (n, C, H, W), grey levels up to the param `levels`.

    Raises:
        DataError: if an array is not one of images.
    """
    pictures, levels = _pictures(material), material.params["levels"]
    samples = {title: arrays["samples"] for title, arrays in pictures.items()}
    bands = {"data": next(iter(pictures.values()))["original"], **samples}
    first = next(iter(bands.values()))
    longest = max(len(band) for band in bands.values())
    rows = 1 if len(samples) > 8 or longest <= columns_within(DOUBLE_COLUMN - _NAMES - _MARGIN, _LARGEST) else 2
    ink = first.ndim == 4 and is_ink(first, levels)
    side = min(_LARGEST, max(_SMALLEST, _PAGE / (rows * len(bands)) - _BETWEEN))
    columns = min(
        columns_within(DOUBLE_COLUMN - _NAMES - _MARGIN, side), max(-(-len(band) // rows) for band in bands.values())
    )
    pitch = width_of(rows, side) + _BETWEEN
    with figure_style():
        figure = new_figure(_NAMES + width_of(columns, side) + _MARGIN, len(bands) * pitch + _MARGIN)
        figure.set_layout_engine("none")
        for place, (title, band) in enumerate(bands.items()):
            canvas = mosaic(as_colours(band, levels, ink), rows, columns)
            axis = show_canvas(figure, canvas, _NAMES, place * pitch + _MARGIN, width_of(columns, side))
            name_rows(axis, [0.5], [title.replace(", ", ",\n")])
    return figure


def draw_fig05(material: Material) -> Figure:
    """Draws figure 5: images, their latents as images, and what generation makes of these; beside them samples.

    Arguments:
        material: Arrays `pictures` of the param `schedules`: `original`, `latent`, `recovered` and `samples`, shape
            (n, C, H, W), grey levels up to the param `levels`.

    Returns:
        The figure: a band of three rows for each flow.

    Raises:
        DataError: if an array is not one of images.
    """
    pictures, levels = _pictures(material), material.params["levels"]
    first = next(iter(pictures.values()))
    rows = len(STAGES)
    ink = first["original"].ndim == 4 and is_ink(first["original"], levels)
    side = min(_LARGEST, max(_SMALLEST, (_PAGE / len(pictures) - _TITLE - _BETWEEN) / (rows * (1 + GAP_SHARE))))
    columns = columns_within(DOUBLE_COLUMN - _NAMES - _APART - _MARGIN, side)
    shown = min(len(first["original"]), round(0.6 * columns))
    generated = min(-(-len(first["samples"]) // rows), columns - shown)
    right = _NAMES + width_of(shown, side) + _APART
    pitch = _TITLE + width_of(rows, side) + _BETWEEN
    with figure_style():
        figure = new_figure(right + width_of(generated, side) + _MARGIN, len(pictures) * pitch)
        figure.set_layout_engine("none")
        for place, (title, arrays) in enumerate(pictures.items()):
            ways = np.concatenate([as_colours(arrays[stage][:shown], levels, ink) for stage in STAGES])
            top = place * pitch + _TITLE
            axis = show_canvas(figure, mosaic(ways, rows, shown), _NAMES, top, width_of(shown, side))
            name_rows(axis, [(row + 0.5) / rows for row in range(rows)], STAGES)
            axis.set_title(title, loc="left")
            samples = mosaic(as_colours(arrays["samples"], levels, ink), rows, generated)
            axis = show_canvas(figure, samples, right, top, width_of(generated, side))
            axis.set_title("samples" if place == 0 else "", loc="left")
    return figure
