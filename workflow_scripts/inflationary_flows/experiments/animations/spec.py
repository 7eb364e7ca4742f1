"""What is shown of flows in motion."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from inflationary_flows.experiments.registry import Animation, Experiment
from inflationary_flows.experiments.snapshots.spec import traced
from inflationary_flows.fields import Count, Number, Section, Seed

# Many viewers play frames that are shorter than this at a tenth of a second.
FrameSeconds = Annotated[Number, Field(ge=0.02)]


class Animations(Section):
    """Data that inflate to latents and are generated back."""

    points: Count = Field(500, description="Points drawn, of those of `snapshots`.")
    pictures: Count = Field(25, description="Images drawn, of data sets of images.")
    frames: Annotated[Count, Field(ge=2)] = Field(24, description="Frames each way.")
    frame_seconds: FrameSeconds = Field(
        0.08, description="How long a frame lasts; GIF counts in hundredths of a second."
    )
    hold_seconds: FrameSeconds = Field(0.9, description="How long the first and the last frame of each way last.")
    seed: Seed = Field(0, description="Seed of the latents, and of the choice of images.")


EXPERIMENT = Experiment(
    settings=Animations,
    reads=lambda study, dataset: {"animation": [f"results/metrics/{dataset}/animation.npz"]},
    drawing=lambda study, dataset: {
        "flows": [flow for flow in traced(study) if flow[0] == dataset],
        **{name: study.experiments["animations"][name] for name in ("points", "frame_seconds", "hold_seconds")},
    },
    datasets=lambda study: list(dict.fromkeys(flow[0] for flow in traced(study))),
    stage="animations",
    shown=(
        Animation(
            "{dataset}",
            "S1",
            "Inflation and generation, in a loop",
            "Animations",
            """
            ``{{ snakemake.wildcards.dataset }}`` under all of its schedules. Held-out data inflate to latents, then
            latents from the prior are generated back, in a loop. Points have the coordinates and colours of figures 2
            and 3. Images are shown as pixels, with equal contrast. The bar is the share of noise in the variance of the
            fastest direction. Paper: animations of the same kind on its site. Here: the flows of the configuration.
            """,
        ),
    ),
)
