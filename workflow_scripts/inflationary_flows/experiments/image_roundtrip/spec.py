"""What is shown of round trips of images, in numbers."""

from __future__ import annotations

from inflationary_flows.experiments.registry import IMAGE_COLUMNS, Experiment, Table

EXPERIMENT = Experiment(
    parts=lambda study: {"image_roundtrip": study.images.roundtrip_tables},
    stage="images",
    shown=(
        Table(
            "image_roundtrip",
            "B12",
            "Errors of round trips of images",
            "Images",
            """
            Images to latents and back: the true mean squared error in grey levels, the error as published, rounded to 8
            bits and wrapped modulo 256, and the largest error of a pixel. The map is invertible, so the error is that
            of the solver.
            """,
            columns={
                **IMAGE_COLUMNS,
                "mse": "true mean squared error over all pixels, grey levels squared",
                "mse_uint8_wrapped": "as published: rounded to 8 bits and wrapped modulo 256",
                "max_error": "largest error of a pixel, grey levels",
                "n": "images",
                "evaluations": "network evaluations of one direction",
            },
            notes="""
            Flows are those of the first training seed. Grey levels are always of 8 bits: 127.5 of them are a unit of x,
            which runs from -1 to 1.
            """,
        ),
    ),
)
