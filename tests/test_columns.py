"""Positive, bounded and whole columns: densities against closed forms and sums, round trips, recognition, messages."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
import yaml

from inflationary_flows.__main__ import main
from inflationary_flows.artifacts.bases import basis_fingerprint, load_basis, save_basis
from inflationary_flows.config import dataset_settings, load_config
from inflationary_flows.data.preparation import make_splits
from inflationary_flows.data.splits import load_splits
from inflationary_flows.errors import ConfigError, DataError
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.infer import infer
from inflationary_flows.mathematics.columns import ColumnTransforms, column_scale, make_transforms
from inflationary_flows.mathematics.denoisers import GaussianDenoiser, NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, basis_from, basis_tensors
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.metrics.density import gaussian_log_density
from inflationary_flows.metrics.two_sample import standardise
from inflationary_flows.networks.build import build_network
from inflationary_flows.training.examples import make_examples, whitened_data
from inflationary_flows.training.flow_content import flow_content, flow_from
from inflationary_flows.training.settings import TrainingSettings

RNG = np.random.default_rng(0)
N = 400
NETWORK = {"kind": "mlp", "width": 16, "blocks": 1, "frequencies": 0, "space": "eigen"}
# Columns of one kind each, and how they are said.
PRICE = np.exp(RNG.normal(0.5, 0.6, N))
SHARE = 1 / (1 + np.exp(-RNG.normal(0.3, 1.2, N)))
COUNT = np.round(RNG.normal(3, 1.5, N))
SOLD = (RNG.random(N) < 0.3).astype(float)
VISITS = 1 + RNG.poisson(3, N).astype(float)
TABLES = {
    "positive, bounded": (np.stack([PRICE, SHARE], 1), {"positive": ["a"], "bounded": {"b": [0, 1]}}),
    "positive, real": (np.stack([PRICE, PRICE + RNG.normal(size=N)], 1), {"positive": ["a"]}),
    "whole, positive": (np.stack([COUNT, PRICE + 0.1 * np.abs(COUNT)], 1), {"positive": ["b"], "integer": ["a"]}),
    "whole, two values": (np.stack([COUNT, SOLD], 1), {"bounded": {"b": [0, 1]}, "integer": ["a", "b"]}),
    "counts, from zero": (np.stack([VISITS, COUNT - COUNT.min()], 1), {
        "positive": ["a"], "bounded": {"b": [0, None]}, "integer": ["a", "b"]
    }),
}  # fmt: skip


def basis_of(x: np.ndarray, kinds: dict) -> Eigenbasis:
    transforms = make_transforms(x, ["a", "b"], **kinds)
    return Eigenbasis.fit(x, column_scale(x, transforms), transforms)


def random_flow(x: np.ndarray, kinds: dict, scale: float = 0.4) -> Flow:
    """A flow of a network whose weights nobody trained, so that its density is no closed form."""
    basis = basis_of(x, kinds)
    schedule = make_schedule(basis.eigenvalues, signal_left=1e-2)
    network = build_network(NETWORK, 2, seed=3)
    generator = torch.Generator().manual_seed(1)
    for weights in network.parameters():
        weights.data += 0.3 * torch.randn(weights.shape, generator=generator)
    network.scale_output(scale)
    denoiser = NetworkDenoiser(schedule, network.eval().requires_grad_(False), basis, "eigen")
    return Flow(denoiser, basis, solver=SolverSettings("rk4", 12), columns=["a", "b"])


def gaussian_flow(x: np.ndarray, kinds: dict) -> Flow:
    basis = basis_of(x, kinds)
    schedule = make_schedule(basis.eigenvalues, signal_left=1e-2)
    return Flow(GaussianDenoiser(schedule), basis, columns=["a", "b"])


def grid_of(values: np.ndarray, kind) -> tuple[np.ndarray, float | np.ndarray]:
    """Points that tile a column's support far beyond its values, and the width of each."""
    low, high = kind.edges
    if kind.integer:
        points = np.arange(max(low + 0.5, values.min() - 5), min(high - 0.5, values.max() + 20) + 1)
        return points, np.ones(len(points))
    # By equal steps of the unbounded coordinate, whose slope the widths hold.
    r = np.linspace(-11, 11, 45)
    if low == -math.inf:
        return values.mean() + values.std() * r / 1.4, np.full(len(r), (r[1] - r[0]) * values.std() / 1.4)
    x = low + (np.exp(r / 1.8) if high == math.inf else (high - low) / (1 + np.exp(-r)))
    slope = (x - low) / 1.8 if high == math.inf else (x - low) * (high - x) / (high - low)
    return x, slope * (r[1] - r[0])


