"""Frechet distance against closed forms and torch-fidelity; sets of images from extractor to row and protocol."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch_fidelity
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import Dataset
from torch_fidelity import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

from inflationary_flows.artifacts.features import load_extractor, load_reference, save_reference
from inflationary_flows.errors import ArtifactError, DataError
from inflationary_flows.experiments.images.frechet import ImageSet, compare_sets
from inflationary_flows.files.files import sha256_of
from inflationary_flows.metrics.features import Extractor, ExtractorIdentity, make_digits_classifier
from inflationary_flows.metrics.frechet import (
    FRECHET_COLUMNS,
    KID_SUBSET_SIZE,
    KID_SUBSETS,
    compare,
    fit_statistics,
    frechet_of,
    kid_seed,
    measure_features,
    parts_of,
)
from inflationary_flows.metrics.moments import Moments, frechet_distance
from inflationary_flows.training.classifier import ClassifierSettings, fit_classifier

# A set's distance from itself, as a share of the trace of its covariance.
NOTHING = 1e-6


def moments_of(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return rows.mean(0), np.cov(rows, rowvar=False)


def correlated(n: int, dimension: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Features with a spectrum over four decades, shape (n, dimension), float32."""
    generator = np.random.default_rng(seed)
    mixing = np.random.default_rng(7).standard_normal((dimension, dimension)) * np.logspace(0, -2, dimension)
    return (generator.standard_normal((n, dimension)) @ mixing.T + shift).astype(np.float32)


def random_covariance(dimension: int, seed: int) -> np.ndarray:
    root = np.random.default_rng(seed).standard_normal((dimension, 2 * dimension))
    return root @ root.T / dimension


def random_rotation(dimension: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((dimension, dimension)))[0]


@pytest.mark.parametrize("n", [500, 20])
def test_distance_of_a_set_from_itself_is_nothing(n: int) -> None:
    mean, covariance = moments_of(correlated(n, 60, 0))
    assert frechet_distance(mean, covariance, mean, covariance) < NOTHING * np.trace(covariance)


def test_distance_of_gaussians_with_common_axes_is_the_closed_form() -> None:
    # There it is |m1 - m2|^2 + sum_i (s1_i - s2_i)^2, s standard deviations along the axes.
    generator = np.random.default_rng(1)
    axes = random_rotation(30, 2)
    s1, s2 = generator.uniform(0.1, 3, 30), generator.uniform(0.1, 3, 30)
    m1, m2 = generator.standard_normal((2, 30))
    covariances = [(axes * s**2) @ axes.T for s in (s1, s2)]
    expected = np.sum((m1 - m2) ** 2) + np.sum((s1 - s2) ** 2)
    assert frechet_distance(m1, covariances[0], m2, covariances[1]) == pytest.approx(expected, rel=1e-12)


def test_distance_in_two_dimensions_is_the_closed_form() -> None:
    # tr (AB)^1/2 = sqrt(tr AB + 2 sqrt(det AB)) for 2 x 2 matrices, whatever their axes.
    a, b = random_covariance(2, 3), random_covariance(2, 4)
    overlap = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a @ b)))
    expected = 5.0 + np.trace(a) + np.trace(b) - 2 * overlap
    assert frechet_distance(np.zeros(2), a, np.array([1.0, 2.0]), b) == pytest.approx(expected, rel=1e-12)


def test_distance_from_a_point_is_the_trace() -> None:
    covariance = random_covariance(5, 5)
    nothing = np.zeros((5, 5))
    assert frechet_distance(np.zeros(5), covariance, np.zeros(5), nothing) == pytest.approx(np.trace(covariance))
    assert frechet_distance(np.zeros(5), nothing, np.full(5, 2.0), nothing) == pytest.approx(20.0)


def test_distance_is_symmetric_and_keeps_under_rotation() -> None:
    first, second = moments_of(correlated(300, 20, 0)), moments_of(correlated(200, 20, 1, 0.1))
    value = frechet_distance(*first, *second)
    turn = random_rotation(20, 6)
    turned = [(turn @ mean, turn @ covariance @ turn.T) for mean, covariance in (first, second)]
    assert frechet_distance(*turned[0], *turned[1]) == pytest.approx(value, rel=1e-10)
    assert frechet_distance(*second, *first) == pytest.approx(value, rel=1e-10)


