"""Posteriors through flows, against closed forms of Gaussian flows and against integration on grids."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor
from torch.distributions import Dirichlet, MultivariateNormal, Normal

from inflationary_flows.errors import DataError, InferenceError, InflationaryFlowsError
from inflationary_flows.experiments.hmc.convergence import measure_convergence
from inflationary_flows.experiments.sbc.replicates import WeightRanks, rank_weights
from inflationary_flows.inference import joint, nuts, particle_gibbs
from inflationary_flows.inference.chains import Chain
from inflationary_flows.inference.collapsed import (
    CollapsedPosterior,
    ComponentEvidence,
    estimate_evidence,
    evidence_quality,
    monte_carlo_error,
    share_error,
)
from inflationary_flows.inference.convergence import ess
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.gate import MOST_PARETO_K
from inflationary_flows.inference.joint import JointPosterior
from inflationary_flows.inference.laplace import fit_laplace
from inflationary_flows.inference.latent_mixture import LatentMixture, Simplex, observe
from inflationary_flows.inference.nuts import run_nuts
from inflationary_flows.inference.particle_gibbs import run_particle_gibbs
from inflationary_flows.inference.weighting import weigh_pool
from inflationary_flows.mathematics.denoisers import Denoiser, GaussianDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from oracles import PRP, PRR, GaussianCase, mixture_flow

NOISE = 0.5
COORDINATES = ("latent", "data")
PAIR = LatentMixture.of([0.7, 0.3], [[-1.0, 0.4], [0.8, -0.2]], [[0.5, 0.9], [0.7, 0.4]])
TRIPLE = LatentMixture.of(
    [0.5, 0.3, 0.2],
    [[-1.0, 0.4, 0.0], [0.8, -0.2, 0.5], [0.0, 1.0, -1.0]],
    [[0.5, 0.9, 0.6], [0.7, 0.4, 1.1], [0.3, 0.6, 0.8]],
)


class LinearCase:
    """A flow x = offset + slope y: Gaussian data seen along oblique axes with their own units.

    Arguments:
        moving: Whether the data have other variances than the schedule was made for, so that the flow has to move.
    """

    def __init__(self, moving: bool = True, **options: Any) -> None:
        case = GaussianCase(PRR)
        rotation = torch.linalg.qr(torch.arange(9.0, dtype=torch.float64).view(3, 3).sin())[0]
        centre, scale = (torch.tensor(row, dtype=torch.float64) for row in ([5.0, -2.0, 0.0], [1.0, 0.5, 2.0]))
        basis = Eigenbasis(centre, scale, rotation, case.schedule.eigenvalues)
        denoiser = case.flow.denoiser if moving else GaussianDenoiser(case.schedule)
        solver = SolverSettings(steps=32 if moving else 1)
        self.flow = Flow(denoiser, basis, solver=solver, **options)
        self.decoder = Decoder(self.flow)
        std, start = case.schedule.latent_std, case.schedule.total_std(case.schedule.t_min)
        origin, axes = torch.zeros(1, 3, dtype=torch.float64), torch.eye(3, dtype=torch.float64)
        ends = [case.data(y * std) if moving else y * start for y in (origin, axes)]
        self.offset = basis.from_eigen(ends[0])[0]
        self.slope = (basis.from_eigen(ends[1]) - self.offset).T

    def posterior(self, x_obs: Tensor, mean: Tensor | float = 0.0, precision: Tensor | float = 1.0) -> tuple:
        """Mean, shape (n, 3), and covariance of the latents."""
        prior = precision * torch.ones(3, dtype=torch.float64)
        covariance = torch.linalg.inv(self.slope.T @ self.slope / NOISE**2 + torch.diag(prior))
        return ((x_obs - self.offset) @ self.slope / NOISE**2 + prior * mean) @ covariance, covariance

    def log_evidence(self, x_obs: Tensor, mixture: LatentMixture, noise_std: float = NOISE) -> Tensor:
        """log p(x | k), shape (n, K)."""
        noise = noise_std**2 * torch.eye(3, dtype=torch.float64)
        columns = [
            MultivariateNormal(self.offset + self.slope @ mu, self.slope * s.square() @ self.slope.T + noise)
            for mu, s in zip(mixture.means, mixture.stds, strict=True)
        ]
        return torch.stack([column.log_prob(x_obs) for column in columns], 1)


class Bend(Denoiser):
    """A curved field with sources and sinks that costs little."""

    def raw(self, y: Tensor, t: float | Tensor) -> Tensor:
        return 0.4 * torch.sin(y + 0.3) + 0.4 * torch.sin(y.flip(-1))

    def raw_with_jacobian(self, y: Tensor, t: float | Tensor) -> tuple[Tensor, Tensor]:
        own, other = (torch.diag_embed(0.4 * torch.cos(z)) for z in (y + 0.3, y.flip(-1)))
        return self.raw(y, t), own + other.flip(-1)


def bent_decoder(steps: int = 4, **options: Any) -> Decoder:
    flow = mixture_flow(PRP)[0]
    return Decoder(Flow(Bend(flow.schedule), flow.basis, **options), solver="rk4", steps=steps)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def assert_mean(draws: np.ndarray, expected: Any, precision: float = 0.25) -> None:
    """Chains, shape (chains, draws, ...), have an expectation as far as their effective sample size can tell."""
    error = draws.std((0, 1)) / np.sqrt(ess(draws, "mean"))
    assert (error < precision * draws.std((0, 1))).all(), "too few draws to tell"
    np.testing.assert_array_less(np.abs(draws.mean((0, 1)) - np.asarray(expected)), 4.5 * error)


def assert_moments(draws: np.ndarray, mean: Any, covariance: Any, precision: float = 0.25) -> None:
    """The same for mean, shape (D,), and covariance, shape (D, D), of draws of shape (chains, draws, D)."""
    assert_mean(draws, mean, precision)
    offset = draws - np.asarray(mean)
    assert_mean(offset[..., :, None] * offset[..., None, :], covariance, precision)


def sampled(density: Callable, draws: int = 250, **options: Any) -> Chain:
    return run_nuts(density, density.start(1)[None], seeds=[1], warmup=60, draws=draws, **options)[0]


def sampled_weights(posterior: CollapsedPosterior) -> np.ndarray:
    """Weights of the only replicate, shape (1 chain, draws, K)."""
    return posterior.split_draws(sampled(posterior, 400).draws)[None, :, 0]


def weights_on_a_line(log_evidence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and covariance of two weights, and probabilities of the components, shape (n, 2), by quadrature."""
    first = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000
    w = torch.stack([first, 1 - first], 1)
    terms = w[:, None] * torch.exp(log_evidence - log_evidence.max())
    p = torch.softmax(terms.sum(-1).log().sum(1), 0)
    mean = p @ w
    shares = torch.einsum("g,gnk->nk", p, terms / terms.sum(-1, keepdim=True))
    return mean, (w - mean).T @ torch.diag(p) @ (w - mean), shares


