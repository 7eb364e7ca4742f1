r"""Posteriors of points under any likelihood, with a flow as prior.

    p(x | observed) ~ L(x) p(x)

with the density p of the flow, the exact pull-back of its Gaussian latents.  Points of up to three unknown coordinates,
or of up to ten if the others are known exactly, are sampled by importance in the space of the data (`particles`),
others by chains in latents (`latent_chains`), and those whose chains do not agree by tempering (`tempering`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import DataError, shorten
from inflationary_flows.inference.decoder import Decoder, inference_decoder
from inflationary_flows.inference.few_rows import draws_for_few_rows
from inflationary_flows.inference.gate import ENOUGH_DRAWS, MOST_RHAT
from inflationary_flows.inference.latent_chains import sample_chains
from inflationary_flows.inference.observation import (
    Observation,
    PointFunction,
    known_cells,
    noisy_numbers,
    operated,
    require_support,
)
from inflationary_flows.inference.particles import sample_particles
from inflationary_flows.inference.posterior import Posterior, converged, diagnose_cells
from inflationary_flows.inference.surprise import prior_predictive_p
from inflationary_flows.inference.tempering import sample_tempered
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.noise import NoiseLevel, noise_of
from inflationary_flows.mathematics.points import checked, names_of, whole
from inflationary_flows.seeding import derive_seed

# Unknown coordinates up to which particles are used, the same beside cells that are known, for which chains have walls,
# and columns up to which densities are cheap enough for them.
_FEW, _FEW_CELLS, _DENSITY_COLUMNS = 3, 10, 32
# Draws of a chain: of particles of few columns, and of few and of more cells among many; of chains in latents. The more
# coordinates, the more often one has an R-hat above the gate by chance.
_PARTICLE_DRAWS, _CELL_DRAWS, _MORE_CELL_DRAWS, _CHAIN_DRAWS, _WARMUP = 500, 250, 400, 300, 80
# Chains by default.
_CHAINS = 4
# Chains that make a batch, R-hat of chains that may be in different modes, and how much longer others are made.
_BATCH, _APART, _LONGER = 64, 1.1, 2
# Draws of the prior that observations are compared with.
_PREDICTED = 1000


@dataclass(frozen=True, eq=False)
class Asked:
    """What a caller asks, checked.

    Attributes:
        observation: What is observed.
        numbers: The observed numbers, shape (rows, m), NaN where there are none; none for any log-likelihood. Of known
            cells as the flow sees them.
        predict: Draws what would be observed of transformed columns, shape (n, D), with noise of a seed.
        cells: Rows of data in which known cells are known exactly, if they are.
        index: What the rows are called.
    """

    observation: Observation
    numbers: Tensor | None
    predict: Callable[[Tensor, int], Tensor] | None
    cells: Tensor | None
    index: Sequence[Any]


def infer(
    flow: Flow,
    observed: Any = None,
    *,
    noise_std: NoiseLevel | None = None,
    operator: Any = None,
    log_likelihood: PointFunction | None = None,
    chains: int = _CHAINS,
    draws: int | None = None,
    warmup: int | None = None,
    seed: int = 0,
) -> Posterior:
    """Samples the posterior of each observed row; arguments and errors as of `Flow.infer`."""
    asked = read_question(flow, observed, noise_std, operator, log_likelihood)
    count = whole(chains, "chains", 2, 1000)
    length = None if draws is None else whole(draws, "draws", 4)
    before = None if warmup is None else whole(warmup, "warmup", 1)
    seed = whole(seed, "seed")
    return sample(inference_decoder(flow), asked, count, length, before, seed)


def read_question(
    flow: Flow, observed: Any, noise_std: NoiseLevel | None, operator: Any, log_likelihood: PointFunction | None
) -> Asked:
    """What a caller asks, checked; DataError if it is no question."""
    transforms, dimension = flow.basis.transforms, flow.dimension
    if transforms.integers and (noise_std is not None or log_likelihood is not None):
        where = "noise_std" if log_likelihood is None else "log_likelihood"
        hint = "fit a flow that takes these columns as real numbers; holes can be filled by this one"
        raise DataError(where, "a flow without columns of whole numbers", "one with them", hint)
    if log_likelihood is not None:
        if observed is not None or noise_std is not None or operator is not None:
            hint = "let the function hold what was observed, or give observed, operator and noise_std"
            raise DataError("log_likelihood", "nothing beside it", "another argument", hint)
        function: Any = log_likelihood
        if not callable(function):
            hint = "a torch function of points, shape (n, D), that gives n numbers"
            raise DataError("log_likelihood", "a function", shorten(log_likelihood), hint)
        return Asked(Observation(1, transforms, log_function=function), None, None, None, [0])
    if observed is None:
        hint = "pass rows with noise_std, rows with holes, or a log_likelihood"
        raise DataError("observed", "what was observed", "nothing", hint)
    if operator is not None:
        return _of_operator(flow, observed, noise_std, operator)
    x = checked(observed, dimension, "observed", columns=flow.columns, single=True, holes=True)
    index = _index_of(observed, len(x))
    if noise_std is not None:
        noise = noise_of(noise_std, dimension, columns=flow.columns)

        def predict(r: Tensor, seed: int) -> Tensor:
            return transforms.inverse(r) + noise.sample(len(r), seed)

        return Asked(noisy_numbers(x, noise, transforms), x, predict, None, index)
    if not bool(x.isnan().any()):
        hint = "give noise_std, the noise of these numbers, or NaN in the cells that are not known"
        raise DataError("observed", "rows with holes, or a noise_std", "rows without, and no noise_std", hint)
    require_support(x, flow.basis, flow.columns)
    cells = known_cells(x, flow.basis)
    return Asked(cells, cells.known, lambda r, seed: r, x, index)


def _of_operator(flow: Flow, observed: Any, noise_std: NoiseLevel | None, operator: Any) -> Asked:
    if noise_std is None:
        hint = "give the noise of what is observed; a small one if there is nearly none"
        raise DataError("noise_std", "a noise, with an operator", "none", hint)
    y = checked(observed, None, "observed", single=True, holes=True)
    noise = noise_of(noise_std, y.shape[1], columns=names_of(observed, "observed"))
    transforms = flow.basis.transforms
    matrix = None if _is_function(operator) else _matrix(operator, flow)
    if matrix is not None and len(matrix) != y.shape[1]:
        hint = "a matrix (m, D) makes m numbers of a point; observed has shape (rows, m)"
        raise DataError("operator", f"a matrix of {y.shape[1]} rows", f"{len(matrix)} rows", hint)
    observation = noisy_numbers(y, noise, transforms, operator if matrix is None else matrix)

    def predict(r: Tensor, seed: int) -> Tensor:
        return apply(operator, transforms.inverse(r), flow) + noise.sample(len(r), seed)

    # One evaluation, so that a wrong function is told before anything is sampled.
    r = flow.basis.mean.expand(len(y), 1, -1).clone().requires_grad_(True)
    if not observation.log_likelihood(r).requires_grad:
        hint = "use functions of torch, on the points as they come"
        raise DataError("operator", "a differentiable function", "one without gradients", hint)
    return Asked(observation, y, predict, None, _index_of(observed, len(y)))


def apply(operator: Any, x: Tensor, flow: Flow) -> Tensor:
    """What an operator, a function or a matrix, makes of points, shape (n, D) to (n, m), without gradients."""
    return operated(operator, x).detach() if _is_function(operator) else x @ _matrix(operator, flow).T


def _is_function(operator: Any) -> bool:
    return callable(operator) and not isinstance(operator, Tensor)


def _matrix(operator: Any, flow: Flow) -> Tensor:
    """A caller's matrix, shape (m, D), of a data frame by the names of the flow's columns."""
    return checked(operator, flow.dimension, "operator", columns=flow.columns)


def _index_of(observed: Any, rows: int) -> Sequence[Any]:
    """What a caller's rows are called."""
    return list(observed.index) if hasattr(observed, "columns") else list(range(rows))


