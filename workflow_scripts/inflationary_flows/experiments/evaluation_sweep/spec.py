"""What is shown of image quality against network evaluations."""

from __future__ import annotations

from inflationary_flows.experiments.registry import IMAGE_COLUMNS, Experiment, Figure, Table

EXPERIMENT = Experiment(
    parts=lambda study: {"evaluation_sweep": study.images.sweeps},
    stage="images",
    shown=(
        Figure(
            "evaluation_sweep",
            "B9",
            "Image quality and round trips against network evaluations",
            "Images",
            """
            Frechet distance of generated images (above) and error of a round trip (below) against network evaluations
            of one direction, a column for each flow. Network, latents and images are the same for all solvers. The
            band, where there is one, is 2 % around the distance at the most evaluations by Heun's method, which in
            scaled coordinates is the paper's solver.
            """,
        ),
        Table(
            "evaluation_sweep",
            "B13",
            "Image quality and round trips against network evaluations",
            "Images",
            """
            Frechet distance and true round-trip error of the same network, latents and images, by other solvers and
            numbers of steps. ``heun_scaled`` is the paper's solver for images.
            """,
            columns={
                **IMAGE_COLUMNS,
                "solver": "solver",
                "evaluations": "network evaluations of one direction",
                "extractor": "network whose features are compared",
                "metric": "Frechet distance of the extractor, as in `frechet.csv`, or `roundtrip_mse`",
                "value": "its value; of round trips the true error, grey levels squared",
                "n": "images",
            },
            notes="`heun_scaled` with 511 evaluations is the paper's setting.",
        ),
    ),
)