def on_a_grid(decoder: Decoder, mixture: LatentMixture, x_obs: Tensor) -> tuple[Tensor, Tensor]:
    """log p(x | k), shape (n, K), and E[y | x, k], shape (n, K, 2), by quadrature over the latents."""
    axis = torch.linspace(-6, 6, 241, dtype=torch.float64)
    y = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        x = decoder(y)
    likelihood = Normal(x, NOISE).log_prob(x_obs[:, None]).sum(-1)
    joined = likelihood[..., None] + mixture.log_components(y)
    log_evidence = torch.logsumexp(joined, 1) + 2 * math.log(0.05)
    return log_evidence, torch.einsum("ngk,gd->nkd", torch.softmax(joined, 1), y)


@pytest.fixture(params=[True, False], ids=["moving", "still"])
def linear(request: pytest.FixtureRequest) -> LinearCase:
    return LinearCase(request.param)


class TestDecoder:
    def test_is_affine_for_gaussian_data(self, linear):
        y = normal(9, 3)
        x, jacobian = linear.decoder.jacobian(y)
        torch.testing.assert_close(x, linear.offset + y @ linear.slope.T, atol=1e-4, rtol=0)
        torch.testing.assert_close(jacobian, linear.slope.expand(9, 3, 3), atol=1e-4, rtol=0)
        torch.testing.assert_close(linear.decoder.encode(x), y, atol=1e-4, rtol=0)

    def test_decodes_as_the_flow_generates(self):
        flow, x = mixture_flow(PRR)
        y = normal(5, 2)
        generated = flow.generate(y * flow.schedule.latent_std, solver="rk4", steps=9)
        torch.testing.assert_close(Decoder(flow, solver="rk4", steps=9)(y), generated, rtol=1e-12, atol=1e-12)
        inflated = torch.from_numpy(flow.inflate(x[:5])) / flow.schedule.latent_std
        torch.testing.assert_close(Decoder(flow).encode(x[:5]), inflated, rtol=1e-12, atol=1e-12)

    def test_jacobian_is_the_slope_of_the_steps(self):
        decoder, y = Decoder(mixture_flow(PRP)[0], solver="heun", steps=4), normal(6, 2)
        jacobian = decoder.jacobian(y)[1]
        for j, step in enumerate(1e-5 * torch.eye(2, dtype=torch.float64)):
            slope = (decoder(y + step) - decoder(y - step)) / 2e-5
            torch.testing.assert_close(jacobian[:, :, j], slope, rtol=1e-6, atol=1e-7)

    def test_forgetting_hidden_layers_changes_nothing(self):
        flow, y = mixture_flow(PRP)[0], normal(6, 2)
        for kept, forgot in zip(
            Decoder(flow, steps=8).jacobian(y), Decoder(flow, steps=8, checkpointed=True).jacobian(y), strict=True
        ):
            assert torch.equal(kept, forgot)

    def test_batch_size_does_not_matter(self):
        y = normal(40, 2)
        for whole, parts in zip(bent_decoder().jacobian(y), bent_decoder(batch_size=7).jacobian(y), strict=True):
            torch.testing.assert_close(parts, whole, rtol=1e-12, atol=1e-13)

    def test_steps_that_follow_the_batch_are_refused(self):
        with pytest.raises(DataError, match="fixed-step solver"):
            Decoder(mixture_flow(PRP)[0], solver="dopri5")


class TestLaplaceApproximation:
    @pytest.mark.parametrize(("mean", "precision"), [(None, None), ([0.5, -1.0, 2.0], [0.3, 1.0, 4.0])])
    def test_is_the_posterior_of_a_linear_gaussian_model(self, linear, mean, precision):
        x_obs = linear.offset + 2 * normal(7, 3)
        prior = [None if row is None else torch.tensor(row, dtype=torch.float64) for row in (precision, mean)]
        found = fit_laplace(linear.decoder, x_obs, NOISE, *prior)
        expected, covariance = linear.posterior(x_obs, *([] if mean is None else reversed(prior)))
        close = {"atol": 2e-4, "rtol": 0}
        torch.testing.assert_close(found.mode, expected, **close)
        torch.testing.assert_close(found.factor @ found.factor.mT, covariance.expand(7, 3, 3), **close)
        clean = linear.slope @ covariance @ linear.slope.T
        torch.testing.assert_close(found.data_factor @ found.data_factor.mT, clean.expand(7, 3, 3), **close)
        torch.testing.assert_close(found.centre, linear.offset + expected @ linear.slope.T, **close)

    def test_its_modes_are_stationary_and_whitened_where_the_flow_bends(self):
        decoder, x_obs = bent_decoder(), 1.5 * normal(20, 2)
        found = fit_laplace(decoder, x_obs, NOISE, iterations=40)
        y = found.mode.clone().requires_grad_()
        log_posterior = Normal(decoder(y), NOISE).log_prob(x_obs).sum() + Normal(0, 1).log_prob(y).sum()
        (gradient,) = torch.autograd.grad(log_posterior, y)
        assert float(gradient.abs().max()) < 1e-4
        jacobian = decoder.jacobian(found.mode)[1]
        curvature = jacobian.mT @ jacobian / NOISE**2 + torch.eye(2)
        torch.testing.assert_close(found.factor.mT @ curvature @ found.factor, torch.eye(2).double().expand(20, 2, 2))

    def test_white_coordinates_step_along_the_factors(self):
        found = fit_laplace(bent_decoder(), normal(4, 2), NOISE)
        eta = normal(3, 4, 2, seed=1)
        for i in range(4):
            torch.testing.assert_close(found.to_latents(eta)[:, i], found.mode[i] + eta[:, i] @ found.factor[i].T)
            torch.testing.assert_close(found.to_data(eta)[:, i], found.centre[i] + eta[:, i] @ found.data_factor[i].T)

    def test_observations_do_not_know_of_each_other(self):
        x_obs = normal(12, 2)
        whole = fit_laplace(bent_decoder(), x_obs, NOISE).first(5)
        for other in (
            fit_laplace(bent_decoder(batch_size=5), x_obs, NOISE).first(5),
            fit_laplace(bent_decoder(), x_obs[:5], NOISE),
        ):
            assert len(other) == 5
            for name, values in vars(whole).items():
                torch.testing.assert_close(getattr(other, name), values, rtol=1e-9, atol=1e-10)


