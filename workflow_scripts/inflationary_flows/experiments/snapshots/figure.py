"""Figures 2 and 3, and others like them; digits that flows generate, before and after a round trip."""

from __future__ import annotations

from matplotlib.figure import Figure

from inflationary_flows.experiments.snapshots import digits
from inflationary_flows.plotting.material import Arrays, Material
from inflationary_flows.plotting.toys import draw_rows


def draw_fig02(material: Material) -> Figure:
    """Draws toys whose dimensions are preserved, as `draw_rows` does.

    Arguments:
        material: Arrays `snapshots` of the param `flows`, those of the param `preserved` among them.
    """
    return draw_rows(material.rows("snapshots", material.flows("preserved")))


def draw_fig03(material: Material) -> Figure:
    """Draws toys whose dimensions are reduced, those of the param `reduced`, likewise."""
    return draw_rows(material.rows("snapshots", material.flows("reduced")))


def draw_embedded_toys(material: Material) -> Figure:
    """Draws toys that lie in a space of more dimensions, those of the param `embedded`, likewise."""
    return draw_rows(material.rows("snapshots", material.flows("embedded")))


def draw_digits_samples(material: Material) -> Figure:
    """Draws generated digits of the flows of the param `digits`, as `digits.draw_samples` does."""
    return digits.draw_samples(_of_digits(material))


def draw_digits_roundtrip(material: Material) -> Figure:
    """Draws digits of these flows before and after a round trip, as `digits.draw_roundtrips` does."""
    return digits.draw_roundtrips(_of_digits(material))


def _of_digits(material: Material) -> dict[str, Arrays]:
    """Snapshots of digits by the label of the schedule."""
    arrays = material.flow_arrays("snapshots")
    return {material.labels.schedule(flow[1]): arrays[flow] for flow in material.flows("digits")}
