"""Noise of one level, of one level a column, and with a covariance: one law wherever noise is taken."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from inflationary_flows.errors import DataError
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.infer import infer
from inflationary_flows.inference.laplace import fit_laplace
from inflationary_flows.inference.latent_mixture import add_noise
from inflationary_flows.inference.weighting import weigh_pool
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.noise import Noise, noise_of
from inflationary_flows.mathematics.points import standard_normal
from inflationary_flows.metrics.posterior_draws import score_draws
from inflationary_flows.metrics.scores import score_posteriors
from inflationary_flows.metrics.tarp import judged_replicates, judged_rows, posterior_masses
from inflationary_flows.seeding import derive_seed
from test_inference import LinearCase, assert_moments, normal

NAMES = ("alcohol", "ash", "hue")
STDS = np.array([0.9, 0.1, 0.4])
CORRELATED = np.diag(STDS) @ np.array([[1.0, 0.8, 0.0], [0.8, 1.0, -0.3], [0.0, -0.3, 1.0]]) @ np.diag(STDS)
FRAME = pd.DataFrame(CORRELATED, index=NAMES, columns=NAMES)
SHUFFLED = ["hue", "alcohol", "ash"]

COLUMNWISE: dict[str, Any] = {
    "an array": STDS,
    "a list": STDS.tolist(),
    "a tensor": torch.from_numpy(STDS),
    "names": dict(zip(SHUFFLED, STDS[[2, 0, 1]], strict=True)),
    "a series": pd.Series(STDS, NAMES)[SHUFFLED],
    "a series with more": pd.Series([*STDS, 7.0], [*NAMES, "label"])[["label", *SHUFFLED]],
    "a covariance": np.diag(STDS**2),
    "lists": np.diag(STDS**2).tolist(),
}


@pytest.mark.parametrize("given", COLUMNWISE.values(), ids=COLUMNWISE)
def test_deviations_of_columns_come_in_many_forms(given: Any) -> None:
    noise, residuals = noise_of(given, 3, columns=NAMES), normal(5, 3)
    torch.testing.assert_close(noise.covariance, torch.from_numpy(np.diag(STDS**2)))
    torch.testing.assert_close(noise.whiten(residuals), residuals / torch.from_numpy(STDS))
    np.testing.assert_allclose(noise.std, STDS)


@pytest.mark.parametrize("given", [0.3, [0.3] * 3, np.diag([0.09] * 3)], ids=["number", "row", "covariance"])
def test_equal_deviations_are_one_number_to_rounding(given: Any) -> None:
    noise, one, residuals = noise_of(given, 3), Noise(3, 0.3), normal(5, 3)
    for method in (Noise.whiten, Noise.scaled, Noise.log_likelihood):
        torch.testing.assert_close(method(noise, residuals), method(one, residuals), rtol=1e-14, atol=0)
    jacobian = normal(4, 3, 3)
    torch.testing.assert_close(noise.information(jacobian), one.information(jacobian), rtol=1e-13, atol=1e-13)
    case = LinearCase(moving=False)
    ball, expected = (case.flow.propagate([5.0, -2.0, 0.0], std, 40, 0) for std in (given, 0.3))
    np.testing.assert_allclose(ball.x, expected.x, rtol=1e-13)
    np.testing.assert_allclose(noise.std, 0.3, rtol=1e-15)


@pytest.mark.parametrize("sigma", [0.1, 1 / 3, 0.5, 2.7])
def test_one_number_gives_the_bits_of_plain_formulas(sigma: float) -> None:
    noise, residuals, jacobian = noise_of(sigma, 3), normal(50, 3), normal(6, 3, 3)
    assert torch.equal(noise.whiten(residuals), residuals / sigma)
    assert torch.equal(noise.scaled(residuals), sigma * residuals)
    square = (residuals / sigma).square().sum(-1)
    plain = -square / 2 - 3 * (math.log(2 * math.pi) / 2 + math.log(sigma))
    assert torch.equal(noise.log_likelihood(residuals), plain)
    assert torch.equal(noise.information(jacobian), jacobian.mT @ jacobian / sigma**2)
    ball = LinearCase(moving=False).flow.propagate([5.0, -2.0, 0.0], sigma, 40, 7)
    plain = torch.tensor([[5.0, -2.0, 0.0]]).double() + sigma * standard_normal(40, 3, derive_seed("ball", 7))
    assert np.array_equal(ball.x, plain.numpy())
    plain = sigma * standard_normal(50, 3, derive_seed("observation noise", 7))
    assert torch.equal(add_noise(residuals, sigma, 7), residuals + plain)


@pytest.mark.parametrize("given", [0.3, STDS, CORRELATED], ids=["number", "columns", "covariance"])
class TestLaw:
    def test_densities_are_those_of_a_multivariate_normal(self, given):
        noise, residuals = noise_of(given, 3), normal(4, 5, 3)
        law = MultivariateNormal(torch.zeros(3).double(), noise.covariance)
        torch.testing.assert_close(noise.log_likelihood(residuals), law.log_prob(residuals))
        jacobian = normal(4, 3, 2)
        expected = jacobian.mT @ torch.linalg.inv(noise.covariance) @ jacobian
        torch.testing.assert_close(noise.information(jacobian), expected)

    def test_scaling_undoes_whitening_of_arrays_and_tensors_of_any_shape(self, given):
        noise = noise_of(given, 3)
        for residuals in (normal(3), normal(4, 3), normal(2, 5, 3)):
            torch.testing.assert_close(noise.scaled(noise.whiten(residuals)), residuals)
            np.testing.assert_allclose(noise.whiten(residuals.numpy()[..., ::-1]), noise.whiten(residuals.flip(-1)))

    def test_samples_have_its_covariance_and_fewer_are_the_first(self, given):
        noise = noise_of(given, 3)
        drawn = noise.sample(40_000, 1)
        away = np.cov(drawn.T.numpy()) - noise.covariance.numpy()
        assert np.abs(away / np.outer(noise.std * np.ones(3), noise.std * np.ones(3))).max() < 5 * math.sqrt(2 / 40_000)
        assert torch.equal(noise.sample(7, 1), drawn[:7])

    def test_wider_noise_is_as_many_times_as_wide(self, given):
        noise = noise_of(given, 3)
        torch.testing.assert_close(noise.times(3.0).covariance, 9 * noise.covariance)


def test_a_data_frame_of_a_covariance_is_read_by_name() -> None:
    shuffled = FRAME.loc[["ash", "hue", "alcohol"], SHUFFLED]
    torch.testing.assert_close(noise_of(shuffled, 3, columns=NAMES).covariance, torch.from_numpy(CORRELATED))


def test_it_says_what_it_is() -> None:
    assert noise_of(0.1, 3).describe() == "standard deviation 0.1 in each of 3 columns"
    assert noise_of(STDS, 3).describe(NAMES) == "standard deviations alcohol 0.9, ash 0.1, hue 0.4"
    assert noise_of(CORRELATED, 3).describe().startswith("a covariance with standard deviations column 0 0.9, column 1")


# ---------------------------------------------------------------------------------------------
# Posteriors of a Gaussian flow, in closed form

CASE = LinearCase(moving=False)
SEEN = CASE.offset + normal(2, 3)
KINDS = pytest.mark.parametrize("given", [STDS, CORRELATED], ids=["columns", "covariance"])


def exact_posterior(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Means, shape (2, 3), and covariance of the clean points, from the joint Gaussian of points and observations."""
    prior = CASE.slope @ CASE.slope.T
    gain = prior @ torch.linalg.inv(prior + covariance)
    return CASE.offset + (SEEN - CASE.offset) @ gain.T, prior - gain @ prior