class GaussianTarget:
    """N(mean, covariance) in three dimensions, one of them narrow."""

    mean = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    factor = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.5, 0.0], [-0.1, 0.02, 0.05]], dtype=torch.float64)

    def __call__(self, theta: Tensor) -> Tensor:
        # Row by row, in an order of its own: no batch rounds differently.
        first, second, third = (theta - self.mean).unbind(-1)
        (a, _, _), (b, c, _), (d, e, f) = self.factor.tolist()
        x = first / a
        y = (second - b * x) / c
        z = (third - d * x - e * y) / f
        return -(x * x + y * y + z * z) / 2

    def start(self, seed: int) -> Tensor:
        return self.mean + 2 * self.factor @ normal(3, seed=seed)


@pytest.fixture(scope="module")
def gaussian_chain() -> Chain:
    return sampled(GaussianTarget(), draws=600)


class TestNuts:
    def test_draws_a_correlated_gaussian(self, gaussian_chain):
        assert_moments(gaussian_chain.draws[None], GaussianTarget.mean, GaussianTarget.factor @ GaussianTarget.factor.T)

    def test_energies_are_half_a_chi_square_of_positions_and_momenta(self, gaussian_chain):
        energies = gaussian_chain.energy[None]
        assert_mean(energies, 3.0)
        assert_mean((energies - 3.0) ** 2, 3.0)

    def test_its_statistics_are_what_their_names_say(self, gaussian_chain):
        chain = gaussian_chain
        assert not chain.diverging.any()
        assert chain.acceptance.min() >= 0
        assert chain.acceptance.max() <= 1 + 1e-9
        assert chain.acceptance.mean() > 0.65
        assert chain.leapfrogs >= (2 ** (chain.tree_depth - 1)).sum()

    def test_a_higher_acceptance_is_bought_with_smaller_steps(self):
        rough, fine = (sampled(GaussianTarget(), draws=40, target_acceptance=target) for target in (0.5, 0.95))
        assert rough.step_size > fine.step_size
        assert rough.acceptance.mean() < fine.acceptance.mean()

    def test_trajectories_double_no_more_than_they_may(self):
        chain = sampled(GaussianTarget(), draws=50, max_tree_depth=2)
        assert set(chain.tree_depth) <= {1, 2}

    def test_a_wall_makes_trajectories_diverge(self):
        def wall(theta: Tensor) -> Tensor:
            return -theta.square().sum(1) / 2 - 1e8 * torch.relu(theta[:, 0] - 1).square()

        (chain,) = run_nuts(wall, torch.zeros(1, 2), seeds=[0], warmup=50, draws=200)
        assert chain.diverging.any()
        assert chain.draws[:, 0].max() < 1.01

    def test_a_seed_fixes_every_byte_and_leaves_the_global_stream_alone(self):
        state = torch.get_rng_state()
        once, again, other = (
            run_nuts(GaussianTarget(), GaussianTarget.mean[None], seeds=[s], warmup=20, draws=20)[0] for s in (5, 5, 6)
        )
        assert torch.equal(torch.get_rng_state(), state)
        for name, values in vars(once).items():
            assert np.array_equal(getattr(again, name), values)
        assert not np.array_equal(once.draws, other.draws)

    def test_chains_side_by_side_are_those_of_each_alone(self):
        """Byte by byte, for a density whose rows do not round differently in a batch."""
        target, seeds = GaussianTarget(), [3, 4, 5]
        starts = torch.stack([target.start(seed) for seed in seeds])
        together = run_nuts(target, starts, seeds=seeds, warmup=30, draws=30)
        for chain, start, seed in zip(together, starts, seeds, strict=True):
            (alone,) = run_nuts(target, start[None], seeds=[seed], warmup=30, draws=30)
            for name, values in vars(alone).items():
                assert np.array_equal(getattr(chain, name), values), name
        assert len({chain.leapfrogs for chain in together}) > 1, "chains of one length prove little"

    def test_chains_that_are_still_running_are_evaluated_together(self):
        sizes, target = [], GaussianTarget()

        def density(theta: Tensor) -> Tensor:
            sizes.append(len(theta))
            return target(theta)

        chains = run_nuts(
            density, torch.stack([target.start(seed) for seed in range(4)]), seeds=range(4), warmup=20, draws=20
        )
        # One evaluation at the start, and one a leapfrog step.
        spent = sorted(1 + chain.leapfrogs for chain in chains)
        assert sizes == sorted(sizes, reverse=True)
        assert (len(sizes), sum(sizes)) == (spent[-1], sum(spent))

    @pytest.mark.parametrize(
        "fault", [lambda force: force.roll(1, 0), Tensor.neg], ids=["of the neighbour", "reversed"]
    )
    def test_forces_of_an_impostor_are_seen(self, fault):
        """Steps along a wrong force are rejected unless they are short: energies are those of the density."""

        def pushed(theta: Tensor) -> Tensor:
            place = theta.clone()
            place.register_hook(fault)
            return GaussianTarget()(place)

        def step_size(density: Callable) -> float:
            starts = torch.stack([GaussianTarget().start(seed) for seed in range(3)])
            chains = run_nuts(density, starts, seeds=range(3), warmup=60, draws=5, max_tree_depth=6)
            return float(np.mean([chain.step_size for chain in chains]))

        assert step_size(pushed) < step_size(GaussianTarget()) / 3

    def test_what_a_density_raises_ends_all_chains(self):
        def broken(theta: Tensor) -> Tensor:
            raise ZeroDivisionError("a fault in the density")

        with pytest.raises(ZeroDivisionError, match="a fault in the density"):
            run_nuts(broken, torch.zeros(3, 2), seeds=range(3), warmup=1, draws=1)

    def test_each_chain_has_its_start(self):
        with pytest.raises(InferenceError, match=r"shape \(2, dim\)"):
            run_nuts(GaussianTarget(), torch.zeros(3, 3), seeds=[0, 1], warmup=1, draws=1)

    def test_scales_are_learned_from_draws_between_buffers(self):
        assert nuts._windows(300) == [75, 100, 150, 250]
        assert nuts._windows(60) == [9, 54]
        assert nuts._windows(19) == []
        positions = normal(500, 2).numpy() * [3.0, 0.1]
        np.testing.assert_allclose(nuts._scales(positions), [3.0, 0.1], rtol=0.1)
        narrow = run_nuts(
            lambda theta: -(theta / torch.tensor([1.0, 1e-3])).square().sum(1) / 2,
            torch.zeros(1, 2, dtype=torch.float64),
            seeds=[0],
            warmup=200,
            draws=20,
            max_tree_depth=7,
        )
        assert narrow[0].tree_depth.mean() < 4

    def test_a_start_without_density_is_refused(self):
        starts = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]])
        with pytest.raises(InferenceError, match="start of chain 1: expected a finite log density"):
            run_nuts(lambda theta: theta.log().sum(1), starts, seeds=[0, 1, 2], warmup=1, draws=1)

    @pytest.mark.parametrize("length", [{"warmup": 0, "draws": 5}, {"warmup": 5, "draws": 0}])
    def test_no_iterations_are_refused(self, length):
        with pytest.raises(InferenceError, match="integer >= 1"):
            run_nuts(GaussianTarget(), GaussianTarget.mean[None], seeds=[0], **length)


