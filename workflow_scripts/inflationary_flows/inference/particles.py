r"""Posteriors of points of few unknown coordinates: importance sampling in the space of the data, where modes may part.

    p(r | observed) ~ L(r) p(r)

with the flow's exact density p.  Particles come from a mixture of multivariate t distributions, whose centres are
particles of the round before, each with the covariance of its neighbours, and of one wide t that covers the data.  The
first round are draws of the prior, with a tempered likelihood.  Of rows with holes the unknown cells alone are drawn:
what is known is known exactly.

Each chain has particles of its own in the last round, from which its draws are resampled; R-hat then compares
independent runs.  Source: population Monte Carlo (Cappe et al., 2004), with the bounded proposals of Owen and Zhou
(2000).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.extras import needs
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.gate import MOST_PARETO_K
from inflationary_flows.inference.observation import Observation
from inflationary_flows.inference.pareto import tail_shapes
from inflationary_flows.inference.resampling import effective_number, resampled, tempered
from inflationary_flows.progress import tracked
from inflationary_flows.seeding import derive_seed

with needs("particles", "inference"):
    from scipy.interpolate import RBFInterpolator

# Draws of the prior in the first round, and particles of each of the next rounds.
_POOL, _PARTICLES, _ROUNDS = 2048, 512, 2
# Rounds of final size, of rows whose effective particles are less than a share of the draws, of which so many suffice,
# or whose weights have a tail of a shape that makes their sum unreliable.
_MOST_ROUNDS, _ENOUGH, _PLENTY = 6, 0.5, 2000
# Columns up to which densities are cheap; candidates for costly ones, of few cells and of more, of which proposals know
# less; the share of candidates that predictions choose, and how far below the largest log density of a row they know
# anything, from how many densities at least.
_CHEAP_COLUMNS, _CANDIDATES, _MORE_CANDIDATES, _TRUSTED, _NEAR, _ENOUGH_KNOWN = 3, 6000, 40_000, 0.9, 15.0, 40
_FEW_CELLS, _LEAST_CANDIDATES = 3, 1000
# Centres of a proposal in first and final rounds, neighbours that tell the covariance around each, degrees of freedom,
# and the share of the wide distribution.
_CENTRES, _MANY_CENTRES, _NEIGHBOURS, _FREEDOM, _WIDE = 40, 120, 24, 5.0, 0.1
# Numbers of a batch of rows, particles and centres: 64 MB.
_NUMBERS = 2**23


@dataclass(frozen=True)
class ParticleDraws:
    """Draws of several posteriors.

    Attributes:
        r: Transformed columns, shape (rows, chains, draws, D).
        y: Whitened latents, same shape.
        log_density: log L(r) + log p(r), nats, shape (rows, chains, draws).
        effective: Effective particles of all chains of a row, shape (rows,).
        pareto_k: Shape of the tail of the weights, shape (rows,).
    """

    r: Tensor
    y: Tensor
    log_density: Tensor
    effective: np.ndarray
    pareto_k: np.ndarray


@torch.no_grad()
def sample_particles(
    decoder: Decoder,
    observation: Observation,
    *,
    chains: int,
    draws: int,
    seed: int,
    numbers: Sequence[int] | None = None,
) -> ParticleDraws:
    """Samples the posteriors of all points.

    Arguments:
        decoder: The flow.
        observation: What is observed of each.
        chains: Independent sets of particles.
        draws: Draws of each.
        seed: Seed of all particles.
        numbers: Numbers of the rows, which their random numbers depend on, by default 0, 1, ...
    """
    labels = list(range(observation.rows)) if numbers is None else list(numbers)
    pool = decoder.draw_prior(_POOL, derive_seed("particles", seed))[1]
    # Rows of as many unknown cells have arrays of one shape.
    free = torch.ones(observation.rows, decoder.dimension, dtype=torch.bool)
    if observation.seen is not None:
        free = ~observation.seen
    counts = free.sum(1)
    shape = (observation.rows, chains, draws, decoder.dimension)
    found = ParticleDraws(
        pool.new_zeros(shape),
        pool.new_zeros(shape),
        pool.new_zeros(shape[:-1]),
        np.zeros(observation.rows),
        np.full(observation.rows, np.nan),
    )
    size = max(1, _NUMBERS // (2 * chains * draws * (_MANY_CENTRES + 1)))
    if decoder.dimension > _CHEAP_COLUMNS:
        # Candidates may be more than particles and centres.
        size = min(size, max(1, _NUMBERS // (_MORE_CANDIDATES * int(counts.max().clamp(min=1)))))
    batches = [part for count in counts.unique() for part in (counts == count).nonzero()[:, 0].split(size)]
    for rows in tracked(batches, "posteriors", unit="batch"):
        own = _Rows(
            decoder, observation.of(rows), free[rows], pool, [derive_seed("row", seed, labels[k]) for k in rows]
        )
        own.draw(found, rows, chains, draws)
    return found


@dataclass(frozen=True)
class _Particles:
    """Unknown cells, shape (rows, n, k), with log weights and log densities, shape (rows, n), and latents.

    They were chosen among so many effective candidates, shape (rows,), that their number bounds what they are worth.
    """

    v: Tensor
    log_weights: Tensor
    value: Tensor
    y: Tensor
    candidates: Tensor

    def of(self, chosen: Tensor) -> _Particles:
        """Those of some of the rows."""
        return _Particles(*(getattr(self, each.name)[chosen] for each in fields(self)))


class _Rows:
    """Rows with the same number k of unknown cells."""

    def __init__(
        self, decoder: Decoder, observation: Observation, free: Tensor, pool: Tensor, seeds: Sequence[int]
    ) -> None:
        self.decoder, self.observation = decoder, observation
        self.streams = [np.random.default_rng(seed) for seed in seeds]
        count, dimension = free.shape
        self.places = free.nonzero()[:, 1].view(count, -1)
        basis = decoder.flow.basis
        # What is known of each row, with the data's mean in unknown cells.
        self.base = basis.mean.expand(count, dimension).clone()
        if observation.seen is not None:
            self.base = torch.where(observation.seen, observation.known, self.base)
        self.pool = pool
        total = decoder.flow.schedule.total_std(decoder.flow.schedule.t_min)
        axes = basis.vectors * total * basis.scale[:, None]
        self.mean, self.root = self._wide(axes @ axes.T)

    def _wide(self, covariance: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and root of the covariance of unknown cells given the known ones, if the data were Gaussian."""
        means, roots = [], []
        mean = self.decoder.flow.basis.mean
        for base, places in zip(self.base, self.places, strict=True):
            known = torch.ones(len(base), dtype=torch.bool)
            known[places] = False
            own = covariance[places][:, places]
            centre = mean[places]
            if bool(known.any()):
                crossed = covariance[places][:, known]
                gain = torch.linalg.solve(covariance[known][:, known], crossed.mT).mT
                own = own - gain @ crossed.mT
                centre = centre + gain @ (base - mean)[known]
            means.append(centre)
            # The data need not be Gaussian: half of what is known is believed.
            own = (own + covariance[places][:, places]) / 2
            roots.append(torch.linalg.cholesky((own + own.mT) / 2))
        return torch.stack(means), torch.stack(roots)

    def whole(self, v: Tensor) -> Tensor:
        """Transformed columns, shape (rows, n, D), of unknown cells, shape (rows, n, k)."""
        r = self.base[:, None].expand(-1, v.shape[1], -1).clone()
        return r.scatter(2, self.places[:, None].expand(v.shape), v)

    def target(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """log L + log p of unknown cells, shape (rows, n), and latents, shape (rows, n, D)."""
        r = self.whole(v)
        density, y = self.decoder.log_density(r.flatten(0, 1))
        value = density.view(r.shape[:2])
        if self.observation.seen is None:
            value = value + self.observation.log_likelihood(r)
        return torch.nan_to_num(value, nan=-math.inf), y.view_as(r)

    def first(self) -> _Particles:
        """Particles of the prior with log weights by the tempered likelihood; without densities and latents."""
        r = self.pool.expand(len(self.base), -1, -1)
        level = self.observation.log_likelihood(r)
        self.observation.require_somewhere(level)
        weights = tempered(level, _CENTRES)
        v = r.gather(2, self.places[:, None].expand(-1, r.shape[1], -1))
        return _Particles(v, weights, weights, v, torch.full((len(v),), math.inf))

    def draw(self, found: ParticleDraws, rows: Tensor, chains: int, draws: int) -> None:
        """Fills in the draws of these rows."""
        if self.places.shape[1] == 0:
            value, y = self.target(self.base.new_zeros(len(rows), 1, 0))
            found.r[rows], found.y[rows] = self.base[:, None, None], y[:, :, None]
            found.log_density[rows] = value[:, :, None]
            found.effective[rows.numpy()] = chains * draws
            return
        costly = self.decoder.dimension > _CHEAP_COLUMNS
        now = self.first()
        for _ in range(_ROUNDS):
            now = self.round(now, _PARTICLES // 2 if costly else _PARTICLES, _CENTRES)
        left, own = rows, self
        for _ in range(_MOST_ROUNDS):
            # Twice as many particles as draws, so that few of them are drawn twice, where they are cheap.
            size = chains * draws * (1 if costly else 2)
            now = own.round(now, size, _CENTRES if costly else _MANY_CENTRES, chains if costly else None)
            poor = own.keep(found, left, now, chains, draws)
            if not bool(poor.any()):
                break
            left, own, now = left[poor], own.of(poor), now.of(poor)

    def of(self, chosen: Tensor) -> _Rows:
        """Some of the rows."""
        own = copy.copy(self)
        own.observation = self.observation.of(chosen.nonzero()[:, 0])
        own.streams = [stream for stream, kept in zip(self.streams, chosen.tolist(), strict=True) if kept]
        own.places, own.base = self.places[chosen], self.base[chosen]
        own.mean, own.root = self.mean[chosen], self.root[chosen]
        return own

    def round(self, last: _Particles, n: int, centres: int, parts: int | None = None) -> _Particles:
        """New particles around weighted ones.

        Where densities are costly they are predicted from those of the last round, and particles are chosen by that
        among many candidates; their true densities weigh them. Each of the `parts`, which divide n, has its own.
        """
        weights = tempered(last.log_weights, centres)
        proposal = _Proposal(last.v, weights, self.mean, self.root, self.streams, centres)
        candidates = torch.full((len(last.v),), math.inf)
        if parts is None:
            v = proposal.sample(n, self.streams)
            chance = proposal.log_density(v)
        else:
            wanted = max(4 * n, _CANDIDATES if last.v.shape[2] <= _FEW_CELLS else _MORE_CANDIDATES)
            each = max(wanted // parts, _LEAST_CANDIDATES)
            v = proposal.sample(each * parts, self.streams)
            chance = proposal.log_density(v)
            predictions = [
                _predict(points, values, asked, own) - own
                for points, values, asked, own in zip(last.v, last.value, v, chance, strict=True)
            ]
            shares = torch.stack(predictions).view(-1, parts, each).softmax(2)
            # Draws of all chains count alike, those of one with few candidates too.
            candidates = parts**2 / (1 / effective_number(shares)).sum(1)
            # Predictions may be wrong: some candidates are taken by chance.
            shares = _TRUSTED * shares + (1 - _TRUSTED) / each
            chosen = []
            for own, stream in zip(shares, self.streams, strict=True):
                for part, share in enumerate(own):
                    picked = resampled(share, n // parts, stream)
                    chosen.append(part * each + picked[torch.from_numpy(stream.permutation(len(picked)))])
            places = torch.cat(chosen).view(len(v), -1)
            v = v.gather(1, places[..., None].expand(-1, -1, v.shape[2]))
            chance = (chance + shares.log().flatten(1)).gather(1, places)
        value, y = self.target(v)
        return _Particles(v, value - chance, value, y, candidates)

    def keep(self, found: ParticleDraws, rows: Tensor, now: _Particles, chains: int, draws: int) -> Tensor:
        """Resamples draws of these rows; which of them want more particles, shape (rows,)."""
        v, log_weights, value, y = now.v, now.log_weights, now.value, now.y
        weights = log_weights.softmax(1)
        # Candidates and particles err independently.
        found.effective[rows.numpy()] = effective = (1 / (1 / effective_number(weights) + 1 / now.candidates)).numpy()
        found.pareto_k[rows.numpy()] = shapes = tail_shapes(log_weights.numpy())
        r = self.whole(v)
        for place, row in enumerate(rows.tolist()):
            for chain, particles in enumerate(torch.arange(v.shape[1]).chunk(chains)):
                chosen = particles[resampled(weights[place, particles], draws, self.streams[place])]
                found.r[row, chain], found.y[row, chain] = r[place, chosen], y[place, chosen]
                found.log_density[row, chain] = value[place, chosen]
        few = effective < min(_ENOUGH * chains * draws, _PLENTY)
        return torch.from_numpy(few | ~(shapes < MOST_PARETO_K))


class _Proposal:
    """Mixtures of t distributions, one a row, around weighted particles."""

    def __init__(
        self,
        v: Tensor,
        log_weights: Tensor,
        mean: Tensor,
        root: Tensor,
        streams: Sequence[np.random.Generator],
        count: int,
    ) -> None:
        means, roots, shares = [], [], []
        k = v.shape[2]
        for points, heavy, centre, wide, random in zip(v, log_weights.softmax(1), mean, root, streams, strict=True):
            chosen = resampled(heavy, 4 * count, random).unique()
            distinct = points[chosen]
            effective = float(effective_number(heavy))
            inner = (points - heavy @ points) * heavy.sqrt()[:, None]
            spread = inner.mT @ inner
            # Centres are a part of the particles that are left, spread over them.
            centres = torch.from_numpy(random.permutation(len(distinct))[:count])
            kernel = effective ** (-2 / (k + 4))
            covariances = _local(distinct, distinct[centres], wide)
            covariances = _floored(covariances, spread, kernel)
            means.append(_padded(torch.cat([distinct[centres], centre[None]]), count + 1))
            roots.append(_padded(torch.cat([torch.linalg.cholesky(covariances), wide[None]]), count + 1))
            share = torch.cat([heavy.new_full((len(centres),), (1 - _WIDE) / len(centres)), heavy.new_tensor([_WIDE])])
            shares.append(_padded(share, count + 1, 0.0))
        self.means, self.roots, self.shares = torch.stack(means), torch.stack(roots), torch.stack(shares)
        self.inverse = torch.linalg.inv(self.roots)
        self.volume = self.roots.diagonal(dim1=2, dim2=3).log().sum(2)

    def sample(self, n: int, streams: Sequence[np.random.Generator]) -> Tensor:
        """Particles, shape (rows, n, k)."""
        drawn = []
        for mean, root, share, random in zip(self.means, self.roots, self.shares, streams, strict=True):
            chosen = resampled(share, n, random)
            chosen = chosen[torch.from_numpy(random.permutation(n))]
            normal = torch.from_numpy(random.standard_normal((n, mean.shape[1])))
            stretch = torch.from_numpy(np.sqrt(_FREEDOM / random.chisquare(_FREEDOM, n)))
            drawn.append(mean[chosen] + stretch[:, None] * torch.einsum("nij,nj->ni", root[chosen], normal))
        return torch.stack(drawn)

    def log_density(self, v: Tensor) -> Tensor:
        """Log densities of particles, shape (rows, n, k) to (rows, n)."""
        k = v.shape[2]
        norm = math.lgamma((_FREEDOM + k) / 2) - math.lgamma(_FREEDOM / 2) - k / 2 * math.log(_FREEDOM * math.pi)
        found = []
        for part in v.split(max(1, _NUMBERS // self.means.numel()), 1):
            white = torch.einsum("rcij,rncj->rnci", self.inverse, part[:, :, None] - self.means[:, None])
            square = white.square().sum(3)
            kernels = norm - self.volume[:, None] - (_FREEDOM + k) / 2 * torch.log1p(square / _FREEDOM)
            found.append(torch.logsumexp(kernels + self.shares.log()[:, None], 2))
        return torch.cat(found, 1)


def _predict(points: Tensor, values: Tensor, asked: Tensor, otherwise: Tensor) -> Tensor:
    """Log densities at points, shape (m, k) to (m,), from those at enough others, shape (n, k) and (n,)."""
    known = values > values.max() - _NEAR
    points, values = points[known], values[known]
    # Copies of a particle say nothing new.
    distinct = np.unique(points.numpy(), axis=0, return_index=True)[1]
    points, values = points[distinct], values[distinct]
    # A parabola of k cells has half as many coefficients.
    if len(points) < max(_ENOUGH_KNOWN, (points.shape[1] + 1) * (points.shape[1] + 2)):
        return otherwise
    scale = points.std(0).clamp(min=1e-300)
    try:
        spline = RBFInterpolator((points / scale).numpy(), values.numpy(), kernel="cubic", degree=2, smoothing=1e-3)
    except np.linalg.LinAlgError:
        # Points that lie on one parabola do not determine another.
        return otherwise
    found = torch.from_numpy(spline((asked / scale).numpy()))
    # Beyond what is known the spline may rise without bound.
    return found.clamp(max=float(values.max()) + 1)


def _local(points: Tensor, centres: Tensor, wide: Tensor) -> Tensor:
    """Covariances of the neighbours of each centre, shape (c, k, k)."""
    # Distances in units of the data.
    white = [torch.linalg.solve_triangular(wide, each.mT, upper=False).mT for each in (centres, points)]
    nearest = torch.cdist(white[0], white[1]).topk(min(_NEIGHBOURS, len(points)), largest=False).indices
    around = points[nearest] - centres[:, None]
    return around.mT @ around / around.shape[1]


def _floored(covariances: Tensor, spread: Tensor, kernel: float) -> Tensor:
    """Covariances that few neighbours know, with a share of the covariance of all particles."""
    identity = torch.eye(spread.shape[0], dtype=spread.dtype)
    least = 1e-12 * spread.diagonal().mean() * identity + 1e-300 * identity
    return covariances + 0.02 * kernel * spread + least


def _padded(rows: Tensor, n: int, value: float | None = None) -> Tensor:
    """Rows, the last of them repeated up to n, or a value instead."""
    if len(rows) == n:
        return rows
    more = rows[:1].expand(n - len(rows), *rows.shape[1:])
    return torch.cat([more if value is None else torch.full_like(more, value), rows])
