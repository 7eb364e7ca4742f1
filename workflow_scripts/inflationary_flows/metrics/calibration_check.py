"""Checks a flow's posteriors under one's own likelihood: truths, observations, posteriors, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import DataError, shorten
from inflationary_flows.inference.decoder import inference_decoder
from inflationary_flows.inference.infer import apply, infer
from inflationary_flows.inference.posterior import Posterior
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.noise import Noise, noise_of
from inflationary_flows.mathematics.points import whole
from inflationary_flows.metrics.calibration import LEAST, Calibration, Kind, Pairs, judge
from inflationary_flows.seeding import derive_seed

# Draws of a posterior that are used: more are hardly independent, and add nothing.
USED = 63
# Draws of a chain: particles and chains in latents have some hundred effective ones then.
_DRAWS = 150
# Chains agree to what so few draws can tell.
_MOST_RHAT = 1.1
# A function of points, shape (n, D), and of one observation, shape (m,), to log-likelihoods, shape (n,).
LogLikelihood = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Problem:
    """What is observed of points, and what is believed of it.

    Attributes:
        flow: The flow, the prior.
        operator: A matrix, shape (m, D), or a function of points, shape (n, D) to (n, m); none for the point itself.
        noise_std: The noise, as of `noise_of`; none where cells are seen exactly, or missing.
        log_likelihood: Instead of both: any log-likelihood of a point and an observation.
        simulate: Draws observations of points, arrays of shape (n, D) to (n, m); by default operator and noise do.
        holes: Cells that are missing, shape (m,), booleans.
        settings: Settings of the sampler.
    """

    flow: Flow
    operator: Any = None
    noise_std: Any = None
    log_likelihood: LogLikelihood | None = None
    simulate: Callable[[np.ndarray], Any] | None = None
    holes: np.ndarray | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cells_are_known(self) -> bool:
        """Whether what is seen of a point is seen exactly."""
        return self.noise_std is None and self.log_likelihood is None

    def applied(self, x: Tensor) -> Tensor:
        """What is observed of points, shape (n, D), without noise, shape (n, m)."""
        if self.operator is None:
            return x
        return apply(self.operator, x, self.flow)

    def noise(self, width: int) -> Noise | None:
        """The noise of observations of m numbers."""
        if self.noise_std is None:
            return None
        return noise_of(self.noise_std, width, columns=self.flow.columns if self.operator is None else ())

    def observe(self, x: np.ndarray, seed: int) -> np.ndarray:
        """Draws an observation of each point, shape (n, D) to (n, m)."""
        if self.simulate is not None:
            seen = np.asarray(self.simulate(x), dtype=np.float64)
            if seen.ndim != 2 or len(seen) != len(x):
                hint = "return a row for each point"
                raise DataError("simulate", f"an array of shape ({len(x)}, m)", f"shape {seen.shape}", hint)
        else:
            with torch.no_grad():
                clean = self.applied(torch.from_numpy(x))
            noise = self.noise(clean.shape[1])
            seen = (clean if noise is None else clean + noise.sample(len(x), derive_seed("observed", seed))).numpy()
        return seen if self.holes is None else np.where(self.holes, np.nan, seen)

    def densities(self, x: np.ndarray, observed: np.ndarray) -> np.ndarray | None:
        """Log-likelihoods, shape (n, k), of points, shape (n, k, D), given observations, shape (n, m); if any."""
        points, seen = torch.from_numpy(x), torch.from_numpy(observed)
        with torch.no_grad():
            if self.log_likelihood is not None:
                pairs = zip(points, seen, strict=True)
                return torch.stack([self.log_likelihood(row, y) for row, y in pairs]).double().numpy()
            if self.cells_are_known:
                return None
            noise = self.noise(seen.shape[1])
            assert noise is not None
            away = self.applied(points.flatten(0, 1)).view(*points.shape[:2], -1) - seen[:, None]
            return noise.log_likelihood(away.nan_to_num(0.0)).numpy()

    def posteriors(self, observed: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points, shape (n, k, D), and their latents, of the posterior of each observation; and which converged."""
        if self.log_likelihood is None:
            given = {"noise_std": self.noise_std, "operator": self.operator}
            found = [infer(self.flow, observed, **given, **self.settings, seed=seed)]
        else:
            found = []
            for row, y in enumerate(torch.from_numpy(observed)):
                own: dict[str, Any] = {"log_likelihood": lambda x, y=y: self.log_likelihood(x, y)}
                found.append(infer(self.flow, **own, **self.settings, seed=derive_seed("posterior", seed, row)))
        x, z, converged = (
            np.concatenate(of)
            for of in zip(*((*posterior.spread(USED), suffices(posterior, USED)) for posterior in found), strict=True)
        )
        return x, z, converged


def suffices(posterior: Posterior, draws: int) -> np.ndarray:
    """Which rows have chains that agree, and so many effective draws, shape (rows,): less than is asked of a result."""
    return posterior.reaches(_MOST_RHAT, draws, tails=False)