def total_of(flow: Flow, x: np.ndarray, log_prob=None) -> float:
    """The integral over real columns of the sum over whole ones of the density."""
    (first, wide), (second, tall) = (grid_of(x[:, i], kind) for i, kind in enumerate(flow.basis.transforms.kinds))
    points = np.stack(np.meshgrid(first, second, indexing="ij"), -1).reshape(-1, 2)
    density = np.exp((log_prob or flow.log_prob)(points)).reshape(len(first), len(second))
    return float(wide @ density @ tall)


@pytest.mark.parametrize("name", TABLES)
def test_density_of_any_flow_adds_up_to_one(name):
    x, kinds = TABLES[name]
    assert total_of(random_flow(x, kinds), x) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("name", ["positive, bounded", "whole, positive"])
def test_without_the_change_of_variables_it_does_not(name):
    x, kinds = TABLES[name]
    flow = random_flow(x, kinds)
    transforms = flow.basis.transforms

    def log_prob(points):
        slope = transforms.over_cells(*[transforms.log_slope(transforms.cells(torch.from_numpy(points)))] * 2)[0]
        return flow.log_prob(points) - slope.numpy()

    assert abs(total_of(flow, x, log_prob) - 1) > 0.1


def covariance_of(flow: Flow) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of transformed columns, with the noise of the first kernel."""
    basis, schedule = flow.basis, flow.schedule
    variances = basis.eigenvalues + schedule.gamma(schedule.t_min)
    root = basis.scale[:, None] * basis.vectors * variances.sqrt()
    return basis.mean.numpy(), (root @ root.T).numpy()


def r_of(x: np.ndarray) -> np.ndarray:
    return np.stack([np.log(x[:, 0]), scipy.special.logit(x[:, 1])], 1)


def test_density_of_a_gaussian_flow_is_that_of_log_and_logit_normal_numbers():
    x, kinds = TABLES["positive, bounded"]
    flow = gaussian_flow(x, kinds)
    mean, covariance = covariance_of(flow)
    a, b = x[:50].T
    r = r_of(x[:50])
    truth = scipy.stats.multivariate_normal(mean, covariance).logpdf(r) - np.log(a) - np.log(b) - np.log1p(-b)
    np.testing.assert_allclose(flow.log_prob(x[:50]), truth, rtol=1e-9)
    np.testing.assert_allclose(gaussian_log_density(flow, x[:50]), truth, rtol=1e-9)
    plain = scipy.stats.multivariate_normal(mean, np.cov(r_of(x).T))
    without_noise = plain.logpdf(r) - np.log(a) - np.log(b) - np.log1p(-b)
    np.testing.assert_allclose(gaussian_log_density(flow, x[:50], noised=False), without_noise, rtol=1e-9)


def test_probability_of_whole_numbers_is_the_mass_of_their_cells():
    """In each column alone, as the two are nearly independent: the rectangle's mass by the distribution function."""
    x = np.stack([COUNT, RNG.permutation(VISITS)], 1)
    flow = gaussian_flow(x, {"positive": ["b"], "integer": ["a", "b"]})
    law = scipy.stats.multivariate_normal(*covariance_of(flow))
    a, b = x[:50].T
    low = np.stack([a - 0.5, np.log(np.maximum(b - 1, 1e-300))], 1)
    high = np.stack([a + 0.5, np.log(b)], 1)
    truth = [law.cdf(top, lower_limit=bottom) for bottom, top in zip(low, high, strict=True)]
    np.testing.assert_allclose(np.exp(flow.log_prob(x[:50])), truth, rtol=0.05, atol=2e-4)
    assert abs(np.mean(flow.log_prob(x[:50]) - np.log(truth))) < 0.01


def test_error_of_an_estimate_covers_the_exact_probability():
    x, kinds = TABLES["whole, positive"]
    flow = random_flow(x, kinds)
    value, error = flow.log_prob(x[:40], exact=False, probes=8, return_error=True)
    score = (value - flow.log_prob(x[:40])) / error
    assert 0.5 < np.sqrt(np.mean(score**2)) < 1.7