class TestWeighedPool:
    case = LinearCase()
    x_obs = case.offset + torch.tensor([[0.5, 0.2, -1.0], [-1.0, 0.3, 0.4]], dtype=torch.float64)

    points = (case.offset + normal(200_000, 3, seed=3) @ case.slope.T).numpy()

    def test_has_the_moments_of_the_linear_gaussian_posterior(self):
        pool = weigh_pool(self.points, self.x_obs.numpy(), NOISE)
        y, inner = self.case.posterior(self.x_obs)
        covariance = (self.case.slope @ inner @ self.case.slope.T).numpy()
        error = np.sqrt(np.diag(covariance) / pool.ess[:, None])
        expected = (self.case.offset + y @ self.case.slope.T).numpy()
        assert (np.abs(pool.mean() - expected) < 5 * error).all()
        assert (np.abs(pool.covariance() - covariance) < 8 * error[:, :, None] * np.sqrt(np.diag(covariance))).all()

    def test_its_effective_size_is_a_ratio_of_two_gaussian_integrals(self):
        single = LatentMixture.of([1.0], [[0.0] * 3], [[1.0] * 3])
        once, squared = (self.case.log_evidence(self.x_obs, single, s)[:, 0] for s in (NOISE, NOISE / math.sqrt(2)))
        fraction = torch.exp(2 * once - squared + 1.5 * math.log(4 * math.pi * NOISE**2))
        pool = weigh_pool(self.points, self.x_obs.numpy(), NOISE)
        np.testing.assert_allclose(pool.ess, len(self.points) * fraction.numpy(), rtol=0.05)

    def test_resampling_keeps_moments_and_follows_its_seed(self):
        pool = weigh_pool(self.points, self.x_obs.numpy(), NOISE)
        draws = pool.resample(4000, seed=1)
        error = np.sqrt(np.diagonal(pool.covariance(), axis1=1, axis2=2) / 4000)
        assert (np.abs(draws.mean(1) - pool.mean()) < 5 * error).all()
        assert np.array_equal(draws, pool.resample(4000, seed=1))
        assert not np.array_equal(draws, pool.resample(4000, seed=2))

    def test_weights_on_too_few_samples_are_refused(self):
        with pytest.raises(InferenceError, match="posterior of observation 1: expected an effective sample size"):
            weigh_pool(self.points, self.x_obs.numpy() + np.array([[0.0], [40.0]]), NOISE)
        with pytest.raises(InferenceError, match="larger pool"):
            weigh_pool(self.points[:200], self.x_obs.numpy(), NOISE / 10)

    @pytest.mark.parametrize(
        ("dimension", "x_obs", "noise_std", "message"),
        [
            (2, np.zeros((3, 5)), 1.0, r"\(n, 2\)"),
            (2, np.zeros(2), 1.0, "one row per observation"),
            (4, np.zeros((1, 4)), 1.0, "at most 3 dimensions"),
            (2, np.zeros((1, 2)), 0.0, "noise_std: expected a number > 0"),
            (2, np.zeros((1, 2)), math.nan, "noise_std: expected a number > 0"),
        ],
    )
    def test_observations_that_do_not_fit_are_refused(self, dimension, x_obs, noise_std, message):
        with pytest.raises(InflationaryFlowsError, match=message):
            weigh_pool(np.zeros((100, dimension)), x_obs, noise_std)


class TestSimplex:
    def test_coordinates_invert_and_zero_means_equal_weights(self):
        simplex, v = Simplex(4), normal(9, 3)
        torch.testing.assert_close(simplex.coordinates(simplex.weights(v)), v)
        torch.testing.assert_close(simplex.weights(torch.zeros(3)), torch.full((4,), 0.25))

    def test_its_prior_is_the_flat_dirichlet(self):
        simplex, v = Simplex(3), normal(2, seed=2)
        slope = torch.autograd.functional.jacobian(lambda v: simplex.weights(v)[:2], v)
        flat = Dirichlet(torch.ones(3, dtype=torch.float64)).log_prob(simplex.weights(v))
        torch.testing.assert_close(simplex.log_prior(v, simplex.weights(v)), flat + torch.linalg.slogdet(slope)[1])


