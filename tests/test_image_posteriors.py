"""Posteriors of images: chains of many observations at once, mixtures with exact posteriors, ranks, and scores."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from inflationary_flows.data.splits import Splits
from inflationary_flows.errors import InferenceError
from inflationary_flows.experiments.image_posteriors.measure import measure
from inflationary_flows.inference.batched_hmc import run_hmc
from inflationary_flows.inference.convergence import ess
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.pca_mixture import choose_mixture, fit_gaussian, fit_mixture
from inflationary_flows.inference.weighting import weigh_pool
from inflationary_flows.mathematics.denoisers import Denoiser, GaussianDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.gaussian_mixtures import GaussianMixture, MixturePosterior
from inflationary_flows.mathematics.schedules import Schedule, make_schedule
from inflationary_flows.metrics.posterior_draws import group_rows, rank_fractions, score_draws

SIGMA = 0.5
PAIR = GaussianMixture(
    means=torch.tensor([[1.0, 0.0], [-1.0, 0.5]]).double(),
    log_weights=torch.tensor([0.3, 0.7]).double().log(),
    covariances=torch.tensor([[[0.4, 0.1], [0.1, 0.3]], [[0.1, 0.0], [0.0, 0.6]]]).double(),
)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def posterior_of(prior: GaussianMixture, observed: np.ndarray, sigma: float = SIGMA) -> MixturePosterior:
    """Posteriors of points given noisy ones."""
    operator = torch.eye(observed.shape[1]).double()
    return prior.given(torch.from_numpy(observed), operator, sigma**2 * operator)


def correlated(dimension: int, seed: int = 0) -> np.ndarray:
    """A covariance matrix with variances from 0.02 to 2."""
    directions = np.linalg.qr(np.random.default_rng(seed).standard_normal((dimension, dimension)))[0]
    result: np.ndarray = (directions * np.geomspace(0.02, 2.0, dimension)) @ directions.T
    return result


def assert_moments(draws: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> None:
    """Draws, shape (chains, n, D), have a mean and variances as far as their effective sizes can tell."""
    for values, expected in ((draws, mean), (np.square(draws - mean), np.diag(covariance))):
        size = ess(values, "mean")
        assert size.min() > 100
        np.testing.assert_array_less(np.abs(values.mean((0, 1)) - expected), 4.5 * values.std((0, 1)) / np.sqrt(size))


class Bend(Denoiser):
    """A smooth denoiser that is no data set's."""

    def raw(self, y: Tensor, t: float | Tensor) -> Tensor:
        return 0.6 * torch.sin(1.5 * y.flip(-1))


def flow_of(dimension: int, denoiser: type[Any] = GaussianDenoiser) -> Flow:
    """A flow on Gaussian data; without a network of its own, it is exactly linear."""
    points = np.random.default_rng(5).multivariate_normal(np.arange(dimension), correlated(dimension), 4000)
    basis = Eigenbasis.fit(points)
    schedule: Schedule = make_schedule(basis.eigenvalues, signal_left=1e-2)
    return Flow(denoiser(schedule), basis, solver=SolverSettings("rk4", 8))


def prior_of(flow: Flow) -> GaussianMixture:
    """The Gaussian that a linear flow generates."""
    schedule, basis = flow.schedule, flow.basis
    columns = basis.from_eigen(torch.eye(flow.dimension).double()) - basis.from_eigen(torch.zeros(1, flow.dimension))
    variances = schedule.eigenvalues + schedule.gamma(schedule.t_min)
    mean = basis.from_eigen(torch.zeros(1, flow.dimension).double())
    return GaussianMixture(mean, torch.zeros(1).double(), ((columns.T * variances) @ columns)[None])