@pytest.mark.parametrize("name", TABLES)
def test_rows_come_back_and_new_ones_lie_in_the_support(name):
    x, kinds = TABLES[name]
    flow = random_flow(x, kinds)
    back = flow.round_trip(x, steps=60)
    integers = flow.basis.transforms.integers
    np.testing.assert_array_equal(back[:, integers], x[:, integers])
    np.testing.assert_allclose(back, x, rtol=1e-3)
    far = torch.cat([flow.sample_latents(2_000, 0), 8 * flow.sample_latents(200, 1)])
    new = flow.generate(far)
    flow.basis.transforms.check(new)
    assert torch.isfinite(flow.log_prob(new[:200])).all()
    copied = flow.noised_data(x, 0)
    flow.basis.transforms.check(torch.from_numpy(copied), whole=False)
    np.testing.assert_allclose(flow.noised_data(x[:7], 0), copied[:7])


def test_coordinates_return_within_rounding_and_never_leave_the_support():
    x, kinds = TABLES["positive, bounded"]
    transforms = make_transforms(x, ["a", "b"], **kinds)
    points = torch.from_numpy(x).requires_grad_()
    r = transforms.forward(points)
    torch.testing.assert_close(transforms.inverse(r), points, rtol=1e-12, atol=0)
    (slope,) = torch.autograd.grad(r.sum(), points)
    torch.testing.assert_close(slope.log(), transforms.log_slopes(points), rtol=1e-9, atol=1e-9)
    extreme = transforms.inverse(torch.tensor([[-800.0, -800.0], [500.0, 800.0]]))
    for numbers in (extreme, transforms.rounded(extreme).float()):
        assert (numbers > 0).all()
        assert (numbers[:, 1] < 1).all()
    fine = 1e6 + torch.tensor([[1e-3], [0.5], [1 - 1e-3]], dtype=torch.float64)
    coarse = make_transforms(fine.numpy(), ["x"], bounded={"x": [1e6, 1e6 + 1]})
    assert torch.equal(coarse.rounded(fine), fine)


def test_basis_is_of_transformed_columns_and_measures_in_them():
    x, kinds = TABLES["positive, bounded"]
    basis = basis_of(x, kinds)
    r = r_of(x)
    np.testing.assert_allclose(basis.mean, r.mean(0))
    np.testing.assert_allclose(basis.scale, r.std(0, ddof=1))
    np.testing.assert_allclose(standardise(x, basis), (r - r.mean(0)) / r.std(0, ddof=1), atol=1e-12)


def test_no_transforms_change_no_bit():
    x = RNG.normal(size=(50, 2))
    transforms = make_transforms(x, ["a", "b"])
    assert transforms == ColumnTransforms()
    assert not transforms
    assert transforms.as_dict(["a", "b"]) == {}
    basis = Eigenbasis.fit(x, column_scale(x, transforms), transforms)
    plain = Eigenbasis.fit(x, x.std(axis=0, ddof=1))
    assert basis_tensors(basis).keys() == {"mean", "scale", "vectors", "eigenvalues"}
    assert all(torch.equal(value, basis_tensors(plain)[name]) for name, value in basis_tensors(basis).items())
    points = torch.from_numpy(x)
    assert torch.equal(basis.to_eigen(points), ((points - basis.mean) / basis.scale) @ basis.vectors)
    assert torch.equal(basis.from_eigen(points), (points @ basis.vectors.T) * basis.scale + basis.mean)
    assert transforms.dequantised(x) is x


@pytest.mark.parametrize("name", TABLES)
def test_a_flow_that_was_kept_is_the_same_flow(name):
    x, kinds = TABLES[name]
    flow = random_flow(x, kinds)
    names = ["a", "b"]
    tensors, metadata = flow_content(flow, {"schedule": {"signal_left": 1e-2}, "network": NETWORK})
    arrays = {key: value.numpy() for key, value in tensors.items()}
    assert all(np.isfinite(array).all() for array in arrays.values())
    again = flow_from(arrays, metadata)
    assert again.basis.transforms == flow.basis.transforms
    np.testing.assert_array_equal(again.sample(20, seed=0), flow.sample(20, seed=0))
    said = flow.basis.transforms.as_dict(names)
    assert ColumnTransforms.from_dict(names, said) == flow.basis.transforms
    arrays["eigenbasis.transforms"] = arrays["eigenbasis.transforms"][:1]
    with pytest.raises(TypeError):
        basis_from(arrays, "eigenbasis.")


