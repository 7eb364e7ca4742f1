"""What is shown of generated images and of round trips, as pictures."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Figure

EXPERIMENT = Experiment(
    datasets=lambda study: list(dict.fromkeys(flow[0] for flow in study.images.flows)),
    reads=lambda study, dataset: {"pictures": study.images.pictures(dataset)},
    drawing=lambda study, dataset: {
        "schedules": [schedule for _, schedule, _ in study.images.by_dimensions(dataset)],
        "levels": study.images.levels(dataset),
    },
    stage="reporting",
    shown=(
        Figure(
            "fig05_{dataset}",
            "5",
            "Images, latents, reconstructions and samples",
            "Images",
            """
            Images of ``{{ snakemake.wildcards.dataset }}``, a band for each flow, by kept dimensions and gap: held-out
            images, their latents, reconstructions from these, and samples. Latents are transformed from the eigenbasis
            back to pixels and shown up to a fixed multiple of their standard deviation. Grey images on a dark ground
            are shown as ink on paper. Paper: samples and round trips of its flows of images. Here: images chosen by the
            sample seed, not by eye; the errors of round trips are in their table.
            """,
        ),
        Figure(
            "samples_{dataset}",
            "A7",
            "Samples by kept dimensions and by gap",
            "Images",
            """
            Images of ``{{ snakemake.wildcards.dataset }}``: held-out data above, then samples of each flow, ordered by
            kept dimensions and by gap. The flow that preserves all dimensions is last. Samples are the first of their
            sample seed and are not chosen. Grey images on a dark ground are shown as ink on paper. Paper: samples of
            CIFAR-10, and samples at varying gaps. Here: the schedules of the configuration.
            """,
        ),
    ),
)