def check_calibration(
    flow: Flow,
    truths: np.ndarray | None,
    observed: np.ndarray | None,
    at: np.ndarray | None,
    *,
    operator: Any,
    noise_std: Any,
    log_likelihood: LogLikelihood | None,
    simulate: Callable[[np.ndarray], Any] | None,
    kind: Kind,
    replicates: int,
    seed: int,
    settings: Mapping[str, Any],
) -> Calibration:
    """Makes replicates, samples their posteriors, and judges them.

    Arguments:
        flow: The flow.
        truths: Rows, shape (n, D), data units; none for draws of the flow's own prior.
        observed: Their observations, shape (n, m), NaN where cells are missing; none to simulate them.
        at: The observation to look at, shape (m,); its missing cells are missing in all that are simulated.
        operator, noise_std, log_likelihood, simulate: As of `Problem`.
        kind: As of `judge`.
        replicates: Replicates; of more truths as many are chosen at random.
        seed: Seed of all.
        settings: Settings of the sampler.

    Raises:
        InflationaryFlowsError: if arguments do not fit each other, or posteriors cannot be sampled.
    """
    _require(truths, observed, at, operator, noise_std, log_likelihood, simulate)
    whole(replicates, "replicates", LEAST)
    holes = None if at is None or not np.isnan(at).any() else np.isnan(at)
    settings = {"draws": _DRAWS, **settings}
    problem = Problem(flow, operator, noise_std, log_likelihood, simulate, holes, settings)
    if truths is None:
        # Of the prior that `infer` takes, which has a density.
        latents = inference_decoder(flow).prior.sample(replicates, derive_seed("calibration truths", seed))
        x = flow.generate(latents).numpy()
    else:
        chosen = np.random.default_rng(derive_seed("calibration rows", seed)).permutation(len(truths))[:replicates]
        x, observed = truths[chosen], None if observed is None else observed[chosen]
    if len(x) < LEAST:
        hint = "200 see a posterior that is a quarter too narrow"
        raise DataError("truths", f"at least {LEAST} rows", str(len(x)), hint)
    seen = problem.observe(x, seed) if observed is None else observed
    if at is not None and len(at) != seen.shape[1]:
        raise DataError("at", f"{seen.shape[1]} numbers, as an observation has", str(len(at)), "pass one row")
    return judge(posterior_pairs(problem, x, seen, at, seed), kind, seed=seed)


def posterior_pairs(problem: Problem, x: np.ndarray, observed: np.ndarray, at: np.ndarray | None, seed: int) -> Pairs:
    """Truths, shape (n, D), with draws of the posteriors of their observations, shape (n, m)."""
    everything = observed if at is None else np.concatenate([observed, at[None]])
    draws, latents, converged = problem.posteriors(everything, seed)
    n, flow = len(x), problem.flow
    if problem.cells_are_known:
        # A sampler may hold what was seen to within a tolerance, in whose middle the truth would lie.
        draws = np.where(np.isnan(everything)[:, None], draws, everything[:, None])
        latents = flow.inflate(torch.from_numpy(draws.reshape(-1, x.shape[1]))).numpy().reshape(draws.shape)
    z = flow.inflate(torch.from_numpy(x)).numpy()
    stacked = np.concatenate([x, draws.reshape(-1, x.shape[1])])
    units = flow.basis.standardised(torch.from_numpy(stacked)).numpy()
    truth, drawn = units[:n], units[n:].reshape(draws.shape)
    values = {"latent": tuple(np.square(of / flow.schedule.latent_std.numpy()).sum(-1) for of in (z, latents))}
    with_truth = problem.densities(np.concatenate([x[:, None], draws[:n]], 1), observed)
    if with_truth is not None:
        likelihood = with_truth[:, 1:]
        if at is not None:
            likelihood = np.concatenate([likelihood, problem.densities(draws[n:], everything[n:])])
        values["likelihood"] = (with_truth[:, 0], likelihood)
    own = None
    if at is not None:
        own = np.concatenate([drawn[n], *(of[n][:, None] for _, of in values.values())], 1) if converged[n] else None
    kept = converged[:n]
    quantities = {name: (of[kept], of_draws[:n][kept]) for name, (of, of_draws) in values.items()}
    return Pairs(
        truth[kept],
        drawn[:n][kept],
        observed[kept],
        flow.names,
        quantities,
        None if own is None else at,
        own,
        int((~kept).sum()),
        lost_at=at is not None and own is None,
    )


def _require(
    truths: Any, observed: Any, at: Any, operator: Any, noise_std: Any, log_likelihood: Any, simulate: Any
) -> None:
    """Raises DataError if arguments do not fit each other."""
    if observed is not None and (truths is None or len(truths) != len(observed)):
        got = "none" if truths is None else f"{len(truths)}"
        raise DataError("truths", f"{len(observed)} rows, one for each observation", got, "pass pairs")
    if observed is not None and simulate is not None:
        raise DataError("simulate", "none, as there are observations", shorten(simulate), "leave one out")
    if log_likelihood is not None:
        for name, value in (("operator", operator), ("noise_std", noise_std)):
            if value is not None:
                raise DataError(name, "none beside log_likelihood", shorten(value), "the likelihood says it all")
        if observed is None and simulate is None:
            hint = "simulate=lambda x: ... draws an observation of each row of x"
            raise DataError("simulate", "a function, or observations", "neither", hint)
        return
    holes = (value is not None and bool(np.isnan(value).any()) for value in (at, observed))
    if noise_std is None and not any(holes):
        hint = "pass noise_std=, log_likelihood=, or observations with missing cells"
        raise DataError("noise_std", "noise, or cells that are missing", "neither", hint)