def test_rows_with_whole_numbers_are_trained_on_with_new_noise_each_time():
    x, kinds = TABLES["whole, two values"]
    basis = basis_of(x, kinds)
    schedule = make_schedule(basis.eigenvalues, signal_left=1e-2)
    examples = make_examples(x, basis, schedule, TrainingSettings(), None, "cpu")
    rows, generator = torch.arange(len(x)), torch.Generator().manual_seed(0)
    first, second = (examples.draw(rows, generator)[0] for _ in range(2))
    assert not torch.equal(first, second)
    for w in (first, second, whitened_data(x, basis, schedule)):
        points = basis.from_eigen(w.double() * schedule.eigenvalues.sqrt())
        np.testing.assert_array_equal(basis.transforms.rounded(points), x)
    np.testing.assert_array_equal(whitened_data(x, basis, schedule), whitened_data(x, basis, schedule))


def test_decoder_has_the_derivatives_of_transformed_columns():
    x, kinds = TABLES["positive, bounded"]
    decoder = Decoder(random_flow(x, kinds).double(), solver="rk4", steps=12)
    points = torch.from_numpy(x[:5]).requires_grad_()
    _, jacobian = decoder.encode_with_jacobian(points)
    step = 1e-6
    for column in range(2):
        shift = step * torch.eye(2)[column]
        slope = (decoder.encode(points.detach() + shift) - decoder.encode(points.detach() - shift)) / (2 * step)
        torch.testing.assert_close(jacobian[:, :, column].detach(), slope, rtol=1e-5, atol=1e-5)
    (gradient,) = torch.autograd.grad(torch.linalg.slogdet(jacobian)[1].sum(), points)
    moved = [
        torch.linalg.slogdet(decoder.encode_with_jacobian(points.detach() + sign * 1e-4)[1])[1] for sign in (1, -1)
    ]
    torch.testing.assert_close(gradient.sum(1), (moved[0] - moved[1]) / 2e-4, rtol=1e-4, atol=1e-4)
    with pytest.raises(DataError, match="column a, row 0: expected a number > 0"):
        decoder.encode(-points.detach())
    with pytest.raises(DataError, match="without columns of whole numbers"):
        infer(random_flow(*TABLES["whole, positive"]), TABLES["whole, positive"][0][:1], noise_std=1.0)


LARGE = np.random.default_rng(5)
RECOGNISED = {
    "a normal column": (LARGE.normal(10, 2, 500), {}),
    "one that only happens to be positive": (LARGE.normal(170, 10, 2_000), {}),
    "uniform, far from 0": (LARGE.uniform(5, 9, 500), {}),
    "log-normal": (np.exp(LARGE.normal(0, 0.7, 300)), {"positive": ["x"]}),
    "log-normal below 1": (np.exp(LARGE.normal(-3, 0.5, 300)), {"positive": ["x"]}),
    "exponential": (LARGE.exponential(2.0, 300), {"positive": ["x"]}),
    "log-normal with a zero": (np.append(np.exp(LARGE.normal(0, 0.7, 300)), 0.0), {}),
    "shares": (LARGE.beta(0.8, 0.6, 300), {"bounded": {"x": [0, 1]}}),
    "percentages": (100 * LARGE.beta(0.7, 0.7, 300), {"bounded": {"x": [0, 100]}}),
    "shares with a value at the end": (np.append(LARGE.beta(0.8, 0.6, 300), 1.0), {}),
    "shares about one half": (LARGE.beta(40, 40, 300), {}),
    "two values": ((LARGE.random(300) < 0.02).astype(float), {"bounded": {"x": [0, 1]}, "integer": ["x"]}),
    "marks": (LARGE.integers(1, 7, 300).astype(float), {"bounded": {"x": [1, 6]}, "integer": ["x"]}),
    "counts": (LARGE.poisson(20, 300).astype(float), {"integer": ["x"]}),
    "counts that spread by factors": (np.ceil(np.exp(LARGE.normal(4, 1, 300))), {"positive": ["x"], "integer": ["x"]}),
    "counts with zeros that spread by factors": (
        LARGE.poisson(np.exp(LARGE.normal(1, 1, 300))).astype(float),
        {"bounded": {"x": [0, None]}, "integer": ["x"]},
    ),
    "whole but for one": (np.append(LARGE.poisson(20, 300), 0.5), {}),
    "too large for a float to hold parts": (2.0**60 + 2.0**12 * LARGE.integers(0, 10**6, 300), {}),
}


