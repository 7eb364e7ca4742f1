r"""Are posteriors calibrated?  Truths among draws of their posteriors, looked at in three ways, with one verdict.

Each replicate has a truth, its observation, and L draws of the posterior.  If posteriors are right, the truth is one
more draw, so that nothing tells it from them:

    ranks   of each coordinate, of the log-likelihood and of the squared latent, are uniform  (Talts et al., 2018;
            quantities that depend on the observation: Modrak et al., 2023)
    tarp    shares of draws that are closer to a reference than the truth are uniform, around the centre of the data and
            around random points  (Lemos et al., 2023)
    local   a regression tells no truth from draws near one's own observation  (Linhart et al., 2023)

Shares are (r + u) / (L + 1), of r draws below the truth, u uniform: exactly uniform for independent draws, however few.
p-values are combined by the step-down method of Holm (1979), so that all tests together raise a false alarm in at most
5 % of calls.  Posteriors that have not converged are left out, and counted.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from inflationary_flows.errors import DataError, shorten
from inflationary_flows.metrics.local_two_sample import LocalTest, local_two_sample
from inflationary_flows.metrics.posterior_draws import shares_below
from inflationary_flows.metrics.ranks import moment_p_values, rank_rows
from inflationary_flows.seeding import derive_seed

Kind = Literal["all", "ranks", "tarp", "local"]
KINDS: tuple[str, ...] = get_args(Kind)
# Adjusted p-values below this reject: a little less than 5 %, because p-values of ranks are approximate.
ALARMS = 0.04
# Nominal levels of coverage, bins of ranks, and random references of a replicate.
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_BINS, _REFERENCES = 10, 10
# Replicates without which the tests are not.
LEAST = 30
# Share of posteriors that may not have converged.
_UNCONVERGED = 0.05
# Numbers that the local test has at a time: draws are left out beyond.
_NUMBERS = 3e7


@dataclass(frozen=True, eq=False)
class Pairs:
    """Truths, and draws of the posteriors of their observations.

    Attributes:
        truth: Truths, shape (n, D), in units in which distances make sense.
        draws: Draws, nearly independent, shape (n, L, D).
        observed: Observations, shape (n, m), NaN where cells are missing.
        names: Names of the coordinates.
        quantities: Other functions of points, and of observations, by name: of truths, shape (n,), and draws, (n, L).
        at: The observation that the local test looks at, shape (m,); none for all.
        draws_at: Draws of its posterior, and behind them their quantities, shape (k, D + quantities).
        left_out: Replicates without a posterior that converged; they are not here.
        lost_at: Whether the posterior of the observation to look at did not converge.
    """

    truth: np.ndarray
    draws: np.ndarray
    observed: np.ndarray
    names: Sequence[str] = ()
    quantities: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    at: np.ndarray | None = None
    draws_at: np.ndarray | None = None
    left_out: int = 0
    lost_at: bool = False

    @property
    def replicates(self) -> int:
        """Replicates that are tested."""
        return len(self.truth)


@dataclass(frozen=True, eq=False)
class Calibration:
    """The verdict on posteriors; printed, it is a report.

    Attributes:
        rows: A test each: test, about, p_value, p_adjusted (by Holm, for the number of tests), passed.
        ranks: Rows of histograms, as of `metrics.ranks.rank_rows`.
        coverage: Rows of reference (random or centre), level, coverage and se (of calibrated posteriors).
        local: The local test, if it was made.
        replicates: Replicates that were tested.
        left_out: Replicates whose posteriors did not converge.
        lost_at: Whether that of the observation to look at did not, so that the local test is of all observations.
        signs: What the ranks say, in words: too narrow, too wide, biased.
    """

    rows: list[dict[str, Any]]
    ranks: list[dict[str, Any]]
    coverage: list[dict[str, Any]]
    local: LocalTest | None
    replicates: int
    left_out: int
    lost_at: bool = False
    signs: Sequence[str] = ()

    @property
    def converged(self) -> bool:
        """Whether nearly all posteriors converged, that of one's own observation too."""
        return not self.lost_at and self.left_out <= _UNCONVERGED * (self.replicates + self.left_out)

    @property
    def p_value(self) -> float:
        """That all posteriors are calibrated: the least of the tests, for their number."""
        return min((row["p_adjusted"] for row in self.rows), default=1.0)

    @property
    def passed(self) -> bool:
        """Whether no test rejects, and posteriors converged."""
        return self.converged and bool(self.rows) and all(row["passed"] for row in self.rows)

    @property
    def verdict(self) -> str:
        """What came out, in words."""
        total = self.replicates + self.left_out
        words = "That of your own observation did not converge: draw longer chains. " if self.lost_at else ""
        if self.left_out:
            few = self.left_out <= _UNCONVERGED * total
            words += f"{self.left_out} of {total} posteriors did not converge, and are left out"
            words += ". " if few else ": too many. Draw longer chains. "
        if not self.rows:
            return f"{words}Too few are left to be tested: take more replicates, or more draws of each."
        rejecting = [row for row in self.rows if not row["passed"]]
        if not rejecting:
            found = f"{self.replicates} posteriors pass {len(self.rows)} tests (least p = {self.p_value:.2g})."
            return f"{words}{found} Faults smaller than such a number of replicates can see may be left."
        worst = min(rejecting, key=lambda row: row["p_adjusted"])
        words += (
            f"The posteriors are not calibrated: {worst['test']} of {worst['about']}, p = {worst['p_adjusted']:.1g}"
        )
        words += f", and {len(rejecting) - 1} more" if len(rejecting) > 1 else ""
        return f"{words}. {' '.join(self.signs)}".strip()

    def __str__(self) -> str:
        """A report of some lines."""
        lines = [f"{'test':<8}{'about':<30}{'p':>9}{'adjusted':>10}"]
        lines += [
            f"{row['test']:<8}{row['about']:<34}{row['p_value']:>9.2g}{row['p_adjusted']:>10.2g}"
            f"{'' if row['passed'] else '  rejected'}"
            for row in self.rows
        ]
        return "\n".join([*lines, *textwrap.wrap(self.verdict, 88)])