def impostor(given: Any) -> float:
    """One level of the same mean variance."""
    return float(noise_of(given, 3).covariance.trace() / 3) ** 0.5


@KINDS
class TestPosteriors:
    def test_laplace_is_exact(self, given):
        mean, covariance = exact_posterior(noise_of(given, 3).covariance)
        found = fit_laplace(CASE.decoder, SEEN, given)
        torch.testing.assert_close(found.centre, mean, atol=1e-4, rtol=0)
        clean = found.data_factor @ found.data_factor.mT
        torch.testing.assert_close(clean, covariance.expand(2, 3, 3), atol=1e-4, rtol=0)
        one = fit_laplace(CASE.decoder, SEEN, impostor(given))
        assert float((one.centre - mean).abs().max()) > 0.1

    def test_draws_have_theirs_and_those_of_one_level_do_not(self, given):
        mean, covariance = exact_posterior(noise_of(given, 3).covariance)
        drawn = infer(CASE.flow, SEEN.numpy(), noise_std=given, draws=400)
        wrong = infer(CASE.flow, SEEN.numpy(), noise_std=impostor(given), draws=400)
        for row in range(2):
            assert_moments(drawn.x[row], mean[row], covariance)
            with pytest.raises(AssertionError, match="not strictly ordered"):
                assert_moments(wrong.x[row], mean[row], covariance)
        # The density of draws is that of their posterior, up to a constant.
        law = MultivariateNormal(mean[0], covariance)
        difference = law.log_prob(torch.from_numpy(drawn.x[0, 0])).numpy() - drawn.log_density[0, 0]
        assert np.ptp(difference) < 1e-2

    def test_a_weighed_pool_has_them_and_one_of_one_level_does_not(self, given):
        mean, covariance = exact_posterior(noise_of(given, 3).covariance)
        points = (CASE.offset + normal(200_000, 3, seed=3) @ CASE.slope.T).numpy()

        def far(pool_noise: Any) -> float:
            """Largest error of a mean, in standard errors."""
            pool = weigh_pool(points, SEEN.numpy(), pool_noise)
            error = np.sqrt(np.diag(covariance) / pool.ess[:, None])
            return float((np.abs(pool.mean() - mean.numpy()) / error).max())

        assert far(given) < 5
        assert far(impostor(given)) > 20

    def test_a_ball_has_its_covariance(self, given):
        centre = CASE.offset.numpy()
        ball = CASE.flow.propagate(centre, given, 20_000, 0)
        expected = noise_of(given, 3).covariance.numpy()
        scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
        assert (np.abs(np.cov(ball.x.T) - expected) < 5 * math.sqrt(2 / 20_000) * scale).all()


