"""What is shown of flows in motion."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Animation, Experiment
from inflationary_flows.experiments.snapshots.spec import traced

EXPERIMENT = Experiment(
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
