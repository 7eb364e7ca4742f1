"""Quality of images against the number of network evaluations, for one network and the same latents."""

from __future__ import annotations

from typing import Any

from inflationary_flows.checkpoint import Checkpoint
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.experiments.images.generation import generate_images
from inflationary_flows.experiments.images.roundtrip import measure_image_roundtrip
from inflationary_flows.mathematics.eigenbasis import Rows
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.metrics.features import Extractor
from inflationary_flows.metrics.frechet import FeatureStatistics, frechet_of

SWEEP_COLUMNS = ("solver", "evaluations", "extractor", "metric", "value", "n")


def measure_evaluations(
    flow: Flow,
    images: Rows,
    image: ImageFormat,
    *,
    solver: str,
    steps: int,
    samples: int,
    roundtrip: int,
    sample_seed: int,
    extractor: Extractor,
    reference: FeatureStatistics,
    checkpoint: Checkpoint | None = None,
) -> list[dict[str, Any]]:
    """Measures one solver at one number of steps.

    Arguments:
        flow: Trained flow.
        images: Images to carry there and back, as rows, shape (n, D), [-1, 1].
        image: Their format.
        solver, steps: The integration; a grid, where the solver has no other, is the flow's own.
        samples: Images generated; they have the same latents for every solver.
        roundtrip: Images carried.
        sample_seed: Seed of latents and of the choice of images.
        extractor, reference: What generated images are compared by, and with.
        checkpoint: Where images, and then errors, are kept meanwhile.

    Returns:
        Rows of `SWEEP_COLUMNS`: the Frechet distance, and `roundtrip_mse` in 8-bit grey levels squared.

    Raises:
        ArtifactError: if the reference is another extractor's.
        Interrupted: if it was asked to stop; what was done is kept.
    """
    settings = flow.settings(solver, steps)
    kept = checkpoint or Checkpoint.unkept()
    generated, evaluations = generate_images(
        flow, image, first=0, count=samples, sample_seed=sample_seed, settings=settings, checkpoint=kept.part("images")
    )
    distance = frechet_of(generated, image.levels, reference, extractor)
    there_and_back = measure_image_roundtrip(
        flow, images, samples=roundtrip, sample_seed=sample_seed, settings=settings, checkpoint=kept.part("round_trips")
    )
    identity = extractor.identity
    common = {"solver": solver, "evaluations": evaluations, "extractor": identity.extractor}
    return [
        {**common, "metric": identity.metric, "value": distance, "n": len(generated)},
        {**common, "metric": "roundtrip_mse", "value": there_and_back["mse"], "n": there_and_back["n"]},
    ]