@pytest.fixture(scope="module")
def named() -> Flow:
    flow = CASE.flow
    return Flow(flow.denoiser, flow.basis, solver=flow.solver, columns=NAMES)


def test_a_flow_with_names_takes_noise_by_name(named: Flow) -> None:
    x, by_name = SEEN[0].numpy(), dict(zip(SHUFFLED, STDS[[2, 0, 1]], strict=True))
    calls: list[Callable[[Any], Any]] = [
        lambda noise: named.propagate(x, noise, 20, 0).z,
        lambda noise: infer(named, x, noise_std=noise, draws=5).x,
        lambda noise: fit_laplace(Decoder(named), SEEN, noise).mode,
    ]
    for call in calls:
        np.testing.assert_array_equal(call(by_name), call(STDS))
        np.testing.assert_array_equal(call(pd.Series(by_name)), call(STDS))


@KINDS
def test_calibration_is_seen_under_noise_of_any_kind_and_one_level_is_rejected(given: Any) -> None:
    truth, exact, pool = (normal(n, 3, seed=seed).numpy() for seed, n in enumerate((400, 1000, 4_000)))
    replicates = judged_replicates(truth, exact, given, 5, 0)
    unit = math.sqrt(exact.var(0).mean())
    torch.testing.assert_close(replicates.noise.covariance, unit**2 * noise_of(given, 3).covariance)
    wrong = replace(replicates, noise=Noise(3, unit * impostor(given)))
    levels = [0.25, 0.5, 0.75]
    right_p, wrong_p = (judged_rows(posterior_masses(pool, r, 0), levels)[0]["p_value"] for r in (replicates, wrong))
    assert right_p > 0.01
    assert wrong_p < 1e-6
    scores = [score_posteriors(pool, r, 0.2, 0).log_density.mean() for r in (replicates, wrong)]
    assert scores[0] > scores[1] + 0.1


@KINDS
def test_scores_do_not_depend_on_coordinates(given: Any) -> None:
    draws, truth, noise = normal(4, 20, 3).numpy(), normal(4, 3, seed=9).numpy(), noise_of(given, 3)
    white = score_draws(noise.whiten(draws), noise.whiten(truth), 1.0)
    for name, values in score_draws(draws, truth, given).items():
        np.testing.assert_allclose(values, white[name], rtol=1e-10)


