"""Extractors know their weights, take images by fixed rules, and read each image for itself; parts make one set."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from inflationary_flows.artifacts.classifiers import load_classifier, save_classifier
from inflationary_flows.artifacts.features import (
    load_extractor,
)
from inflationary_flows.artifacts.images import evaluations_of, load_images, save_images
from inflationary_flows.errors import ArtifactError, ConfigError, DataError
from inflationary_flows.files.files import sha256_of
from inflationary_flows.metrics.features import (
    OFFICIAL_INCEPTION_SHA256,
    ExtractorIdentity,
    make_inception,
    to_rgb_bytes,
)
from inflationary_flows.training.classifier import ClassifierSettings, accuracy, fit_classifier


def labelled_digits() -> tuple[np.ndarray, np.ndarray]:
    grey, classes = load_digits(return_X_y=True)
    return grey / 8 - 1, classes.astype(float)


def grey_levels(n: int) -> np.ndarray:
    grey, _ = load_digits(return_X_y=True)
    return grey[:n].astype(np.uint8).reshape(-1, 1, 8, 8)


def colours(n: int, side: int = 32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 3, side, side), dtype=np.uint8)


QUICK = ClassifierSettings(steps=20, batch_size=32)


def save_quick_classifier(path: Path, seed: int = 0) -> Path:
    points, labels = labelled_digits()
    save_classifier(path, fit_classifier(points[:200], labels[:200], QUICK, seed=seed), {"seed": seed})
    return path


class Bomb:
    """Unpickled, it makes a file: code runs."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize(("levels", "value"), [(255, 137), (16, 8), (16, 16), (16, 0), (16, 3)])
def test_grey_levels_are_scaled_and_rounded_half_up(levels: int, value: int) -> None:
    rgb = to_rgb_bytes(np.full((2, 1, 4, 4), value, dtype=np.uint8), levels)
    assert rgb.shape == (2, 3, 4, 4)
    assert rgb.dtype == torch.uint8
    assert set(rgb.flatten().tolist()) == {int(np.floor(value * 255 / levels + 0.5))}


def test_digest_is_compared_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr(torch, "load", lambda *_, **__: read.append(1))
    path = tmp_path / "weights.pth"
    path.write_bytes(b"other weights")
    for name in ("inception", "efficientnet_lite0"):
        with pytest.raises(DataError, match="sha256"):
            load_extractor(name, path)
    assert not read


@pytest.mark.parametrize("written_by", ["pickle", "torch"])
def test_weights_that_run_code_are_refused(tmp_path: Path, written_by: str) -> None:
    trace = tmp_path / "code_ran"
    buffer = io.BytesIO()
    if written_by == "pickle":
        pickle.dump({"weight": Bomb(trace)}, buffer, protocol=2)
    else:
        torch.save({"weight": Bomb(trace)}, buffer)
    path = tmp_path / "weights.pth"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="tensors"):
        load_extractor("inception", path, sha256=sha256_of(path))
    assert not trace.exists()


@pytest.mark.parametrize("content", [{"conv.weight": torch.zeros(3)}, [torch.zeros(3)], {"a": 1}])
def test_weights_of_something_else_are_refused(content: Any) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    with pytest.raises(DataError, match="weights"):
        make_inception(buffer.getvalue(), sha256=digest)


def test_truncated_weights_are_refused() -> None:
    buffer = io.BytesIO()
    torch.save({"weight": torch.zeros(100)}, buffer)
    content = buffer.getvalue()[:-200]
    with pytest.raises(DataError, match="tensors"):
        make_inception(content, sha256=hashlib.sha256(content).hexdigest())


def test_missing_weights_layers_and_names_give_messages(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="file of weights"):
        load_extractor("inception", tmp_path / "absent.pth")
    with pytest.raises(ConfigError, match="file of weights"):
        load_extractor("inception")
    with pytest.raises(ConfigError, match="2048"):
        make_inception(b"", layer="1024")
    with pytest.raises(ConfigError, match="efficientnet_lite0"):
        load_extractor("vgg")


def test_only_official_weights_at_the_last_layer_give_a_fid() -> None:
    def metric(sha256: str, layer: str) -> str:
        return ExtractorIdentity("inception", sha256, layer, "", "").metric

    assert metric(OFFICIAL_INCEPTION_SHA256, "2048") == "fid"
    assert metric(OFFICIAL_INCEPTION_SHA256, "64") == "fd_inception_unofficial"
    assert metric("0" * 64, "2048") == "fd_inception_unofficial"


def test_efficientnet_features_are_those_of_enlarged_rgb_images() -> None:
    extractor = load_extractor("efficientnet_lite0")
    assert extractor.identity.metric == "fd_effnetlite0"
    images = colours(4)
    features = extractor(images, 255)
    assert features.shape == (4, 1280)
    enlarged = nn.functional.interpolate(
        torch.from_numpy(images).float(), (64, 64), mode="bilinear", align_corners=False
    )
    with torch.inference_mode():
        expected = extractor.network(enlarged)
    np.testing.assert_allclose(features, expected.numpy(), atol=1e-5)
    grey = np.repeat(images[:, :1], 3, axis=1)
    np.testing.assert_array_equal(extractor(grey, 255), extractor(images[:, :1], 255))


