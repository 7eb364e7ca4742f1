"""Draws of posteriors of points, and whether they can be trusted."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inflationary_flows.errors import InferenceError, cut
from inflationary_flows.extras import needs
from inflationary_flows.inference.convergence import ess, rhat
from inflationary_flows.inference.gate import ENOUGH_DRAWS, MOST_PARETO_K, MOST_RHAT, UNLIKELY

if TYPE_CHECKING:
    import pandas as pd

# Divergent trajectories that are a matter of chance, as a share of draws.
_MOST_DIVERGENT = 0.01


@dataclass(frozen=True, eq=False, repr=False)
class Posterior:
    """Posteriors of several points, each given what was observed of it.

    Attributes:
        x: Draws of the points, shape (rows, chains, draws, D), data units.
        z: Their latents, same shape.
        log_density: Log density of the draws up to a constant of each row, nats, shape (rows, chains, draws).
        free: Cells that were not known, shape (rows, D).
        rhat: Rank-normalised R-hat of each cell, shape (rows, D), and 1 where it was known.
        ess_bulk, ess_tail: Effective draws of each cell; infinite where it was known.
        divergences: Divergent trajectories, shape (rows,); 0 without trajectories.
        pareto_k: Shape of the tail of importance weights, shape (rows,); NaN without weights.
        surprise: Probability that an observation of the flow's own points is as far out as this one, shape (rows,);
            NaN where nothing tells.
        method: How each row was sampled, shape (rows,): `particles`, `chains`, `tempering`, or `prior` where
            nothing was known.
        names: Names of the columns.
        prior: What the prior is, in words.
        index: What the rows are called.
    """

    x: np.ndarray
    z: np.ndarray
    log_density: np.ndarray
    free: np.ndarray
    rhat: np.ndarray
    ess_bulk: np.ndarray
    ess_tail: np.ndarray
    divergences: np.ndarray
    pareto_k: np.ndarray
    surprise: np.ndarray
    method: np.ndarray
    names: tuple[str, ...]
    prior: str
    index: Sequence[Any]

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        """Numbers of rows, chains and draws, and whether they can be trusted, in short."""
        rows, chains, draws, dimension = self.x.shape
        passed = "converged" if self.passed else f"{int(self.converged.sum())} of {rows} converged"
        return f"<Posterior of {rows} rows of {dimension} columns, {chains} chains of {draws} draws, {passed}>"

    @property
    def converged(self) -> np.ndarray:
        """Whether the draws of each row pass: R-hat, effective draws, divergences, weights; shape (rows,)."""
        return self.reaches(MOST_RHAT, ENOUGH_DRAWS)

    def reaches(self, most_rhat: float, enough: float, *, tails: bool = True) -> np.ndarray:
        """Whether each row has at most this R-hat and so many effective draws, of tails too, and passes otherwise."""
        effective = np.minimum(self.ess_bulk, self.ess_tail) if tails else self.ess_bulk
        draws = self.x.shape[1] * self.x.shape[2]
        fine = converged(self.rhat, effective, self.divergences, draws, most_rhat, enough)
        return fine & ~(self.pareto_k > MOST_PARETO_K)

    @property
    def passed(self) -> bool:
        """Whether the draws of all rows can be trusted."""
        return bool(self.converged.all())

    @property
    def mean(self) -> np.ndarray:
        """Posterior means, shape (rows, D), data units."""
        result: np.ndarray = self.x.mean((1, 2))
        return result

    @property
    def std(self) -> np.ndarray:
        """Posterior standard deviations, shape (rows, D), data units."""
        result: np.ndarray = self.x.std((1, 2))
        return result

    def spread(self, draws: int) -> tuple[np.ndarray, np.ndarray]:
        """So many draws of each row, of all chains alike and as far apart as can be, or all if there are fewer.

        Returns:
            Points and latents, shape (rows, draws, D) each.
        """
        total = self.x.shape[1] * self.x.shape[2]
        places = np.linspace(0, total - 1, min(draws, total)).round().astype(int)
        x, z = (values.reshape(len(self), total, -1)[:, places] for values in (self.x, self.z))
        return x, z

    def to_frame(self, latents: bool = False) -> pd.DataFrame:
        """All draws as a data frame, a line each: indexed by row, chain and draw, with the columns of the table."""
        import pandas as pd

        _, chains, draws, dimension = self.x.shape
        index = pd.MultiIndex.from_product([self.index, range(chains), range(draws)], names=["row", "chain", "draw"])
        names = [f"z{place}" for place in range(1, dimension + 1)] if latents else list(self.names)
        return pd.DataFrame((self.z if latents else self.x).reshape(-1, dimension), index=index, columns=names)

    def to_arviz(self) -> Any:
        """The draws as a DataTree of ArviZ: `posterior` has x and z, `sample_stats` the log density lp, a row each."""
        with needs("posteriors for ArviZ", "inference"):
            from arviz_base import from_dict

        groups = {
            "posterior": {name: np.moveaxis(values, 0, 2) for name, values in (("x", self.x), ("z", self.z))},
            "sample_stats": {"lp": np.moveaxis(self.log_density, 0, 2)},
        }
        latents = [f"z{place}" for place in range(1, self.x.shape[3] + 1)]
        return from_dict(
            groups,
            dims={"x": ["row", "column"], "z": ["row", "latent"], "lp": ["row"]},
            coords={
                "row": [str(name) if isinstance(name, tuple) else name for name in self.index],
                "column": list(self.names),
                "latent": latents,
            },
        )

    def summary(self) -> PosteriorSummary:
        """Means, intervals and diagnostics of every cell that was not known, and a verdict in words."""
        import pandas as pd

        rows, columns = np.nonzero(self.free)
        drawn = self.x.reshape(len(self.x), -1, self.x.shape[3])
        quantiles = np.quantile(drawn, [0.05, 0.95], axis=1)
        table = pd.DataFrame(
            {
                "row": [self.index[row] for row in rows.tolist()],
                "column": [self.names[column] for column in columns],
                "mean": self.mean[rows, columns],
                "sd": self.std[rows, columns],
                "q05": quantiles[0][rows, columns],
                "q95": quantiles[1][rows, columns],
                "rhat": self.rhat[rows, columns],
                "ess_bulk": self.ess_bulk[rows, columns],
                "ess_tail": self.ess_tail[rows, columns],
            }
        )
        return PosteriorSummary(table, self.verdict)

    @property
    def verdict(self) -> str:
        """What the diagnostics say, in words."""
        count = len(self)
        which = "the posterior has" if count == 1 else f"all {count} posteriors have"
        words = f"{which[0].upper()}{which[1:]} converged: {self._numbers}."
        return " ".join(filter(None, [words if self.passed else "", self.doubt, f"The prior is {self.prior}."]))

    @property
    def doubt(self) -> str:
        """Why not to trust some of the posteriors, in words; nothing if all is well."""
        count, lost, odd, words = len(self), ~self.converged, self.surprise < UNLIKELY, []
        if lost.any():
            which = "The posterior has" if count == 1 else f"{lost.sum()} of {count} posteriors have"
            where = self._called(lost)
            hint = "Take more draws or a longer warm-up there."
            if (self.method[lost] == "particles").all():
                hint = "Too few draws of the flow are near: check units, give a larger noise, or take more draws there."
            words.append(f"{which} not converged ({where}): {self._numbers}. {hint}")
        if odd.any():
            words.append(
                f"{odd.sum()} of {count} observations are unlike what the flow makes ({self._called(odd)}): fewer than "
                "1 % of its own are as far out. Their posteriors rest on a prior that does not know such points."
            )
        return " ".join(words)

    @property
    def _numbers(self) -> str:
        free = self.free & np.isfinite(self.ess_bulk)
        worst = float(self.rhat[self.free].max()) if self.free.any() else 1.0
        least = float(np.minimum(self.ess_bulk, self.ess_tail)[free].min()) if free.any() else np.inf
        return f"R-hat is at most {worst:.3f}, and at least {least:.0f} draws are effective"

    def _called(self, rows: np.ndarray) -> str:
        """What some of the rows are called."""
        return f"rows {cut(', '.join(str(self.index[row]) for row in np.nonzero(rows)[0].tolist()), 60)}"


@dataclass(frozen=True, eq=False)
class PosteriorSummary:
    """A table of the cells that were not known, and a verdict; printed, both.

    Attributes:
        table: A data frame: row, column, mean, sd, q05, q95, rhat, ess_bulk, ess_tail.
        verdict: The verdict.
    """

    table: pd.DataFrame
    verdict: str

    def __str__(self) -> str:
        """The table and the verdict."""
        shown = self.table.to_string(index=False, max_rows=40, float_format=lambda value: f"{value:.4g}")
        hidden = "\nAll cells: summary().table" if len(self.table) > 40 else ""
        words = f"{self.verdict} Whether its posteriors are calibrated, flow.check_calibration tells."
        return f"{shown}{hidden}\n{textwrap.fill(words, 88)}"


def converged(
    r_hat: np.ndarray,
    effective: np.ndarray,
    divergences: np.ndarray,
    draws: int,
    most_rhat: float = MOST_RHAT,
    enough: float = ENOUGH_DRAWS,
) -> np.ndarray:
    """Whether the chains of each row agree and have enough effective draws, shape (rows,)."""
    agree = (r_hat <= most_rhat).all(1) & (effective >= enough).all(1)
    return np.asarray(agree & (divergences <= _MOST_DIVERGENT * draws))


def diagnose_cells(draws: np.ndarray, free: np.ndarray, effective: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    """R-hat, bulk and tail effective draws of every cell, shape (rows, D) each.

    Arguments:
        draws: Shape (rows, chains, draws, D).
        free: Cells that were not known, shape (rows, D).
        effective: Effective particles of each row, which draws cannot exceed, shape (rows,).
    """
    if draws.shape[1] < 2:
        raise InferenceError("chains", "at least 2", str(draws.shape[1]), "one chain cannot show that it has converged")
    r_hat = np.ones(free.shape)
    bulk, tail = np.full(free.shape, np.inf), np.full(free.shape, np.inf)
    # Chains that never move have an infinite R-hat, or none: they pass no gate.
    with np.errstate(divide="ignore", invalid="ignore"):
        for row, cells in enumerate(free):
            if cells.any():
                own = draws[row][..., cells]
                if (constant := np.ptp(own, axis=(0, 1)) == 0).all():
                    continue
                own, cells = own[..., ~constant], np.nonzero(cells)[0][~constant]
                r_hat[row, cells] = np.nan_to_num(rhat(own), nan=np.inf, posinf=np.inf)
                bulk[row, cells], tail[row, cells] = (np.nan_to_num(ess(own, kind)) for kind in ("bulk", "tail"))
    if effective is not None:
        bulk, tail = (np.where(free, np.minimum(sizes, effective[:, None]), np.inf) for sizes in (bulk, tail))
    return r_hat, bulk, tail