# ---------------------------------------------------------------------------------------------
# What is no noise

WRONG: dict[str, tuple[Any, str]] = {
    "zero": (0, "got 0"),
    "below zero": (-0.1, "got -0.1"),
    "NaN": (math.nan, "got nan"),
    "infinity": (math.inf, "got inf"),
    "beyond squares": (1e200, r"got 1e\+200"),
    "a word": ("small", "got 'small'"),
    "nothing": (None, "got None"),
    "truth": (True, "got True"),
    "complex": (1j, "got 1j"),
    "two of three": ([0.1, 0.2], "got 2 numbers"),
    "a row of zero": ([0.1, 0.0, 0.3], "got 0 for 'ash'"),
    "a row with NaN": ([0.1, math.nan, 0.3], "got NaN or infinity"),
    "a row of text": (["a", "b", "c"], "got something of type str"),
    "ragged": ([[1.0, 0.0], [1.0]], "cannot be read"),
    "a name too few": ({"alcohol": 0.1, "ash": 0.2}, "got none for 'hue'"),
    "a name too many": ({**dict.fromkeys(NAMES, 0.1), "hu": 0.2}, "got one for 'hu', which is no column"),
    "zero by name": ({**dict.fromkeys(NAMES, 0.1), "hue": 0}, "got 0 for 'hue'"),
    "a series of others": (pd.Series([0.1] * 3, ["alcohol", "ash", "colour"]), "'hue' is not there"),
    "a row of a table": (np.full((1, 3), 0.1), r"got shape \(1, 3\)"),
    "two covariances": (np.stack([CORRELATED] * 2), r"got shape \(2, 3, 3\)"),
    "a small covariance": (np.eye(2), r"got shape \(2, 2\)"),
    "asymmetric": (CORRELATED + np.triu(np.ones((3, 3)), 2), "got 1 in row 0 of column 2, 0 in row 2 of column 0"),
    "no variance": (np.diag([1.0, 0.0, 1.0]), "got a variance of 0 for 'ash'"),
    "correlated too much": (np.ones((3, 3)) + np.diag([0, 0, 1.0]), "not positive definite: its correlations have"),
    "indefinite": (np.array([[1.0, 2, 0], [2, 1, 0], [0, 0, 1]]), "have the eigenvalue -1"),
    "a frame without names of rows": (FRAME.reset_index(drop=True), "rows are not called as its columns"),
    "a masked row": (np.ma.array(STDS, mask=[0, 1, 0]), "masked"),
    "noise of other points": (Noise(2, 0.1), "got standard deviation 0.1 in each of 2 columns"),
}


@pytest.mark.parametrize(("given", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_noise_is_one_message(named: Flow, given: Any, message: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: named.propagate(SEEN[0].numpy(), given, 20, 0),
        lambda: fit_laplace(Decoder(named), SEEN, given) if given is None else infer(named, SEEN, noise_std=given),
    ]
    # No noise carries given samples.
    for call in calls[given is None :]:
        with pytest.raises(DataError, match=r"^noise_std: expected .*, got .*\nHint: ") as caught:
            call()
        assert len(str(caught.value).splitlines()) == 2
    with pytest.raises(DataError, match=message):
        noise_of(given, 3, columns=NAMES)


def test_points_without_names_take_no_noise_by_name() -> None:
    with pytest.raises(DataError, match=r"got numbers by name\.\nHint: the columns have no names here"):
        CASE.flow.propagate(SEEN[0].numpy(), {"a": 0.1, "b": 0.1, "c": 0.1}, 20, 0)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_units_of_columns_decide_nothing(scale: float) -> None:
    units = np.diag([scale, 1.0, 1 / scale])
    noise = noise_of(units @ CORRELATED @ units, 3)
    np.testing.assert_allclose(noise.whiten(normal(5, 3).numpy() @ units), noise_of(CORRELATED, 3).whiten(normal(5, 3)))
    with pytest.raises(DataError, match="not positive definite"):
        noise_of(units @ np.ones((3, 3)) @ units, 3)
