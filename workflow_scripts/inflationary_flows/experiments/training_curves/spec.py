"""What is shown of training."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Figure
from inflationary_flows.networks.kernel_range import SHARED

EXPERIMENT = Experiment(
    reads=lambda study, dataset: {
        "curves": [f"results/networks/{d}/{s}/seed{n}/training.jsonl" for d, s, n in study.networks(study.flows)]
    },
    drawing=lambda study, dataset: {"flows": study.networks(study.flows), "shared": SHARED},
    stage="figures",
    of_tables=True,
    shown=(
        Figure(
            "training_curves",
            "B14",
            "Losses over training",
            "Training and solvers",
            """
            Validation loss against training steps, and for toys the excess denoising error, because their exact
            denoiser is known. Each data set has a panel, each schedule a colour, each seed a line. Where schedules share
            a network, the mean over all of them is shown. A circle marks the step whose weights are kept where rows are few
            and later ones are learned by heart. The validation loss has a positive lower bound that depends on
            data and schedule. The lower bound of the excess error is zero.
            """,
        ),
    ),
)