class TestBatchedHmc:
    SCALES = torch.tensor([[0.5, 1.0, 2.0], [1.0, 1.0, 0.3]]).double()
    CENTRES = torch.tensor([[0.0, 1.0, 0.0], [3.0, 0.0, -1.0]]).double()

    def run(self, groups: list[int], **options: Any) -> Any:
        scales, centres = self.SCALES[groups], self.CENTRES[groups]

        def log_density(position: Tensor, places: Tensor) -> Tensor:
            away = (position - centres[places][:, None]) / scales[places][:, None]
            return -away.square().sum(2) / 2

        given = {"warmup": 60, "draws": 150, "numbers": groups} | options
        return run_hmc(log_density, torch.zeros(len(groups), 4, 3), **given)

    def test_draws_have_the_moments_of_each_groups_gaussian(self):
        run = self.run([0, 1])
        assert run.draws.shape == (2, 4, 150, 3)
        assert run.divergences.sum() == 0
        for drawn, centre, scale in zip(run.draws.numpy(), self.CENTRES, self.SCALES, strict=True):
            assert_moments(drawn, centre.numpy(), np.diag(np.square(scale.numpy())))

    def test_smaller_steps_are_accepted_more_often_and_values_belong_to_draws(self):
        bold, careful = (self.run([0, 1], draws=40, target_acceptance=target) for target in (0.6, 0.95))
        assert (bold.step_size > careful.step_size).all()
        assert bold.acceptance.mean() < careful.acceptance.mean() - 0.02
        away = (bold.draws - self.CENTRES[:, None, None]) / self.SCALES[:, None, None]
        torch.testing.assert_close(bold.log_density, -away.square().sum(3) / 2)

    def test_a_group_is_the_same_alone_and_among_others(self):
        both, alone = (self.run(groups, draws=20) for groups in ([0, 1], [1]))
        torch.testing.assert_close(both.draws[1], alone.draws[0], rtol=1e-8, atol=1e-8)
        assert both.step_size[1] == pytest.approx(alone.step_size[0], rel=1e-8)
        other = self.run([1], draws=20, seed=1)
        assert not np.isclose(other.draws, alone.draws).any()

    def test_where_density_ends_trajectories_are_rejected(self):
        def half(position: Tensor, places: Tensor) -> Tensor:
            return torch.where(position[..., 0] > 0, -position.square().sum(2) / 2, -torch.inf)

        # Steps of any size cross the end: a target of .8 would shrink them for nothing.
        run = run_hmc(half, torch.ones(1, 4, 2), warmup=60, draws=400, target_acceptance=0.5)
        first = run.draws[..., 0]
        assert first.min() > 0
        assert float(first.mean()) == pytest.approx(np.sqrt(2 / np.pi), abs=0.15)
        assert run.divergences.sum() > 0

    def test_a_known_whitening_makes_one_step_size_of_all_scales(self):
        factors = torch.diag_embed(self.SCALES)
        white = self.run([0, 1], whitening=lambda position: factors, draws=60)
        plain = self.run([0, 1], draws=60)
        assert white.gradients < 0.8 * plain.gradients

    def test_groups_whose_steps_get_nowhere_are_given_up(self):
        def ridge(position: Tensor, places: Tensor) -> Tensor:
            narrow = torch.tensor([1.0, 1e-3])[places][:, None].double()
            # A bent ridge: no scale of coordinates makes it round.
            return -((position[..., 0] ** 2 + position[..., 1] ** 2).sqrt() - 1).div(narrow).square() / 2

        run = run_hmc(ridge, torch.ones(2, 4, 2) / 2**0.5, warmup=60, draws=20)
        assert run.gave_up.tolist() == [False, True]
        assert (run.draws[1, :, 0] == run.draws[1, :, -1]).all()

    def test_thinned_draws_are_those_of_longer_chains(self):
        thinned, whole = self.run([0], draws=10, thinning=3), self.run([0], draws=30)
        torch.testing.assert_close(thinned.draws, whole.draws[:, :, 2::3])

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"warmup": 0}, "an integer >= 1"),
            ({"numbers": [3]}, r"shape \(1, chains, dim\)"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, change, message):
        with pytest.raises(InferenceError, match=message):
            self.run([0, 1], **change)

    def test_a_start_outside_is_named(self):
        with pytest.raises(InferenceError, match="start of chain 1 of group 0"):
            run_hmc(lambda x, places: x.log().sum(2), torch.tensor([[[1.0], [-1.0]]]), warmup=1, draws=1)


def test_few_steps_are_inverted():
    decoder = Decoder(flow_of(2, Bend), solver="heun", steps=3)
    x = np.array([[0.5, 1.5], [-0.5, 0.0]])
    errors = [np.abs(decoder(y).numpy() - x).max() for y in (decoder.encode(x), decoder.invert(x))]
    assert errors[0] > 1e-4
    assert errors[1] < errors[0] / 100