def test_estimate_from_samples_has_the_known_bias() -> None:
    # Two samples of n from N(0, 1) in d dimensions: means differ by 2 d / n, and of the covariances, whose roots
    # differ by half as much as they do, d (d + 1) / (2 n) is left, to leading order in 1 / n.
    dimension, biases = 8, []
    for n in (500, 2_000):
        generator = np.random.default_rng(n)
        draws = [
            frechet_distance(*moments_of(generator.standard_normal((n, 8))), *moments_of(generator.normal(size=(n, 8))))
            for _ in range(200)
        ]
        expected = 2 * dimension / n + dimension * (dimension + 1) / (2 * n)
        assert np.mean(draws) == pytest.approx(expected, rel=0.05)
        biases.append(np.mean(draws))
    assert biases[0] / biases[1] == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("n", [400, 30], ids=["full rank", "fewer images than dimensions"])
def test_agrees_with_torch_fidelity(n: int) -> None:
    first, second = correlated(n, 64, 0), correlated(n + 5, 64, 1, 0.05)
    theirs = fid_statistics_to_metric(
        *(fid_features_to_statistics(torch.from_numpy(rows)) for rows in (first, second)), verbose=False
    )[KEY_METRIC_FID]
    ours = frechet_distance(*moments_of(first.astype(float)), *moments_of(second.astype(float)))
    assert ours == pytest.approx(theirs, rel=1e-4)


def test_moments_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DataError, match="finite"):
        frechet_distance(np.full(2, np.nan), np.eye(2), np.zeros(2), np.eye(2))


def test_moments_of_batches_are_those_of_the_whole() -> None:
    # Far from the origin, where sums of squares would lose half of their digits.
    rows = correlated(1_000, 12, 0).astype(float) + 1e4
    moments = Moments(12)
    for batch in np.split(rows, [1, 1, 70, 500]):
        moments.add(batch)
    mean, covariance = moments_of(rows)
    np.testing.assert_allclose(moments.mean, mean, rtol=1e-14)
    np.testing.assert_allclose(moments.covariance, covariance, rtol=1e-10, atol=1e-12 * np.trace(covariance))
    assert moments.n == 1_000


def pixels_as_features(scale: float = 1.0) -> Extractor:
    """An extractor whose features are known: the grey levels."""

    def prepare(images: np.ndarray, levels: int) -> torch.Tensor:
        return torch.from_numpy(images.reshape(len(images), -1).astype(np.float32)) * (scale / levels)

    identity = ExtractorIdentity("digits_classifier", f"{scale}", "pixels", "", "")
    return Extractor(identity, prepare, lambda x: x)


def digit_images() -> np.ndarray:
    return load_digits().images.astype(np.uint8)[:, None]


def brighter(images: np.ndarray) -> np.ndarray:
    return np.minimum(images + np.uint8(2), 16).astype(np.uint8)