@pytest.mark.parametrize("name", RECOGNISED)
def test_columns_are_recognised(name):
    column, expected = RECOGNISED[name]
    assert make_transforms(column[:, None], ["x"], "auto").as_dict(["x"]) == expected


def test_what_is_said_of_a_column_counts_more_than_what_is_seen():
    x = np.stack([PRICE, PRICE, SOLD], 1)
    found = make_transforms(x, ["a", "b", "c"], "auto", bounded={"b": [0, 1000]}, integer=["c"])
    assert found.as_dict(["a", "b", "c"]) == {"positive": ["a"], "bounded": {"b": [0.0, 1000.0]}, "integer": ["c"]}


ROWS = np.array([[1.0, 0.5], [2.0, 0.25], [3.0, 1.0], [-2.0, 0.5]])
REFUSED = [
    ({"positive": ["price"]}, "column price, row 3: expected a number > 0, got -2"),
    ({"bounded": {"share": [0, 1]}}, "column share, row 2: expected a number between 0 and 1, these excluded, got 1"),
    ({"bounded": {"share": [0, 1]}}, "widen the bounds"),
    ({"integer": ["share"]}, "column share, row 0: expected a whole number, got 0.5"),
    ({"positive": ["cost"]}, "positive: expected names among price, share, got 'cost'"),
    ({"positive": "price"}, "positive: expected a list of names of columns, got 'price'"),
    ({"positive": ["price"], "bounded": {"price": [0, 9]}}, "columns that are not among `bounded`, got 'price'"),
    ({"bounded": {"share": [2, 1]}}, "bounded, column share: expected two numbers"),
    ({"bounded": {"share": 3}}, "bounded, column share: expected two numbers"),
    ({"bounded": {"share": ["a", "b"]}}, "bounded, column share: expected two numbers"),
    ({"bounded": {"price": [-2.5, 9]}, "integer": ["price"]}, "expected two whole numbers"),
    ({"columns": "all"}, "columns: expected a list of names, or \"auto\", got 'all'"),
]


@pytest.mark.parametrize(("kinds", "message"), REFUSED)
def test_columns_that_do_not_fit_are_refused(kinds, message):
    with pytest.raises(DataError) as problem:
        make_transforms(ROWS, ["price", "share"], **kinds)
    assert message in str(problem.value)


def test_methods_of_a_flow_say_which_value_is_wrong():
    flow = random_flow(*TABLES["whole, positive"])
    wrong = np.array([[1.0, 2.0], [2.5, 1.0], [1.0, -3.0]])
    for method in (flow.inflate, flow.log_prob, lambda x: flow.noised_data(x, 0)):
        with pytest.raises(DataError, match=r"column (b, row 2: expected a number > 0|a, row 1: .*whole number)"):
            method(wrong)
    with pytest.raises(DataError, match=r"column a, row 1: expected a whole number, got 2.5"):
        flow.log_prob(wrong[:2])
    assert flow.round_trip(wrong[:2])[1, 0] in (2.0, 3.0)


