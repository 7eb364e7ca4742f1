"""What a flow is worth on rows that it has not seen, in numbers and in a sentence."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from inflationary_flows.mathematics.eigenbasis import participation_ratio_of
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.metrics.density import gaussian_log_density, mean_and_error, which_is_better
from inflationary_flows.metrics.two_sample import c2st_accuracy, standardise
from inflationary_flows.seeding import derive_seed

# Rows that densities and the classifier are measured on: they know means to a thirtieth of a standard deviation.
ROWS = 1000
# Rows that are sampled, more than are judged.
_SAMPLES = 2000
# Standard normal quantiles of 95 %: of one side, and of both.
_ONE_SIDE, _BOTH_SIDES = 1.645, 1.96


@dataclass(frozen=True)
class Summary:
    """A flow judged on rows that it was not trained on; printed, it is a report.

    Attributes:
        rows: Rows that were judged.
        judged: What they are: `test`, `validation` (on which the flow was chosen) or `given`.
        dimension, kept_dims: D and d.
        log_likelihood: Mean log density of the rows, nats.
        gaussian_log_likelihood: That of the Gaussian with mean and covariance of the training rows, in the coordinates
            that the flow works in.
        gain, gain_error: Their difference and its standard error, nats.
        two_sample_accuracy: Share in which a classifier tells the rows from as many samples; one half is chance.
        chance: Accuracy that chance exceeds in 5 % of cases.
        latent_mean: Largest distance from 0 of the means of the kept latents, in standard deviations of the prior.
        latent_std_low, latent_std_high: Least and largest standard deviation of the kept latents, in the same units.
        participation_ratio_data, participation_ratio_latents: Effective dimensions of the rows and of their latents.
        worst_column, worst_distance: The column whose samples are furthest from the rows, by the Kolmogorov-Smirnov
            distance of their distributions.
        distance_by_chance: What the largest of these distances exceeds by chance in 5 % of cases at most.
        learned: Factor of the network's output that validation rows supported, where rows are few: with 0 the flow is a
            Gaussian.
    """

    rows: int
    judged: str
    dimension: int
    kept_dims: int
    log_likelihood: float
    gaussian_log_likelihood: float
    gain: float
    gain_error: float
    two_sample_accuracy: float
    chance: float
    latent_mean: float
    latent_std_low: float
    latent_std_high: float
    participation_ratio_data: float
    participation_ratio_latents: float
    worst_column: str = ""
    worst_distance: float = math.nan
    distance_by_chance: float = math.nan
    learned: float | None = None

    @property
    def verdict(self) -> str:
        """What the numbers say, in words."""
        size = f"by {abs(self.gain):.2f} nats a row (standard error {self.gain_error:.2f})"
        density = {
            1: f"Held-out rows are more likely under the flow than under a Gaussian, {size}.",
            0: f"The flow is not told from a Gaussian by the density of {self.rows} held-out rows.",
            -1: f"Held-out rows are less likely under the flow than under a Gaussian, {size}: do not use it.",
        }[which_is_better(self.gain, self.gain_error)]
        told = f"(accuracy {self.two_sample_accuracy:.3f}, chance stays below {self.chance:.3f})"
        tells = "tells" if self.two_sample_accuracy > self.chance else "does not tell"
        words = f"{density} A classifier {tells} its samples from real rows {told}."
        if self.worst_distance > self.distance_by_chance:
            words += f" Samples of the column {self.worst_column} are not distributed as its values."
        return words

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Summary:
        """The inverse of `as_dict`."""
        return cls(**values)

    def __str__(self) -> str:
        """A report of some lines."""
        kind = "all kept" if self.kept_dims == self.dimension else f"{self.kept_dims} kept"
        spread = _BOTH_SIDES / math.sqrt(self.rows)
        lines = {
            "columns": f"{self.dimension} ({kind})",
            f"{self.judged} rows": f"{self.rows}",
            "log-likelihood": f"{self.log_likelihood:.3f} nats a row",
            "that of a Gaussian": f"{self.gaussian_log_likelihood:.3f} nats a row",
            "gain": f"{self.gain:.3f} +- {self.gain_error:.3f}",
            "two-sample accuracy": f"{self.two_sample_accuracy:.3f} (chance: 0.5, below {self.chance:.3f})",
            "means of latents": f"within {self.latent_mean:.2f} of 0 (95 % of one by chance: {spread:.2f})",
            "spreads of latents": f"{self.latent_std_low:.2f} to {self.latent_std_high:.2f} "
            f"(95 % of one by chance: {1 - spread / math.sqrt(2):.2f} to {1 + spread / math.sqrt(2):.2f})",
            "worst column": f"{self.worst_column}, off by {self.worst_distance:.3f} "
            f"(of the worst by chance below {self.distance_by_chance:.3f})",
            "participation ratio": f"{self.participation_ratio_data:.2f} of data, "
            f"{self.participation_ratio_latents:.2f} of latents",
        }
        if self.learned is not None:
            lines["learned"] = f"{self.learned:.2f} of what the network says (with 0 the flow is a Gaussian)"
        width = max(map(len, lines))
        words = textwrap.fill(self.verdict, 88)
        return "\n".join([*(f"{name:<{width}}  {text}" for name, text in lines.items()), words])


def kolmogorov_smirnov(x: np.ndarray, y: np.ndarray) -> float:
    """Largest difference of the distribution functions of two samples, shapes (n,) and (m,)."""
    x, y = np.sort(x), np.sort(y)
    both = np.concatenate([x, y])
    shares = [np.searchsorted(values, both, side="right") / len(values) for values in (x, y)]
    return float(np.abs(shares[0] - shares[1]).max())


def _ratio_of(points: np.ndarray) -> float:
    """Participation ratio of points; its estimate without bias may exceed their dimension, which it cannot."""
    return min(float(points.shape[1]), participation_ratio_of(points))


def summarise_flow(
    flow: Flow, x: np.ndarray, judged: str, seed: int, history: Sequence[Mapping[str, Any]] = ()
) -> Summary:
    """Judges a flow.

    Arguments:
        flow: The flow.
        x: Rows that it was not trained on, shape (n, D), data units, at least three.
        judged: What they are, for the report.
        seed: Seed of samples, of the classifier, and of the choice among more than `ROWS` rows.
        history: Rows of the training curve, the last of which says by how much the network was shrunk, if it was.
    """
    chosen = np.random.default_rng(derive_seed("summary", seed)).permutation(len(x))[:ROWS]
    rows = torch.from_numpy(np.ascontiguousarray(x[np.sort(chosen)]))
    density, gaussian = flow.log_prob(rows).numpy(), gaussian_log_density(flow, rows.numpy(), noised=False)
    gain, error = mean_and_error(density - gaussian)
    # Latents are Gaussian of points that fill their cells, not of their middles.
    spread = flow.basis.transforms.dequantised(rows)
    latents = flow.inflate(spread)
    kept = (latents / flow.schedule.latent_std)[:, : flow.schedule.kept_dims]
    # More samples than rows know the distributions of columns better; the classifier gets as many as there are rows.
    samples = flow.generate(flow.sample_latents(_SAMPLES, derive_seed("summary samples", seed))).numpy()
    distances = [kolmogorov_smirnov(*pair) for pair in zip(rows.numpy().T, samples.T, strict=True)]
    worst = int(np.argmax(distances))
    real, made = (standardise(points, flow.basis) for points in (rows.numpy(), samples[: len(rows)]))
    return Summary(
        rows=len(rows),
        judged=judged,
        dimension=flow.dimension,
        kept_dims=flow.schedule.kept_dims,
        log_likelihood=float(density.mean()),
        gaussian_log_likelihood=float(gaussian.mean()),
        gain=gain,
        gain_error=error,
        two_sample_accuracy=c2st_accuracy(real, made, seed=seed),
        chance=0.5 + _ONE_SIDE * 0.5 / math.sqrt(2 * len(rows)),
        latent_mean=float(kept.mean(0).abs().max()),
        latent_std_low=float(kept.std(0).min()),
        latent_std_high=float(kept.std(0).max()),
        participation_ratio_data=_ratio_of(flow.basis.to_eigen(spread).numpy()),
        participation_ratio_latents=_ratio_of(latents.numpy()),
        worst_column=flow.names[worst],
        worst_distance=distances[worst],
        distance_by_chance=math.sqrt(math.log(2 * flow.dimension / 0.05) / 2 * (1 / len(rows) + 1 / _SAMPLES)),
        learned=history[-1].get("factor") if history else None,
    )