def sample(decoder: Decoder, asked: Asked, chains: int, draws: int | None, warmup: int | None, seed: int) -> Posterior:
    """Samples every row by what suits it."""
    flow, observation = decoder.flow, asked.observation
    dimension, rows = flow.dimension, observation.rows
    free = np.ones((rows, dimension), dtype=bool) if observation.seen is None else ~observation.seen.numpy()
    cells = free.sum(1)
    most, columns = (_FEW, _FEW) if observation.seen is None else (min(_FEW_CELLS, dimension - 1), _DENSITY_COLUMNS)
    # Of rows that are known there is nothing to draw.
    few = (cells <= most) & (dimension <= columns) | (cells == 0)
    blank = free.all(1) if observation.seen is not None else np.zeros(rows, dtype=bool)
    length = draws or _default_draws(dimension, int(cells.max()), bool((few | blank).all()))
    shape = (rows, chains, length, dimension)
    r, y, value = torch.zeros(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64), np.zeros(shape[:3])
    effective, pareto_k, divergences = np.full(rows, np.inf), np.full(rows, np.nan), np.zeros(rows, dtype=np.int64)
    method = np.where(few, "particles", "chains").astype(object)
    numbers = np.arange(rows)
    if few.any():
        chosen = torch.from_numpy(numbers[few])
        found = sample_particles(
            decoder, observation.of(chosen), chains=chains, draws=length, seed=seed, numbers=numbers[few].tolist()
        )
        r[chosen], y[chosen], value[few] = found.r, found.y, found.log_density.numpy()
        effective[few], pareto_k[few] = found.effective, found.pareto_k
    # Too few particles carry the weight: chains are slower, and have none.
    enough = ENOUGH_DRAWS if chains * length >= 2 * ENOUGH_DRAWS else chains * length / 4
    hard = ~few | (cells > _FEW) & ~(effective >= enough)
    method[hard], effective[hard], pareto_k[hard] = "chains", np.inf, np.nan
    if blank.any():
        # Of rows of which nothing is known the posterior is the prior.
        chosen = torch.from_numpy(numbers[blank])
        for row in chosen.tolist():
            latents, points = decoder.draw_prior(chains * length, derive_seed("blank", seed, row))
            y[row], r[row] = latents.view(shape[1:]), points.view(shape[1:])
            value[row] = decoder.prior.log_density(latents).view(shape[1:3]).numpy()
        method[blank], hard[blank] = "prior", False
    # A few chains are no batch: where each step is costly tempering is as cheap, and surer.
    batched = dimension <= _DENSITY_COLUMNS or chains * hard.sum() >= _BATCH
    waiting = hard & (observation.has_residuals and batched)
    # Chains that only want more draws get them, if the caller left their number open.
    for times in (1,) if draws else (1, _LONGER):
        if not waiting.any():
            break
        chosen = torch.from_numpy(numbers[waiting])
        run, drawn = sample_chains(
            decoder,
            observation.of(chosen),
            chains=chains,
            warmup=warmup or _WARMUP,
            draws=length,
            thinning=times,
            seed=seed,
            numbers=numbers[waiting].tolist(),
        )
        r[chosen], y[chosen], value[waiting] = drawn, run.draws, run.log_density.numpy()
        divergences[waiting] = run.divergences
        r_hat, bulk, tail = diagnose_cells(drawn.numpy(), free[waiting])
        fine = converged(r_hat, np.minimum(bulk, tail), run.divergences, chains * length) & ~run.gave_up
        # Chains that do not agree may be in modes of their own.
        apart = run.gave_up | (r_hat.max(1) > (_APART if times == 1 else MOST_RHAT))
        hard[numbers[waiting]] = apart
        waiting[numbers[waiting][fine | apart]] = False
    if hard.any():
        chosen = torch.from_numpy(numbers[hard])
        tempered = sample_tempered(
            decoder, observation.of(chosen), chains=chains, draws=length, seed=seed, numbers=numbers[hard].tolist()
        )
        r[chosen], y[chosen], value[hard] = tempered.r, tempered.y, tempered.log_density.numpy()
        divergences[hard], method[hard] = 0, "tempering"
    x = flow.basis.transforms.rounded(flow.basis.transforms.inverse(r.flatten(0, 2))).view(shape).numpy()
    if asked.cells is not None:
        known = asked.cells.numpy()[:, None, None]
        x = np.where(free[:, None, None], x, known)
    r_hat, bulk, tail = diagnose_cells(x, free, effective)
    return Posterior(
        x=x,
        z=(y * flow.schedule.latent_std).numpy(),
        log_density=value,
        free=free,
        rhat=r_hat,
        ess_bulk=bulk,
        ess_tail=tail,
        divergences=divergences,
        pareto_k=pareto_k,
        surprise=_surprise(decoder, asked, seed),
        method=method.astype(str),
        names=flow.names,
        prior=describe_prior(decoder),
        index=asked.index,
    )