class TestLatentMixture:
    def test_components_are_normal_densities(self):
        y = normal(8, 3)
        expected = Normal(TRIPLE.means, TRIPLE.stds).log_prob(y[:, None]).sum(-1)
        torch.testing.assert_close(TRIPLE.log_components(y), expected)

    def test_draws_have_the_moments_of_the_mixture(self):
        equal = replace(TRIPLE, weights=torch.full((3,), 1 / 3, dtype=torch.float64))
        y, component = equal.sample(40_000, seed=0)
        mean, variances = TRIPLE.moments()
        torch.testing.assert_close(y.mean(0), mean, atol=5 * float(variances.max()) ** 0.5 / 200, rtol=0)
        torch.testing.assert_close(y.var(0), variances, rtol=0.05, atol=0)
        shares = torch.bincount(TRIPLE.sample(40_000, seed=0)[1]) / 40_000
        torch.testing.assert_close(shares.double(), TRIPLE.weights, atol=0.012, rtol=0)
        away = ((y - equal.means[component]) / equal.stds[component]).square().mean(0)
        torch.testing.assert_close(away, torch.ones(3, dtype=torch.float64), atol=0.05, rtol=0)

    def test_observations_are_decoded_latents_with_noise(self):
        decoder = bent_decoder()
        made = observe(decoder, PAIR, 3000, NOISE, seed=4)
        torch.testing.assert_close(made.clean, decoder(made.y))
        noise = (made.x - made.clean) / NOISE
        np.testing.assert_allclose(np.cov(noise.T.numpy()), np.eye(2), atol=0.1)
        assert float(noise.mean(0).norm()) < 0.1

    def test_more_observations_begin_with_the_fewer(self):
        many, few = (observe(bent_decoder(), PAIR, n, NOISE, seed=4) for n in (50, 7))
        for name, values in vars(few).items():
            torch.testing.assert_close(getattr(many, name)[:7], values, rtol=1e-12, atol=1e-12)

    def test_other_weights_choose_other_components(self):
        made = observe(bent_decoder(), PAIR, 30, NOISE, seed=4, weights=np.array([0.0, 1.0]))
        assert set(made.component.tolist()) == {1}

    @pytest.mark.parametrize(
        ("mixture", "noise_std", "message"),
        [(TRIPLE, 1.0, "2 coordinates"), (PAIR, 0.0, "noise_std: expected a number > 0")],
    )
    def test_impossible_observations_are_refused(self, mixture, noise_std, message):
        with pytest.raises(InflationaryFlowsError, match=message):
            observe(bent_decoder(), mixture, 3, noise_std, seed=0)

    @pytest.mark.parametrize(
        ("weights", "stds", "message"),
        [
            ([0.5, 0.4], [[1.0], [1.0]], "add up to 1"),
            ([1.5, -0.5], [[1.0], [1.0]], "positive numbers"),
            ([0.5, 0.5], [[1.0], [0.0]], "numbers > 0"),
            ([0.5, 0.5], [[1.0, 1.0], [1.0, 1.0]], r"means \(K, D\)"),
            ([1.0], [[1.0], [1.0]], "every component a weight"),
        ],
    )
    def test_a_mixture_that_is_none_is_refused(self, weights, stds, message):
        with pytest.raises(InferenceError, match=message):
            LatentMixture.of(weights, [[0.0], [1.0]], stds)


def evidence_of(decoder: Decoder, mixture: LatentMixture, x_obs: Tensor, **options: Any) -> ComponentEvidence:
    mean, variances = mixture.moments()
    centres = fit_laplace(decoder, x_obs, NOISE, 1 / variances, mean)
    return estimate_evidence(decoder, mixture, x_obs, NOISE, centres, **{"particles": 1024, "seed": 0} | options)


class TestEvidence:
    def test_is_the_gaussian_marginal_likelihood(self, linear):
        x_obs = observe(linear.decoder, TRIPLE, 12, NOISE, seed=1).x
        found = evidence_of(linear.decoder, TRIPLE, x_obs, particles=8192)
        # Components far from an observation are integrated with fewer particles, and matter as little.
        expected = linear.log_evidence(x_obs, TRIPLE)
        shares = torch.softmax(expected, 1)
        assert float(((found.log_evidence - expected).abs() * shares.sqrt()).max()) < 0.05
        whole = [torch.logsumexp(values, 1) for values in (found.log_evidence, expected)]
        torch.testing.assert_close(*whole, atol=0.04, rtol=0)
        assert found.pareto_k.max() < 0.7

    def test_is_the_integral_on_a_grid_where_the_flow_bends(self):
        decoder = bent_decoder()
        x_obs = observe(decoder, PAIR, 6, NOISE, seed=1).x
        found = evidence_of(decoder, PAIR, x_obs, particles=4096).log_evidence
        torch.testing.assert_close(found, on_a_grid(decoder, PAIR, x_obs)[0], atol=0.1, rtol=0)

    @pytest.mark.parametrize(("shift", "mended"), [(1.0, True), (5.0, False)])
    def test_a_proposal_that_misses_is_mended_or_owned_up_to(self, shift, mended):
        decoder = bent_decoder()
        x_obs = observe(decoder, PAIR, 6, NOISE, seed=1).x
        centres = fit_laplace(decoder, x_obs, NOISE)
        mode = centres.mode.clone()
        mode[2] += shift
        astray = replace(centres, mode=mode, factor=centres.factor * 0.7)
        found = estimate_evidence(decoder, PAIR, x_obs, NOISE, astray, particles=1024, seed=0)
        assert found.particles[2] > 1024
        error = (found.log_evidence - on_a_grid(decoder, PAIR, x_obs)[0]).abs().amax(1)
        assert (error[[0, 1, 3, 4, 5]] < 0.1).all()
        assert bool(error[2] < 0.1) == mended
        assert bool(found.pareto_k[2] < MOST_PARETO_K) == mended

    def test_a_seed_fixes_every_byte_and_observations_do_not_know_of_each_other(self):
        decoder = bent_decoder()
        x_obs = observe(decoder, PAIR, 10, NOISE, seed=1).x
        whole = evidence_of(decoder, PAIR, x_obs)
        assert torch.equal(evidence_of(decoder, PAIR, x_obs).log_evidence, whole.log_evidence)
        for part in (evidence_of(decoder, PAIR, x_obs[:3]), evidence_of(bent_decoder(batch_size=99), PAIR, x_obs)):
            torch.testing.assert_close(part.log_evidence[:3], whole.log_evidence[:3], rtol=1e-8, atol=1e-8)
        assert not torch.allclose(evidence_of(decoder, PAIR, x_obs, seed=1).log_evidence, whole.log_evidence)

    def test_its_errors_are_those_between_seeds(self):
        decoder = bent_decoder()
        x_obs = observe(decoder, PAIR, 12, NOISE, seed=1).x
        found = [evidence_of(decoder, PAIR, x_obs, particles=64, rounds=1, seed=seed) for seed in range(60)]
        spread = torch.stack([each.log_evidence for each in found])
        predicted = torch.stack([each.covariance for each in found]).diagonal(dim1=2, dim2=3).mean()
        assert float(spread.var(0).mean() / predicted) == pytest.approx(1, abs=0.2)
        errors = torch.stack([share_error(each.log_evidence, each.covariance) for each in found])
        between = torch.softmax(spread, -1).var(0).sum(1).mean()
        assert float(between / errors.square().mean()) == pytest.approx(1, abs=0.3)

    def test_they_move_the_posterior_mean_as_far_as_is_said(self):
        """Noise on known evidence, and posterior means by quadrature."""
        log_evidence, noise = 2 * normal(30, 2), 0.3 * normal(200, 30, 2, seed=1)
        known = ComponentEvidence(log_evidence, 0.09 * torch.eye(2).double().expand(30, 2, 2), *np.ones((3, 30)))
        first = torch.linspace(0, 1, 1002, dtype=torch.float64)[1:-1]
        w = torch.stack([first, 1 - first], 1)

        def posterior(values: Tensor) -> Tensor:
            return torch.softmax((values.exp() @ w.T).log().sum(0), 0)

        means = [float(posterior(log_evidence + error) @ first) for error in noise]
        drawn = torch.multinomial(posterior(log_evidence), 20_000, True, generator=torch.Generator().manual_seed(0))
        np.testing.assert_allclose(monte_carlo_error(known, w[drawn].numpy()), np.std(means), rtol=0.15)

    def test_its_quality_counts_observations_that_are_not_known(self):
        found = ComponentEvidence(
            normal(4, 2),
            torch.eye(2).double().expand(4, 2, 2),
            ess_fraction=np.array([0.5, 0.6, 0.7, 0.1]),
            pareto_k=np.array([0.1, 0.2, np.inf, 0.8]),
            particles=np.full(4, 64),
        )
        (row,) = evidence_quality(found, np.random.default_rng(0).dirichlet([1, 1], 500))
        assert (row["n"], row["particles"], row["unreliable"], row["pareto_k_max"]) == (4, 64.0, 2, np.inf)
        assert row["pareto_k_q99"] == np.inf
        assert row["ess_fraction_median"] == pytest.approx(0.55)

    def test_a_handful_of_particles_is_refused(self):
        with pytest.raises(InferenceError, match="an integer >= 16"):
            evidence_of(bent_decoder(), PAIR, torch.zeros(1, 2), particles=15)