class TestMixture:
    def test_density_is_that_of_its_gaussians(self):
        x = np.random.default_rng(0).standard_normal((5, 2))
        parts = [
            np.exp(w) * multivariate_normal(m, c).pdf(x)
            for w, m, c in zip(PAIR.log_weights.numpy(), PAIR.means.numpy(), PAIR.covariances.numpy(), strict=True)
        ]
        np.testing.assert_allclose(PAIR.log_density(torch.from_numpy(x)), np.log(sum(parts)))

    def test_posterior_is_prior_times_likelihood(self):
        observed, x = np.array([[0.2, 0.4], [1.5, -1.0]]), np.random.default_rng(1).standard_normal((40, 2))
        posterior, points = posterior_of(PAIR, observed), torch.from_numpy(x)
        for own, seen in zip(posterior.log_density(points.expand(2, -1, -1)).numpy(), observed, strict=True):
            evidence = own - PAIR.log_density(points).numpy() + np.square((x - seen) / SIGMA).sum(1) / 2
            np.testing.assert_allclose(evidence, evidence[0])
        np.testing.assert_allclose(posterior.log_weights.exp().sum(1), 1)

    def test_draws_are_those_of_the_posterior(self):
        observed = np.array([[0.2, 0.4], [1.5, -1.0]])
        pool = weigh_pool(PAIR.sample(100_000, generator(0)).numpy(), observed, SIGMA)
        drawn = posterior_of(PAIR, observed).sample(20_000, generator(1)).numpy()
        np.testing.assert_allclose(drawn.mean(1), pool.mean(), atol=0.02)
        np.testing.assert_allclose([np.cov(x.T) for x in drawn], pool.covariance(), atol=0.02)

    def test_one_component_is_the_gaussian_of_the_data(self):
        points = np.random.default_rng(2).multivariate_normal(np.zeros(4), correlated(4), 5000)
        one, whole = fit_mixture(points, 1, 2, 0), fit_gaussian(points)
        np.testing.assert_allclose(one.means, whole.means, atol=1e-3)
        densities = [mixture.log_density(torch.from_numpy(points)) for mixture in (one, whole)]
        np.testing.assert_allclose(*densities, atol=0.05)

    def test_the_mixture_of_the_data_is_found_and_chosen(self):
        points, held_out = np.split(PAIR.sample(3000, generator(3)).numpy(), 2)
        chosen, components, rank = choose_mixture(points, held_out, [1, 2], [2], 0)
        assert (components, rank) == (2, 2)
        laws = (PAIR, chosen, fit_gaussian(points))
        true, found, gaussian = (float(law.log_density(torch.from_numpy(held_out)).mean()) for law in laws)
        assert found > true - 0.02
        assert gaussian < true - 0.1

    def test_of_few_directions_the_others_have_one_variance(self):
        points = np.random.default_rng(4).standard_normal((2000, 5))
        points[:1000, 0] *= 6
        found = fit_mixture(points, 2, 1, 0)
        white = np.linalg.inv(np.linalg.cholesky(fit_gaussian(points).covariances[0].numpy()))
        for covariance in found.covariances:
            values = np.linalg.eigvalsh(white @ covariance.numpy() @ white.T)
            np.testing.assert_allclose(values[:4], values[0])