HEADER = "price,share,marks,sold,height"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A configuration of a table with a column of each kind, beside it."""
    rows = np.stack([PRICE, SHARE, RNG.integers(1, 7, N), SOLD, RNG.normal(170, 10, N)], 1)
    np.savetxt(tmp_path / "shop.csv", rows, delimiter=",", header=HEADER, comments="", fmt="%.6g")
    return tmp_path / "shop.yaml"


def write(path: Path, **keys: Any) -> dict[str, Any]:
    config = {
        "datasets": {"shop": {"kind": "csv", "path": str(path.with_suffix(".csv")), "schedules": ["prp"], **keys}},
        "schedules": {"prp": {"signal_left": 1e-2}},
        "networks": {"toy": {"kind": "mlp", "width": 16, "blocks": 1, "frequencies": 0}},
        "training": {"toy": {"steps": 300}},
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return config


SAID = {"positive": ["price"], "bounded": {"share": [0, 1], "marks": [1, 6], "sold": [0, 1]}}


@pytest.mark.parametrize("keys", [{"columns": "auto"}, {**SAID, "integer": ["marks", "sold"]}])
def test_configuration_says_or_recognises_columns_and_check_prints_them(shop, keys, capsys):
    write(shop, **keys)
    assert main(["check", str(shop)]) == 0
    told = capsys.readouterr().out
    assert 'positive ["price"]' in told
    assert 'integer ["marks", "sold"]' in told
    splits = make_splits(dataset_settings(load_config(shop), "shop"))
    kinds = splits.column_kinds
    assert kinds == {
        "positive": ["price"],
        "bounded": {"share": [0.0, 1.0], "marks": [1.0, 6.0], "sold": [0.0, 1.0]},
        "integer": ["marks", "sold"],
    }
    splits.save(shop.with_suffix(".safetensors"), shop.with_suffix(".json"))
    again = load_splits(shop.with_suffix(".safetensors"))
    transforms = ColumnTransforms.from_dict(again.columns, again.column_kinds)
    assert transforms == make_transforms(splits.train, HEADER.split(","), **kinds)
    basis = Eigenbasis.fit(again.train, column_scale(np.asarray(again.train), transforms), transforms)
    save_basis(shop.with_suffix(".basis"), basis)
    kept = load_basis(shop.with_suffix(".basis"))
    assert kept.transforms == transforms
    assert basis_fingerprint(kept) != basis_fingerprint(replace(kept, transforms=ColumnTransforms()))


REFUSED_KEYS = [
    ({"positive": ["cost"]}, "positive: expected names among price, share, marks, sold, height, got 'cost'"),
    ({"columns": ["price", "share"], "integer": ["sold"]}, "integer: expected names among price, share, got 'sold'"),
    ({"bounded": {"share": [1, 0]}}, "bounded, column share: expected two numbers [low, high], low < high"),
    ({"bounded": {"share": [0]}}, "bounded, column share: expected two numbers [low, high], low < high"),
    ({"positive": ["price"], "bounded": {"price": [0, 9]}}, "expected columns that are not among `bounded`"),
    ({"integer": ["price"]}, "column price, row 1: expected a whole number, got"),
    ({"bounded": {"marks": [1, 5]}, "integer": ["marks"]}, "expected a whole number from 1 to 5, got 6"),
    ({"columns": "all"}, "datasets.shop.columns: expected a list"),
    ({"columns": []}, "datasets.shop.columns: expected a list"),
    ({"positive": ["price", "price"]}, "datasets.shop.positive: expected every column once"),
    ({"positive": "price"}, "datasets.shop.positive: expected a list"),
]


@pytest.mark.parametrize(("keys", "message"), REFUSED_KEYS)
def test_keys_that_do_not_fit_the_table_are_refused(shop, keys, message, capsys):
    write(shop, **keys)
    assert main(["check", str(shop)]) == 2
    assert message in capsys.readouterr().err


def test_a_comparison_of_methods_needs_real_columns(shop):
    config = write(shop, positive=["price"])
    config["datasets"]["shop"]["schedules"] = ["prr1"]
    config["schedules"] = {"prr1": {"kept_dims": 1, "signal_left": 1e-4}}
    method = {"kind": "inflationary_flow", "steps": {"plane": 10}, "candidates": [{"learning_rate": 1e-3}]}
    budgets = {"plane": {"batch_size": 128, "chart": {"layers": 4, "univariate": "affine"}}}
    compared = {"datasets": {"shop": {"schedules": {"prr1": "plane"}}}, "budgets": budgets, "methods": {"ours": method}}
    with pytest.raises(ConfigError, match="compared methods know no others, got one with `positive`"):
        load_config({**config, "baselines": compared})
    del config["datasets"]["shop"]["positive"]
    load_config({**config, "baselines": compared})


def test_categories_are_refused_with_what_to_do(shop, capsys):
    write(shop)
    table = shop.with_suffix(".csv")
    table.write_text(
        table.read_text(encoding="utf-8").replace("\n", ",red\n").replace("height,red", "height,colour"),
        encoding="utf-8",
    )
    assert main(["check", str(shop)]) == 2
    told = capsys.readouterr().err
    assert "column \"colour\": expected a number, got 'red'" in told
    assert "if they have an order, number them and name the column in `integer`, else fit a flow for each" in told