def _default_draws(dimension: int, cells: int, few: bool) -> int:
    """Draws of a chain, where the caller leaves them open."""
    if not few:
        return _CHAIN_DRAWS
    if dimension <= _FEW:
        return _PARTICLE_DRAWS
    return _CELL_DRAWS if cells <= _FEW else _MORE_CELL_DRAWS


@torch.no_grad()
def _surprise(decoder: Decoder, asked: Asked, seed: int) -> np.ndarray:
    """Prior predictive p-values of the observations."""
    if asked.predict is None or asked.numbers is None:
        return np.full(asked.observation.rows, np.nan)
    r = decoder.draw_prior(_PREDICTED, derive_seed("predicted", seed))[1]
    return prior_predictive_p(asked.numbers, asked.predict(r, derive_seed("predicted noise", seed)))


def describe_prior(decoder: Decoder) -> str:
    """The prior in words, as the object of "is"."""
    own, used = decoder.flow.prior(), decoder.prior
    words = "the flow's density"
    if decoder.flow.schedule.kept_dims == decoder.dimension:
        return words
    if used.bandwidth is not None:
        return f"{words}, its compressed latents those of training rows, smoothed by a kernel"
    words += ", its compressed latents Gaussian with their exact variances"
    return words if own.kind == "gaussian" else f"{words} ({own.kind} ones have no density)"