def dirichlet_moments(concentration: list[float]) -> tuple[np.ndarray, np.ndarray]:
    total = sum(concentration)
    mean = np.array(concentration) / total
    return mean, (np.diag(mean) - np.outer(mean, mean)) / (total + 1)


class TestCollapsedPosterior:
    @pytest.mark.parametrize(
        ("counts", "log_evidence"),
        [
            ([0, 0, 0], torch.empty(0, 3)),
            ([0, 0, 0], torch.full((20, 3), -7.0)),
            ([5, 0, 2], -1e4 * (1 - torch.eye(3)[[0] * 5 + [2] * 2])),
        ],
        ids=["no observations", "symmetrical observations", "observations of known components"],
    )
    def test_is_the_dirichlet_of_the_counts(self, counts, log_evidence):
        posterior = CollapsedPosterior(log_evidence.double())
        mean, covariance = dirichlet_moments([1.0 + count for count in counts])
        assert_moments(sampled_weights(posterior), mean, covariance)

    def test_is_a_sum_over_components_in_every_observation(self):
        log_evidence, v = normal(2, 5, 3) * 3 - 500, normal(2, 2, seed=1)
        posterior = CollapsedPosterior(log_evidence)

        def directly(v: Tensor) -> Tensor:
            w = Simplex(3).weights(v)
            likelihood = torch.logsumexp(log_evidence + w.log()[:, None], -1).sum()
            return Simplex(3).log_prior(v, w).sum() + likelihood

        difference = posterior(v.flatten()) - posterior(torch.zeros(4).double())
        torch.testing.assert_close(difference, directly(v) - directly(torch.zeros(2, 2).double()))

    def test_replicates_are_independent(self):
        log_evidence, v = normal(2, 5, 3), normal(2, 2, seed=1)
        both = CollapsedPosterior(log_evidence)
        assert both.size == 4
        each = [CollapsedPosterior(part)(row) for part, row in zip(log_evidence, v, strict=True)]
        torch.testing.assert_close(both(v.flatten()), sum(each))
        halves = [CollapsedPosterior(log_evidence[:1]).split_draws(row[None].numpy())[:, 0] for row in v]
        np.testing.assert_allclose(both.split_draws(v.flatten()[None].numpy())[0], np.concatenate(halves))

    def test_draws_agree_with_quadrature_over_the_weights(self):
        case = LinearCase(moving=False)
        two = LatentMixture.of([0.6, 0.4], TRIPLE.means[:2].tolist(), TRIPLE.stds[:2].tolist())
        x_obs = observe(case.decoder, two, 15, NOISE, seed=2).x
        posterior = CollapsedPosterior(evidence_of(case.decoder, two, x_obs, particles=4096).log_evidence)
        assert_moments(sampled_weights(posterior), *weights_on_a_line(case.log_evidence(x_obs, two))[:2])