@pytest.mark.parametrize("name", ["efficientnet_lite0", "digits_classifier"])
def test_each_image_is_read_for_itself(name: str, tmp_path: Path) -> None:
    weights = save_quick_classifier(tmp_path / "c.safetensors") if name == "digits_classifier" else None
    extractor = load_extractor(name, weights)
    images, levels = (grey_levels(7), 16) if weights else (colours(7), 255)
    whole = extractor(images, levels)
    parts = np.concatenate([extractor(images[:3], levels), extractor(images[3:], levels)])
    np.testing.assert_allclose(parts, whole, atol=1e-5 * np.abs(whole).max())


def test_unfit_images_are_refused(tmp_path: Path) -> None:
    extractor = load_extractor("digits_classifier", save_quick_classifier(tmp_path / "c.safetensors"))
    for images, levels in [
        (colours(2), 255),
        (grey_levels(2).astype(float), 16),
        (grey_levels(2)[0], 16),
        (grey_levels(2), 8),
        (grey_levels(0), 16),
        (grey_levels(2), 300),
    ]:
        with pytest.raises(DataError):
            extractor(images, levels)


def test_classifier_of_digits_is_the_same_to_the_byte(tmp_path: Path) -> None:
    torch.manual_seed(1)
    first = save_quick_classifier(tmp_path / "first.safetensors")
    torch.manual_seed(2)
    second = save_quick_classifier(tmp_path / "second.safetensors")
    other = save_quick_classifier(tmp_path / "other.safetensors", seed=1)
    assert first.read_bytes() == second.read_bytes()
    assert sha256_of(first) != sha256_of(other)


def test_classifier_leaves_the_global_stream_of_random_numbers_alone() -> None:
    points, labels = labelled_digits()
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    fit_classifier(points[:100], labels[:100], QUICK, seed=0)
    assert torch.equal(torch.rand(3), expected)


def test_classifier_survives_its_file(tmp_path: Path) -> None:
    points, labels = labelled_digits()
    network = fit_classifier(points[:200], labels[:200], QUICK, seed=0)
    path = tmp_path / "c.safetensors"
    save_classifier(path, network, {})
    x = torch.from_numpy(points[:5]).float().reshape(-1, 1, 8, 8)
    assert torch.equal(load_classifier(path)(x), network(x))
    extractor = load_extractor("digits_classifier", path)
    assert extractor.identity.sha256 == sha256_of(path)
    np.testing.assert_array_equal(extractor(grey_levels(5), 16), network.features(x).detach().numpy())


def test_classifier_refuses_what_are_no_digits() -> None:
    points, labels = labelled_digits()
    with pytest.raises(DataError, match="64 pixels"):
        fit_classifier(points[:, :63], labels, QUICK, seed=0)
    with pytest.raises(DataError, match="whole numbers"):
        fit_classifier(points, labels + 0.5, QUICK, seed=0)


@pytest.mark.slow
def test_classifier_knows_held_out_digits() -> None:
    points, labels = labelled_digits()
    order = np.random.default_rng(0).permutation(len(points))
    train, held_out = order[:1258], order[1258:]
    network = fit_classifier(points[train], labels[train], ClassifierSettings(), seed=0)
    assert accuracy(network, points[held_out], labels[held_out]) > 0.95


SET = {"dataset": "digits", "schedule": "prp", "seed": 0, "sample_seed": 1, "levels": 16, "evaluations": 100}


def save_parts(folder: Path, firsts: tuple[int, ...] = (0, 4, 8), **changes: Any) -> list[Path]:
    """Parts of four images each; `changes` are of the last one."""
    paths = []
    for first in firsts:
        metadata = {**SET, "first": first, **(changes if first == firsts[-1] else {})}
        paths.append(folder / f"part{len(paths)}.safetensors")
        save_images(paths[-1], grey_levels(12)[first : first + 4], metadata)
    return paths


def test_parts_in_any_order_make_one_set(tmp_path: Path) -> None:
    paths = save_parts(tmp_path)
    images, metadata = load_images([paths[2], paths[0], paths[1]])
    np.testing.assert_array_equal(images, grey_levels(12))
    assert [part["first"] for part in metadata] == [0, 4, 8]
    assert evaluations_of(metadata) == 100
    assert len(load_images(paths[0])[0]) == 4


@pytest.mark.parametrize(
    ("chosen", "message"),
    [((0, 2), "begins with image 4"), ((1, 2), "begins with image 0"), ((0, 1, 1, 2), "same images"), ((), "file")],
)
def test_gaps_and_overlaps_of_parts_are_refused(tmp_path: Path, chosen: tuple[int, ...], message: str) -> None:
    paths = save_parts(tmp_path)
    with pytest.raises(ArtifactError, match=message):
        load_images([paths[number] for number in chosen])


@pytest.mark.parametrize(
    "changes", [{"schedule": "prr2"}, {"sample_seed": 2}, {"levels": 255}, {"first": 7}, {"first": 9}]
)
def test_parts_of_other_sets_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError):
        load_images(save_parts(tmp_path, **changes))


def test_parts_that_are_no_images_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "part0.safetensors"
    for images, metadata in [
        (grey_levels(3), {**SET, "levels": 8, "first": 0}),
        (grey_levels(3).astype(float), {**SET, "first": 0}),
        (grey_levels(3), SET),
    ]:
        with pytest.raises(ArtifactError):
            save_images(path, images, metadata)
    assert not path.exists()