class TestRanks:
    def right(self, n: int = 100, q: int = 8) -> tuple[np.ndarray, np.ndarray]:
        """Draws and truths of correlated quantities with the same posterior."""
        random = np.random.default_rng(0)
        factor = np.linalg.cholesky(correlated(q))
        return random.standard_normal((n, 99, q)) @ factor.T, random.standard_normal((n, q)) @ factor.T

    def p_values(self, draws: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
        names = [str(place) for place in range(truth.shape[1])]
        rows = group_rows(rank_fractions(draws, truth), names, 10)
        assert sum(row["share"] for row in rows) == pytest.approx(1)
        return rows[0]

    def test_right_posteriors_pass_and_narrow_wide_or_shifted_ones_do_not(self):
        draws, truth = self.right()
        found = self.p_values(draws, truth)
        assert min(found[name] for name in ("p_value", "p_bias", "p_width", "p_worst")) > 0.01
        assert found["width"] == pytest.approx(1, abs=0.05)
        narrow, wide = self.p_values(0.8 * draws, truth), self.p_values(draws / 0.8, truth)
        assert max(narrow["p_width"], wide["p_width"], narrow["p_value"]) < 1e-3
        assert narrow["width"] > 1.1
        assert wide["width"] < 0.9
        shifted = self.p_values(draws + 0.4 * np.eye(8)[3] * draws[..., 3].std(), truth)
        assert shifted["p_bias"] < 1e-2
        assert shifted["worst"] == "3"

    def test_copies_of_a_pixel_are_no_further_evidence(self):
        draws, truth = self.right(q=1)
        once = self.p_values(0.9 * draws, truth)
        copied = self.p_values(0.9 * draws.repeat(50, 2), truth.repeat(50, 1))
        assert copied["p_value"] == pytest.approx(once["p_value"])
        assert copied["p_width"] == pytest.approx(once["p_width"])

    def test_scores_prefer_the_right_posterior(self):
        draws, truth = self.right(n=400)
        right = {name: values.mean() for name, values in score_draws(draws, truth, 1.0).items()}
        assert right["squared_error"] == pytest.approx(right["variance"], rel=0.1)
        for wrong in (0.5 * draws, 2 * draws, draws + 1):
            assert score_draws(wrong, truth, 1.0)["energy_score"].mean() > right["energy_score"]


class TestMeasurement:
    def measured(self, noise_factor: float = 1.0) -> dict[str, dict[tuple[str, str], Any]]:
        """Rows of both tables; the data are those of a linear flow, so that all but controls are right."""
        flow = flow_of(6)
        random = np.random.default_rng(3)
        mean = flow.basis.from_eigen(torch.zeros(1, 6).double()).numpy()[0]
        first_noise = float(flow.schedule.gamma(flow.schedule.t_min)[0])
        clean = prior_of(flow).covariances[0].numpy() - first_noise * np.eye(6)
        train, validation, test = (random.multivariate_normal(mean, clean, n) for n in (4000, 500, 40))
        splits = Splits(train, validation, test, *(np.zeros(n) for n in (4000, 500, 40)), scale=np.ones(6))
        found = measure(
            flow,
            splits=splits,
            images=40,
            noise_std=1.0,
            scores=2,
            narrowing=0.7,
            chains=4,
            warmup=40,
            draws=200,
            solver="heun",
            steps=1,
            gate={"rhat": 1.2, "ess": 20},
            components=[1, 2],
            ranks=[2],
            bins=5,
            seed=0,
            log=logging.getLogger(),
        )
        return {
            "ranks": {(row["prior"], row["statistic"]): row for row in found.tables["image_posteriors"]},
            "scores": {(row["prior"], row["metric"]): row for row in found.tables["image_posterior_scores"]},
        }

    def test_what_is_right_passes_and_narrow_draws_do_not(self):
        found = self.measured()
        ranks, scores = found["ranks"], found["scores"]
        for prior in ("learned", "gaussian", "exact"):
            for statistic in ("pixels", "scores", "distance", "density"):
                row = ranks[prior, statistic]
                assert min(row[p] for p in ("p_value", "p_bias", "p_width")) > 1e-3, (prior, statistic)
            error, variance = (scores[prior, metric]["value"] for metric in ("squared_error", "variance"))
            assert error == pytest.approx(variance, rel=0.15)
        for prior in ("learned_narrow", "exact_narrow"):
            assert ranks[prior, "pixels"]["p_width"] < 1e-3
        assert scores["learned", "converged"]["value"] > 0.8
        assert scores["learned", "energy_score"]["value"] == pytest.approx(
            scores["gaussian", "energy_score"]["value"], rel=0.02
        )
        assert ("learned", "log_density") not in scores
        assert ("learned_narrow", "density") not in ranks

    def test_posteriors_of_another_noise_are_rejected(self):
        prior = prior_of(flow_of(6))
        truth = prior.sample(300, generator(0)).numpy()
        observed = truth + SIGMA * np.random.default_rng(1).standard_normal(truth.shape)
        names = [str(place) for place in range(6)]
        found = {
            factor: group_rows(
                rank_fractions(posterior_of(prior, observed, factor * SIGMA).sample(200, generator(2)).numpy(), truth),
                names,
                10,
            )[0]
            for factor in (0.7, 1.0, 1.4)
        }
        assert found[1.0]["p_width"] > 0.01
        assert max(found[0.7]["p_width"], found[1.4]["p_width"]) < 1e-3
        assert found[0.7]["width"] > 1.1
        assert found[1.4]["width"] < 0.9