class TestJointPosterior:
    decoder = bent_decoder(2)
    x_obs = torch.tensor([[-0.9, 0.3], [0.1, 1.1]], dtype=torch.float64)

    def posterior(self, coordinates: str, decoder: Decoder | None = None) -> JointPosterior:
        decoder = decoder or self.decoder
        mean, variances = PAIR.moments()
        laplace = fit_laplace(decoder, self.x_obs, NOISE, 1 / variances, mean)
        return JointPosterior(decoder, PAIR, self.x_obs, NOISE, laplace, coordinates)

    def test_in_latents_is_prior_times_likelihood(self):
        posterior, w, y = self.posterior("latent"), torch.tensor([0.2, 0.8]).double(), normal(2, 2)
        v = Simplex(2).coordinates(w)
        parts = Normal(PAIR.means, PAIR.stds).log_prob(y[:, None]).sum(-1).exp() @ w
        likelihood = Normal(self.decoder(y), NOISE).log_prob(self.x_obs).sum()
        expected = Simplex(2).log_prior(v, w) + parts.log().sum() + likelihood
        torch.testing.assert_close(posterior(posterior.at(w, y)), expected)

    def test_is_one_density_in_all_coordinates(self):
        """Up to the constant volume of the whitening, and the volume of the flow."""
        fine = bent_decoder(30)
        plain, other = self.posterior("latent", fine), self.posterior("data", fine)
        gaps = []
        for seed in range(3):
            w, y = torch.rand(1, generator=torch.Generator().manual_seed(seed)).double(), normal(2, 2, seed=seed)
            w = torch.cat([w, 1 - w])
            gap = other(other.at(w, y)) - plain(plain.at(w, y))
            gaps.append(float(gap + torch.linalg.slogdet(fine.jacobian(y)[1]).logabsdet.sum()))
        assert np.ptp(gaps) < 1e-4

    @pytest.mark.parametrize("coordinates", COORDINATES)
    def test_draws_split_into_what_they_were_made_of(self, coordinates):
        posterior, w, y = self.posterior(coordinates, bent_decoder(30)), torch.tensor([0.2, 0.8]).double(), normal(2, 2)
        theta = posterior.at(w, y)
        assert theta.shape == (posterior.size,) == (5,)
        weights, latents = posterior.split_draws(theta[None].numpy())
        np.testing.assert_allclose(weights[0], w)
        np.testing.assert_allclose(latents[0], y, atol=1e-5)

    @pytest.mark.parametrize("coordinates", COORDINATES)
    def test_draws_agree_with_integration_on_a_grid(self, coordinates):
        log_evidence, means = on_a_grid(self.decoder, PAIR, self.x_obs)
        mean, covariance, shares = weights_on_a_line(log_evidence)
        posterior = self.posterior(coordinates)
        # Latents as they are have scales of their own: the chain needs longer to learn them.
        chain = sampled(posterior, 400 if coordinates == "latent" else 200)
        weights, latents = posterior.split_draws(chain.draws)
        assert_moments(weights[None], mean, covariance)
        assert_mean(latents[None], torch.einsum("nk,nkd->nd", shares, means), precision=0.4)

    def test_forces_in_data_coordinates_are_limited_in_length(self):
        for coordinates in COORDINATES:
            posterior = self.posterior(coordinates)
            theta = posterior.start(0)
            theta[1:] += 50.0
            theta.requires_grad_()
            (force,) = torch.autograd.grad(posterior(theta), theta)
            lengths = force[1:].view(2, 2).norm(dim=1)
            limited = bool((lengths < joint._MOST_FORCE * (1 + 1e-9)).all())
            assert limited == (coordinates != "latent")

    def test_what_does_not_belong_together_is_refused(self):
        laplace = fit_laplace(self.decoder, self.x_obs, NOISE)
        with pytest.raises(InferenceError, match=r"shape \(n, 2\)"):
            JointPosterior(self.decoder, TRIPLE, self.x_obs, NOISE, laplace)
        with pytest.raises(InferenceError, match="1 observations"):
            JointPosterior(self.decoder, PAIR, self.x_obs[:1], NOISE, laplace)