def test_statistics_do_not_depend_on_the_batch() -> None:
    images = digit_images()[:301]
    extractor = pixels_as_features()
    one, two = (fit_statistics(images, 16, extractor, batch_size=size, feature_samples=50) for size in (301, 17))
    np.testing.assert_allclose(one.covariance, two.covariance, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(one.rows, two.rows)
    assert one.n == two.n == 301
    assert one.rows.shape == (50, 64)
    mean, covariance = moments_of(images.reshape(301, -1) / 16)
    np.testing.assert_allclose(one.mean, mean, rtol=1e-7)
    np.testing.assert_allclose(one.covariance, covariance, rtol=1e-6, atol=1e-9)


def test_kept_features_come_from_the_whole_set() -> None:
    # Images sorted by class must not leave the last ones out.
    images = np.sort(digit_images(), axis=0)
    statistics = fit_statistics(images, 16, pixels_as_features(), feature_samples=400)
    np.testing.assert_allclose(statistics.rows.mean(), statistics.mean.mean(), rtol=0.1)


def test_a_set_against_itself_and_against_brighter_ones() -> None:
    images, extractor = digit_images()[:600], pixels_as_features()
    reference = fit_statistics(images, 16, extractor)
    same, other = (
        {row["metric"]: row["value"] for row in measure_features(each, 16, reference, extractor)}
        for each in (images, brighter(images))
    )
    assert same["fd_digits"] < NOTHING
    assert abs(same["kid"]) < 0.1 * other["kid"]
    assert same["precision"] == same["recall"] == 1
    assert other["fd_digits"] > 0.1
    assert other["precision"] < 1
    assert frechet_of(brighter(images), 16, reference, extractor) == pytest.approx(other["fd_digits"], rel=1e-12)


def test_kid_of_halves_is_nothing_on_average() -> None:
    # Unbiased: over draws, the mean is within its own error of zero.
    images = digit_images()
    values = []
    for seed in range(12):
        order = np.random.default_rng(seed).permutation(len(images))[:400]
        halves = [fit_statistics(images[half], 16, pixels_as_features()) for half in (order[:200], order[200:])]
        values.append(compare(*halves).kid)
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


def test_samples_of_one_distribution_agree_at_equal_n_and_not_as_a_whole() -> None:
    # Held-out images are few, generated ones many. A perfect model must score as held-out images do.
    images, extractor = digit_images()[np.random.default_rng(0).permutation(1797)], pixels_as_features()
    reference = fit_statistics(images[:700], 16, extractor)
    held_out, many = ImageSet(images[700:780], 16, 0, {}), ImageSet(images[780:], 16, 0, {})
    protocol = {"feature_samples": 10_000, "split": "train", "reference_sha256": "", "equal_n": 80}
    tables = [each.table() for each in compare_sets([held_out, many], extractor, reference, **protocol)[0]]
    few, whole, equal = tables[0][0], tables[1][0], tables[1][4]
    assert [row["part"] for row in tables[1]] == ["whole"] * 4 + ["equal"] * 4
    assert (few["n"], whole["n"], equal["n"], equal["parts"]) == (80, 1017, 80, 8)
    assert few["value"] == pytest.approx(tables[0][4]["value"], rel=1e-6)
    # The held-out set is one part, whose error is that of one.
    error = equal["se"] * np.sqrt(equal["parts"] + 1)
    assert abs(equal["value"] - few["value"]) < 3 * error
    assert abs(whole["value"] - few["value"]) > 5 * error


def test_parts_are_disjoint_and_a_set_of_too_few_has_none() -> None:
    statistics = fit_statistics(digit_images()[:100], 16, pixels_as_features())
    parts = parts_of(statistics, 30)
    np.testing.assert_array_equal(np.concatenate([part.rows for part in parts]), statistics.rows[:90])
    mean, covariance = moments_of(parts[1].rows.astype(np.float64))
    np.testing.assert_allclose(parts[1].mean, mean, rtol=1e-12)
    np.testing.assert_allclose(parts[1].covariance, covariance, rtol=1e-10, atol=1e-14)
    assert parts_of(statistics, 101) == []


def test_few_images_are_measured_and_one_is_refused() -> None:
    images, extractor = digit_images(), pixels_as_features()
    reference = fit_statistics(images[:50], 16, extractor)
    rows = measure_features(images[50:52], 16, reference, extractor)
    assert all(np.isfinite(row["value"]) for row in rows)
    assert [tuple(row) for row in rows] == [FRECHET_COLUMNS] * 4
    for few in (images[:1], images[:0]):
        with pytest.raises(DataError, match="at least 2"):
            measure_features(few, 16, reference, extractor)


def test_reference_of_other_weights_is_refused() -> None:
    images = digit_images()[:20]
    reference = fit_statistics(images, 16, pixels_as_features())
    for measure in (measure_features, frechet_of):
        with pytest.raises(ArtifactError, match="those of digits_classifier"):
            measure(images, 16, reference, pixels_as_features(2.0))


def test_features_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DataError, match="finite"):
        fit_statistics(digit_images()[:5], 16, pixels_as_features(np.inf))


def test_reference_survives_its_file(tmp_path: Path) -> None:
    statistics = fit_statistics(digit_images()[:80], 16, pixels_as_features(), feature_samples=10)
    path, again = tmp_path / "reference.safetensors", tmp_path / "again.safetensors"
    save_reference(path, statistics, "train")
    save_reference(again, statistics, "train")
    assert path.read_bytes() == again.read_bytes()
    loaded, split = load_reference(path)
    assert split == "train"
    assert (loaded.n, loaded.identity) == (80, statistics.identity)
    for name in ("mean", "covariance", "rows"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(statistics, name))


