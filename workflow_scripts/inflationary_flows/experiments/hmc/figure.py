"""Figures of the HMC experiment: the generative mixture and the posteriors of its weights (figure 4), traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.mlab import GaussianKDE
from matplotlib.patches import Ellipse

from inflationary_flows.files.datasets import load_dataset
from inflationary_flows.files.tensors import load_tensors
from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import COLOURS, DOUBLE_COLUMN, GREY, despine, figure_style, new_figure

_PAIRS = ((0, 1), (0, 2), (1, 2))
_SHOWN = 600
# Of densities: points of a side of the grid, and how far it goes beyond the draws, in deviations of the kernel.
_GRID, _BEYOND = 100, 3
# Shares of the draws outside of each contour, and its filling from the outermost to the innermost: shades of a blue.
_OUTSIDE, _OUTLINED = (0.05, 0.25, 0.5, 0.75, 1.0), (0.05, 0.5)
_SHADES = LinearSegmentedColormap.from_list(
    "shades",
    ["#ABC9F1", "#86BBF6", "#54ADFB", "#05A0F6", "#0A90DF", "#2181C4", "#3071A8", "#39628B", "#3B5470"],
)


@dataclass(frozen=True)
class WeightPosterior:
    """Draws of the weights of one posterior.

    Attributes:
        label: Title, such as "circles, PRP".
        weights: Shape (chains, draws, K).
    """

    label: str
    weights: np.ndarray

    @property
    def pooled(self) -> np.ndarray:
        """All draws, shape (chains * draws, K)."""
        return self.weights.reshape(-1, self.weights.shape[-1])


def _posteriors(material: Material, name: str, titles: Sequence[str]) -> list[WeightPosterior]:
    """Posteriors of the files of an input."""
    draws = [load_dataset(path)["weights"].values for path in material.files[name]]
    return [WeightPosterior(title, weights) for title, weights in zip(titles, draws, strict=True)]


def _titles(material: Material) -> list[str]:
    """Data set and schedule of each flow."""
    return [f"{material.labels.dataset(d)}, {material.labels.schedule(s)}" for d, s, _ in material.flows()]


def draw_fig04(material: Material) -> Figure:
    """Draws figure 4: the generative mixture (A), and the joint posteriors of the weights, a row for each schedule.

    Arguments:
        material: Files `posteriors` and `observations`, one for each of the param `flows`; true weights are the param
            `truth`.
    """
    observed, _ = load_tensors(material.files["observations"][0], "observations")
    posteriors, truth = _posteriors(material, "posteriors", _titles(material)), material.params["truth"]
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, 1.75 * (1 + len(posteriors)) + 0.2)
        axes = figure.subplots(1 + len(posteriors), 3, squeeze=False)
        _draw_schematic(axes[0], observed)
        limits = _limits([posterior.pooled for posterior in posteriors], truth)
        for row, (letter, posterior) in enumerate(zip("BCDEFGH", posteriors, strict=False), 1):
            for axis, (i, j) in zip(axes[row], _PAIRS, strict=True):
                _draw_density(axis, posterior.pooled[:, [i, j]])
                axis.plot(*posterior.pooled[:, [i, j]].mean(0), "o", color=COLOURS[0], label="posterior mean")
                axis.plot(truth[i], truth[j], "*", color=COLOURS[1], ms=7, label="truth")
                axis.set(xlim=limits[i], ylim=limits[j], xlabel=f"weight {i + 1}", ylabel=f"weight {j + 1}")
            axes[row][0].set_title(f"{letter}   {posterior.label}", loc="left")
        despine(list(axes.flat))
        handles, names = axes[1][0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2, handletextpad=0.2)
    return figure


def _draw_schematic(axes: Sequence[Axes], observed: Mapping[str, np.ndarray]) -> None:
    """Latents of the mixture, what the flow makes of them, and what is observed."""
    component = observed["component"][:_SHOWN]
    panels = (("y", "A   latent mixture"), ("x_clean", "generated"), ("x", "observed, with noise"))
    for axis, (name, title) in zip(axes, panels, strict=True):
        points = observed[name][:_SHOWN]
        for k in range(len(observed["weights"])):
            axis.plot(*points[component == k, :2].T, ".", ms=1.6, mew=0, color=COLOURS[k], alpha=0.7)
        axis.set_title(title, loc="left")
        axis.set_aspect("equal", adjustable="datalim")
    for k, (mean, std) in enumerate(zip(observed["means"], observed["stds"], strict=True)):
        # Two standard deviations of each component.
        axes[0].add_patch(Ellipse(mean[:2], *(4 * std[:2]), fill=False, color=COLOURS[k], lw=0.9))
        corner = (mean[0] + 1.4 * std[0], mean[1] + 1.4 * std[1])
        axes[0].annotate(f"{observed['weights'][k]:g}", corner, color=COLOURS[k], fontsize=7)
    axes[0].set(xlabel="latent 1 / its deviation", ylabel="latent 2 / its deviation")


def _draw_density(axis: Axes, draws: np.ndarray, outline: str | None = None) -> None:
    """The density of draws, shape (n, 2), with a wide kernel: filled, or as lines of a colour."""
    density = GaussianKDE(draws.T, lambda kernel: 1.2 * kernel.scotts_factor())
    margin = _BEYOND * np.sqrt(np.diag(density.covariance))
    grid = np.meshgrid(*np.linspace(draws.min(0) - margin, draws.max(0) + margin, _GRID).T)
    values = density(np.stack([side.ravel() for side in grid]))
    heights = np.sort(values)[::-1]
    inside = np.cumsum(heights) / heights.sum()
    shares = _OUTSIDE if outline is None else _OUTLINED
    levels = heights[np.searchsorted(inside, 1 - np.array(shares)).clip(max=len(heights) - 1)]
    values = values.reshape(grid[0].shape)
    if outline is None:
        axis.contourf(*grid, values, levels=levels, cmap=_SHADES, alpha=0.7)
    else:
        axis.contour(*grid, values, levels=levels, colors=[outline], linewidths=0.9)


def _limits(draws: Sequence[np.ndarray], truth: Sequence[float]) -> list[tuple[float, float]]:
    """Common limits of each weight that hold nearly all draws and the truth."""
    pooled = np.concatenate(draws)
    limits = []
    for k, true in enumerate(truth):
        low, high = np.quantile(pooled[:, k], [0.001, 0.999])
        low, high = min(low, true), max(high, true)
        margin = 0.08 * (high - low)
        limits.append((low - margin, high + margin))
    return limits


def draw_hmc_samplers(material: Material) -> Figure:
    """Draws the posteriors of the joint and of the collapsed sampler on the same observations over each other.

    Arguments:
        material: Files `joint` and `collapsed`, one for each of the param `flows`; true weights are the param `truth`,
            the number of observations is `observations`.
    """
    joint, collapsed = (_posteriors(material, name, _titles(material)) for name in ("joint", "collapsed"))
    truth, n = material.params["truth"], material.params["observations"]
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, 1.7 * len(joint) + 0.35)
        axes = figure.subplots(len(joint), 3, squeeze=False)
        for row, (left, right) in enumerate(zip(joint, collapsed, strict=True)):
            limits = _limits([left.pooled, right.pooled], truth)
            for axis, (i, j) in zip(axes[row], _PAIRS, strict=True):
                _draw_density(axis, right.pooled[:, [i, j]])
                _draw_density(axis, left.pooled[:, [i, j]], outline=COLOURS[2])
                axis.plot(truth[i], truth[j], "*", color=COLOURS[1], ms=7)
                axis.set(xlim=limits[i], ylim=limits[j], xlabel=f"weight {i + 1}", ylabel=f"weight {j + 1}")
            axes[row][0].set_title(f"{left.label}, n = {n}", loc="left")
        despine(list(axes.flat))
        handles = [
            axes[0][0].plot([], [], color=COLOURS[0], lw=4, alpha=0.6)[0],
            axes[0][0].plot([], [], color=COLOURS[2])[0],
            axes[0][0].plot([], [], "*", color=COLOURS[1], ms=7)[0],
        ]
        names = ["collapsed sampler", "joint sampler", "truth"]
        figure.legend(handles, names, loc="outside upper center", ncols=3)
    return figure


def draw_hmc_traces(material: Material) -> Figure:
    """Draws traces of the first weight, and rank histograms of all chains, a row for each posterior.

    Chains that explore the same distribution have uniform ranks (Vehtari et al., 2021).

    Arguments:
        material: Files `traces`; the param of this name lists data set, schedule, sampler and number of observations
            of each.
    """
    labels = material.labels
    titles = [
        f"{labels.dataset(dataset)}, {labels.schedule(schedule)}, {sampler} sampler, n = {n}"
        for dataset, schedule, sampler, n in material.params["traces"]
    ]
    posteriors = _posteriors(material, "traces", titles)
    bins = 20
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, 0.95 * len(posteriors) + 0.3)
        axes = figure.subplots(len(posteriors), 2, squeeze=False)
        for row, posterior in enumerate(posteriors):
            draws = posterior.weights[..., 0]
            ranks = draws.argsort(axis=None, kind="stable").argsort().reshape(draws.shape)
            trace, rank = axes[row]
            for k, chain in enumerate(draws):
                colour = COLOURS[k % len(COLOURS)]
                trace.plot(chain, color=colour, lw=0.35, alpha=0.8)
                counts, edges = np.histogram(ranks[k], bins=bins, range=(0, draws.size))
                rank.stairs(counts * bins / draws.shape[1], edges / draws.size, baseline=None, color=colour, lw=0.9)
            rank.axhline(1, color=GREY, lw=0.8)
            rank.set(ylim=(0, None), xlim=(0, 1))
            trace.set_title(posterior.label, loc="left")
            trace.set(xlim=(0, draws.shape[1]))
        axes[-1][0].set_xlabel("draw of weight 1")
        axes[-1][1].set_xlabel("rank of weight 1 (share), counts relative to uniform")
        despine(list(axes.flat))
    return figure