def drawn_together(
    decoder: Decoder, mixture: LatentMixture, x_obs: Tensor, away: float = 0.0, **options: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and latents by particle Gibbs, shapes (chains, draws, ...), from proposals so far away."""
    laplace = fit_laplace(decoder, x_obs, NOISE)
    laplace = replace(laplace, mode=laplace.mode + away)
    settings = {"seeds": [1, 2], "warmup": 20, "draws": 400, "particles": 8, "renewed": 2} | options
    chains = run_particle_gibbs(decoder, mixture, x_obs, NOISE, laplace, **settings)
    return np.stack([chain.weights for chain in chains]), np.stack([chain.latents for chain in chains])


class TestParticleGibbs:
    decoder = bent_decoder(2)
    x_obs = torch.tensor([[-0.9, 0.3], [0.1, 1.1]], dtype=torch.float64)

    def errors(self, weights: np.ndarray, latents: np.ndarray) -> np.ndarray:
        """Means minus those of integration on a grid, in standard errors."""
        log_evidence, means = on_a_grid(self.decoder, PAIR, self.x_obs)
        mean, _, shares = weights_on_a_line(log_evidence)
        found = []
        for draws, expected in ((weights, mean), (latents, torch.einsum("nk,nkd->nd", shares, means))):
            error = draws.std((0, 1)) / np.sqrt(ess(draws, "mean"))
            found.append(np.ravel((draws.mean((0, 1)) - expected.numpy()) / error))
        return np.abs(np.concatenate(found))

    @pytest.mark.parametrize("options", [{"particles": 4, "draws": 800}, {}, {"particles": 64}], ids=["4", "8", "64"])
    def test_draws_agree_with_integration_on_a_grid_whatever_the_number_of_particles(self, options):
        log_evidence, means = on_a_grid(self.decoder, PAIR, self.x_obs)
        mean, covariance, shares = weights_on_a_line(log_evidence)
        weights, latents = drawn_together(self.decoder, PAIR, self.x_obs, **options)
        assert_moments(weights, mean, covariance)
        assert_mean(latents, torch.einsum("nk,nkd->nd", shares, means))

    def test_a_proposal_that_misses_costs_draws_and_not_exactness(self, monkeypatch):
        monkeypatch.setattr(particle_gibbs, "_ROUNDS", 0)
        near = drawn_together(self.decoder, PAIR, self.x_obs)
        astray = drawn_together(self.decoder, PAIR, self.x_obs, away=1.0, draws=1200)
        assert ess(astray[1]).min() / 3 < ess(near[1]).min() / 2
        assert self.errors(*astray).max() < 4.5

    def test_proposals_that_miss_are_fitted(self):
        near, fitted = (drawn_together(self.decoder, PAIR, self.x_obs, away=away)[1] for away in (0.0, 1.0))
        assert ess(fitted).min() > 0.5 * ess(near).min()

    @pytest.mark.parametrize("fault", ["latents are renewed as well", "proposals are taken for flat"])
    def test_an_impostor_is_seen(self, monkeypatch, fault):
        monkeypatch.setattr(particle_gibbs, "_ROUNDS", 0)
        renew, place = particle_gibbs._Populations._renew, particle_gibbs.place

        def forget(self: Any, count: int) -> None:
            self._chosen = torch.full_like(self._chosen, -1)
            renew(self, count)

        if fault == "latents are renewed as well":
            monkeypatch.setattr(particle_gibbs._Populations, "_renew", forget)
        else:
            monkeypatch.setattr(particle_gibbs, "place", lambda *given: (place(*given)[0], 0 * place(*given)[1]))
        assert self.errors(*drawn_together(self.decoder, PAIR, self.x_obs, away=1.0)).max() > 6

    def test_without_observations_weights_keep_their_prior(self):
        weights, latents = drawn_together(LinearCase(moving=False).decoder, TRIPLE, torch.empty(0, 3).double())
        assert latents.shape == (2, 400, 0, 3)
        assert_moments(weights, *dirichlet_moments([1.0] * 3))

    def test_statistics_count_latents_that_moved(self):
        laplace = fit_laplace(self.decoder, self.x_obs, NOISE)
        options = {"seeds": [1, 2, 3], "warmup": 5, "draws": 20, "particles": 4, "renewed": 1}
        for chain in run_particle_gibbs(self.decoder, PAIR, self.x_obs, NOISE, laplace, **options):
            changed = (np.diff(chain.latents, axis=0) != 0).any(2).mean(1)
            np.testing.assert_array_equal(chain.statistics["moved"][1:], changed)
            assert 0 < changed.mean() < 1

    def test_a_seed_fixes_every_byte(self):
        once, again, other = (
            drawn_together(self.decoder, PAIR, self.x_obs, seeds=seeds, draws=10) for seeds in ([1, 2], [1, 2], [3, 4])
        )
        for one, same, different in zip(once, again, other, strict=True):
            assert np.array_equal(one, same)
            assert not np.isclose(one, different).any()
            assert not np.isclose(one[0], one[1]).any()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"mixture": TRIPLE}, r"shape \(n, 2\)"),
            ({"x_obs": x_obs[:1]}, "1 observations"),
            ({"renewed": 64}, "from 1 to 63 particles"),
            ({"renewed": 0}, "from 1 to 63 particles"),
            ({"draws": 0}, "integer >= 1"),
            ({"warmup": 0}, "integer >= 1"),
            ({"noise_std": -1.0}, "a number > 0"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, change, message):
        given = {"mixture": PAIR, "x_obs": self.x_obs, "noise_std": NOISE} | change
        lengths = {name: given.pop(name) for name in ("renewed", "draws", "warmup") if name in given}
        laplace = fit_laplace(self.decoder, self.x_obs, NOISE)
        with pytest.raises(InflationaryFlowsError, match=message):
            run_particle_gibbs(
                self.decoder, **given, laplace=laplace, **{"seeds": [1, 2], "warmup": 2, "draws": 2} | lengths
            )


def test_joint_and_collapsed_draws_of_a_gaussian_flow_agree_with_quadrature():
    case = LinearCase(moving=False)
    two = LatentMixture.of([0.6, 0.4], TRIPLE.means[:2].tolist(), TRIPLE.stds[:2].tolist())
    x_obs = observe(case.decoder, two, 3, NOISE, seed=7).x
    mean, covariance, shares = weights_on_a_line(case.log_evidence(x_obs, two))
    latents = torch.stack(
        [case.posterior(x_obs, mu, 1 / s.square())[0] for mu, s in zip(two.means, two.stds, strict=True)], 1
    )
    weights, y = drawn_together(case.decoder, two, x_obs)
    assert_moments(weights, mean, covariance)
    assert_mean(y, torch.einsum("nk,nkd->nd", shares, latents))
    alone = CollapsedPosterior(evidence_of(case.decoder, two, x_obs, particles=4096).log_evidence)
    assert_moments(sampled_weights(alone), mean, covariance)


class TestWeightsCalibration:
    def ranked(self, replicates: range, draws: int = 300, assumed_std: float | None = None) -> WeightRanks:
        data, sampler = LinearCase(moving=False).decoder, LinearCase(moving=False).decoder
        return rank_weights(
            data,
            sampler,
            TRIPLE,
            replicates=replicates,
            observations=8,
            noise_std=NOISE,
            assumed_std=assumed_std,
            particles=64,
            warmup=draws // 3,
            draws=draws,
            ranks=19,
            seed=1,
        )

    def test_ranks_of_true_weights_are_uniform(self):
        found = self.ranked(range(50))
        assert found.draws == 19
        assert found.rhat.max() < 1.1
        # Uniform ranks may be those of another weight, or counted from above: the larger a weight, the higher its rank.
        assert np.corrcoef(found.ranks[:, 0], found.truth[:, 0])[0, 1] > 0.3
        for ranks in found.ranks.T:
            counts = np.bincount(ranks // 4, minlength=5)
            assert len(counts) == 5
            assert chisquare(counts).pvalue > 0.01

    def test_a_control_assumes_another_noise_of_the_same_data(self):
        own, same, other = (self.ranked(range(4), 40, assumed_std=std) for std in (None, NOISE, 4 * NOISE))
        np.testing.assert_array_equal(own.ranks, same.ranks)
        np.testing.assert_array_equal(own.truth, other.truth)
        assert (own.ranks != other.ranks).any()

    def test_a_replicate_has_its_own_seeds(self):
        np.testing.assert_array_equal(self.ranked(range(2, 4), 20).truth[1], self.ranked(range(3, 4), 20).truth[0])


def test_likelihoods_converge_at_the_order_of_the_solver():
    case = LinearCase()
    made = observe(case.decoder, TRIPLE, 20, NOISE, seed=0)
    steps = (8, 16, 32)
    rows = measure_convergence(case.flow, made, NOISE, solver="rk4", steps=steps, samples=10)
    assert [row["evaluations"] for row in rows] == [4 * n for n in steps]
    assert {row["n"] for row in rows} == {10}
    for quantity in ("generation_rmse", "log_likelihood_rmse"):
        assert -np.polyfit(np.log(steps), np.log([row[quantity] for row in rows]), 1)[0] > 3.65