def test_protocol_says_how_numbers_came_about() -> None:
    images, extractor = digit_images(), pixels_as_features()
    reference = fit_statistics(images[:300], 16, extractor)
    comparison = compare(fit_statistics(images[300:500], 16, extractor), reference)
    protocol = json.loads(json.dumps(comparison.protocol(split="test"), allow_nan=False))
    assert protocol["split"] == "test"
    assert (protocol["n"], protocol["n_reference"]) == (200, 300)
    assert protocol["kid"]["subset_size"] == 200 < KID_SUBSET_SIZE
    assert protocol["versions"]["torch-fidelity"] == torch_fidelity.__version__
    assert {"extractor", "sha256", "layer", "input", "resize", "uint8_rule"} < set(protocol)
    frechet = protocol["frechet"]
    assert frechet["value"] == pytest.approx(frechet["value_of_torch_fidelity"], rel=1e-4)


def test_digits_are_nearer_to_digits_than_noise_is() -> None:
    points, labels = load_digits(return_X_y=True)
    classifier = fit_classifier(points / 8 - 1, labels, ClassifierSettings(steps=60), seed=0)
    extractor = make_digits_classifier(classifier, "0" * 64)
    images = digit_images()
    reference = fit_statistics(images[:900], 16, extractor)
    noise = np.random.default_rng(0).integers(0, 17, (900, 1, 8, 8), dtype=np.uint8)
    held_out, shifted, random = (
        frechet_of(each, 16, reference, extractor) for each in (images[900:], np.roll(images[900:], 1, axis=3), noise)
    )
    assert 5 * held_out < min(shifted, random)


class UintImages(Dataset[torch.Tensor]):
    """Images as torch-fidelity takes them."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = torch.from_numpy(images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.images[index]


@pytest.fixture(scope="module")
def random_inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inception with random weights: He's, since features collapse to a point with the usual ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        network = FeatureExtractorInceptionV3("inception", ["64"])
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
    path = tmp_path_factory.mktemp("inception") / "random.pth"
    torch.save(network.state_dict(), path)
    return path


def smooth_images(n: int, seed: int, side: int = 16) -> np.ndarray:
    """Colour images of a few random waves, shape (n, 3, side, side), uint8."""
    generator = np.random.default_rng(seed)
    x = np.arange(side)
    phases = generator.uniform(0, 2 * np.pi, (n, 3, 1, 1))
    slopes = generator.uniform(-1, 1, (2, n, 3, 1, 1))
    waves = np.sin(slopes[0] * x[:, None] + slopes[1] * x + phases)
    return np.round(127.5 * (1 + waves * generator.uniform(0.2, 1, (n, 3, 1, 1)))).astype(np.uint8)


@pytest.mark.long
def test_random_inception_gives_what_torch_fidelity_gives(random_inception: Path) -> None:
    layer = "64"
    extractor = load_extractor("inception", random_inception, sha256=sha256_of(random_inception), layer=layer)
    assert extractor.identity.metric == "fd_inception_unofficial"
    first, second = smooth_images(40, 0), (smooth_images(36, 1) // 2).astype(np.uint8)
    comparison = compare(*(fit_statistics(images, 255, extractor) for images in (first, second)))
    theirs = torch_fidelity.calculate_metrics(
        input1=UintImages(first),
        input2=UintImages(second),
        fid=True,
        kid=True,
        prc=True,
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(random_inception),
        **{f"feature_layer_{metric}": layer for metric in ("fid", "kid", "prc")},
        kid_subsets=KID_SUBSETS,
        kid_subset_size=36,
        rng_seed=kid_seed(),
        cuda=torch.cuda.is_available(),
        cache=False,
        save_cpu_ram=True,
        verbose=False,
    )
    assert comparison.frechet > 0.01
    assert comparison.frechet == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)
    assert comparison.kid == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-3)
    # Nearest neighbours may tie in float32.
    assert comparison.precision == pytest.approx(theirs["precision"], abs=0.05)
    assert comparison.recall == pytest.approx(theirs["recall"], abs=0.05)


def test_random_inception_reads_images_one_by_one(random_inception: Path) -> None:
    extractor = load_extractor("inception", random_inception, sha256=sha256_of(random_inception), layer="64")
    images = smooth_images(3, 2)
    whole = extractor(images, 255)
    apart = np.concatenate([extractor(images[number : number + 1], 255) for number in range(3)])
    np.testing.assert_allclose(apart, whole, rtol=1e-5, atol=1e-5 * np.abs(whole).max())
    assert np.abs(whole[0] - whole[1]).max() > 1e-2 * np.abs(whole).max()


def test_random_inception_is_no_official_one(random_inception: Path) -> None:
    with pytest.raises(DataError, match="6726825d0af5f729"):
        load_extractor("inception", random_inception)