def impute(
    flow: Flow,
    table: Any,
    *,
    draws: int = 20,
    seed: int = 0,
    noise_std: NoiseLevel | None = None,
    trained_on: int | None = None,
) -> Any:
    """Fills the holes of a table; as `Flow.impute`, with the number of training rows if these are few."""
    count = whole(draws, "draws", 1)
    x = checked(table, flow.dimension, "table", columns=flow.columns, holes=True)
    require_support(x, flow.basis, flow.columns)
    holed = x.isnan().any(1)
    completed = x.expand(count, -1, -1).clone().numpy()
    if bool(holed.any()):
        # As many draws as by default, or more, so that none is handed over twice.
        more = max(_MORE_CELL_DRAWS, -(-count // _CHAINS)) if count > _CHAINS * _CELL_DRAWS else None
        posterior = infer(flow, x[holed], noise_std=noise_std, seed=seed, chains=_CHAINS, draws=more)
        names = getattr(table, "index", range(len(x))) if hasattr(table, "columns") else range(len(x))
        called = [names[row] for row in holed.nonzero()[:, 0].tolist()]
        if warning := replace(posterior, index=called).doubt:
            warnings.warn(f"impute: {warning}", stacklevel=3)
        if trained_on is None:
            drawn = posterior.spread(count)[0].swapaxes(0, 1)
        else:
            drawn = draws_for_few_rows(flow, posterior, trained_on, draws=count, seed=seed)[0].swapaxes(0, 1)
        completed[:, holed.numpy()] = np.where(x[holed].isnan().numpy(), drawn, x[holed].numpy())
    if isinstance(table, Tensor):
        return torch.from_numpy(completed)
    if not hasattr(table, "columns"):
        return completed
    import pandas as pd

    names = list(flow.names)
    frames = [pd.DataFrame(rows, index=table.index, columns=names) for rows in completed]
    joined = pd.concat(frames, keys=range(count), names=["draw", *(table.index.names)])
    for place in flow.basis.transforms.integers:
        joined[names[place]] = joined[names[place]].astype("int64")
    return joined