def holm(p_values: Sequence[float]) -> np.ndarray:
    """p-values for the number of tests, by the step-down method of Holm: at most 5 % are below 5 % by chance."""
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values)
    raised = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(raised, 1)
    return adjusted


def judge(pairs: Pairs, kind: Kind = "all", *, seed: int = 0, permutations: int = 999) -> Calibration:
    """Tests whether truths are draws of their posteriors.

    Arguments:
        pairs: Truths and draws.
        kind: Which tests.
        seed: Seed of ties, references, waves and permutations.
        permutations: As of `local_two_sample`.

    Raises:
        DataError: if the kind is unknown.
    """
    if kind not in KINDS:
        raise DataError("kind", f"one of {', '.join(KINDS)}", shorten(kind), "all makes every test")
    if pairs.replicates < LEAST:
        return Calibration([], [], [], None, pairs.replicates, pairs.left_out, pairs.lost_at)
    random = np.random.default_rng(derive_seed("calibration", seed))
    found: list[tuple[str, str, float]] = []
    ranks: list[dict[str, Any]] = []
    coverage: list[dict[str, Any]] = []
    signs: list[str] = []
    local = None
    if kind in ("all", "ranks"):
        ranks, signs = _judge_ranks(pairs, found, random, seed)
    if kind in ("all", "tarp"):
        coverage, p_value = _coverage(pairs, random, permutations)
        found.append(("tarp", "coverage around references", p_value))
    if kind in ("all", "local"):
        local = _judge_locally(pairs, permutations, seed)
        place = "one observation" if pairs.at is not None else "all observations"
        found.append(("local", f"truths among draws, {place}", local.p_value))
    adjusted = holm([p for _, _, p in found])
    rows = [
        {"test": test, "about": about, "p_value": p, "p_adjusted": float(raised), "passed": bool(raised > ALARMS)}
        for (test, about, p), raised in zip(found, adjusted, strict=True)
    ]
    return Calibration(rows, ranks, coverage, local, pairs.replicates, pairs.left_out, pairs.lost_at, signs)


def _judge_ranks(
    pairs: Pairs, found: list[tuple[str, str, float]], random: np.random.Generator, seed: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """Adds tests of ranks; returns histograms, and what they say."""
    names = list(pairs.names or (f"x{place}" for place in range(pairs.truth.shape[1])))
    columns = {
        name: shares_below(pairs.truth[:, place], pairs.draws[:, :, place], random) for place, name in enumerate(names)
    }
    others = {name: shares_below(*both, random) for name, both in pairs.quantities.items()}
    for about, group in (("columns", columns), ("densities", others)):
        if group:
            moments = moment_p_values(np.stack(list(group.values()), 1))
            found += [
                ("ranks", f"bias of {about}", moments["p_bias"]),
                ("ranks", f"width of {about}", moments["p_width"]),
            ]
    histograms = [rank_rows(share, name, bins=_BINS, seed=seed) for name, share in {**columns, **others}.items()]
    shape = len(histograms) * min(histogram[0]["p_value"] for histogram in histograms)
    found.append(("ranks", "shape of any", min(1.0, shape)))
    return [row for histogram in histograms for row in histogram], _signs(names, np.stack(list(columns.values()), 1))


def _signs(names: Sequence[str], shares: np.ndarray) -> list[str]:
    """What ranks of columns say, shape (n, D), in words."""
    moments, signs = moment_p_values(shares), []
    if moments["p_width"] < ALARMS:
        wide = float(np.square(shares - 0.5).mean()) < 1 / 12
        signs.append(f"They are too {'wide' if wide else 'narrow'}.")
    if moments["p_bias"] < ALARMS:
        away = shares.mean(0) - 0.5
        worst = int(np.abs(away).argmax())
        signs.append(f"Draws of {names[worst]} are too {'low' if away[worst] > 0 else 'high'}.")
    return signs


def _coverage(pairs: Pairs, random: np.random.Generator, permutations: int) -> tuple[list[dict[str, Any]], float]:
    """Coverage around random references, and around the centre; and the p-value that all of it is nominal.

    The law of coverages under the null comes from permutations, as that of the local test: another of the L + 1 points
    of each replicate is called the truth.  With few replicates that of Hotelling's statistic would be too narrow.
    """
    n, count, _ = pairs.draws.shape
    points = np.concatenate([pairs.truth[:, None], pairs.draws], 1)
    # References must not depend on the truth but through the observation: draws of the posteriors of others.
    other = (np.arange(n)[:, None] + random.integers(1, n, size=(n, _REFERENCES))) % n
    references = pairs.draws[other, random.integers(count, size=other.shape)]
    centre = np.broadcast_to(pairs.draws.mean((0, 1)), pairs.truth.shape)
    chosen = np.concatenate([np.zeros((1, n), int), random.integers(count + 1, size=(permutations, n))])
    inside = np.zeros((2, permutations + 1, len(LEVELS)))
    for look in range(_REFERENCES + 1):
        reference = references[:, look] if look < _REFERENCES else centre
        shares = _shares_closer(points, reference, random)
        # The level of each point: 0 below the first, and so on.
        steps = np.searchsorted(LEVELS, shares, side="right")[np.arange(n), chosen]
        weight = 1 / (_REFERENCES if look < _REFERENCES else 1)
        counts = np.stack([(steps <= place).mean(1) for place in range(len(LEVELS))], 1)
        inside[int(look == _REFERENCES)] += weight * counts
    both = np.concatenate(inside, 1)
    null = both[1:] - both[1:].mean(0)
    covariance = null.T @ null / permutations
    away = both - np.tile(LEVELS, 2)
    statistics = np.einsum("pi,ij,pj->p", away, np.linalg.pinv(covariance, hermitian=True), away)
    p_value = float((statistics >= statistics[0]).sum() / (permutations + 1))
    errors = np.sqrt(covariance.diagonal()).reshape(2, -1)
    rows = [
        {"reference": name, "level": level, "coverage": float(found), "se": float(error)}
        for name, row, of_row in zip(("random", "centre"), inside[:, 0], errors, strict=True)
        for level, found, error in zip(LEVELS, row, of_row, strict=True)
    ]
    return rows, p_value


def _shares_closer(points: np.ndarray, reference: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Shares of the L + 1 points of a replicate that are closer to its reference, for each of them, (n, L + 1)."""
    away = np.square(points - reference[:, None]).sum(2)
    # Ties, of points that are all alike, fall at random.
    order = np.lexsort((random.random(away.shape), np.round(away / (away.max(1, keepdims=True) + 1e-300), 9)))
    ranks = np.empty(away.shape)
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(away.shape[1]), away.shape), 1)
    return np.asarray((ranks + random.random(away.shape)) / away.shape[1])


def _judge_locally(pairs: Pairs, permutations: int, seed: int) -> LocalTest:
    """The local test, of coordinates and of the other quantities."""
    others = list(pairs.quantities.values())
    truth = np.concatenate([pairs.truth, *(of[:, None] for of, _ in others)], 1)
    most = max(1, int(_NUMBERS / pairs.replicates / (8 * truth.shape[1] + 100)))
    draws = np.concatenate([pairs.draws, *(of[..., None] for _, of in others)], 2)[:, :most]
    return local_two_sample(
        truth, draws, pairs.observed, pairs.at, pairs.draws_at, permutations=permutations, seed=seed
    )
