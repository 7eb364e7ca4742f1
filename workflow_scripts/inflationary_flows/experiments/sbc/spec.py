"""What is shown of ranks in posteriors."""

from __future__ import annotations

from inflationary_flows.experiments.hmc.spec import folders, sampled
from inflationary_flows.experiments.registry import Experiment, Figure, Table

EXPERIMENT = Experiment(
    parts=lambda study: {
        "sbc": [f"{folder}sbc.csv" for folder in folders(study, sampled(study), "metrics")]
        # Ranks of clean points stand below those of the weights.
        + [f"results/metrics/{dataset}/posterior_ranks.csv" for dataset in study.experiments["tarp"]["datasets"]]
    },
    stage="calibration",
    shown=(
        Figure(
            "sbc",
            "B5",
            "Ranks of true weights in their posteriors",
            "Calibration",
            """
            Simulation-based calibration. In each replicate, weights are drawn from their prior and data given the
            weights, and the true weight is ranked among draws of its posterior. Ranks are uniform if posteriors are
            calibrated. A hump means too wide, a valley too narrow, a slope biased. The grey band holds all bins at once
            with 95 % probability, and p is that of a chi-square test.
            """,
        ),
        Figure(
            "posterior_ranks",
            "B7",
            "Ranks of clean points in their posteriors",
            "Calibration",
            """
            Ranks of the true coordinates of clean points in their posteriors given noisy points, as density relative to
            uniform, at the largest noise of the table. The grey band holds all bins at once with 95 % probability if
            posteriors are calibrated. The learned and the exact prior should stay within it; the network that was
            stopped early should not.
            """,
        ),
        Table(
            "sbc",
            "B8",
            "Rank histograms",
            "Calibration",
            """
            Rank histograms of true values among draws of their posteriors: weights of the latent mixture, and
            coordinates of clean points under each prior. ``lower`` and ``upper`` hold all bins at once with 95 %
            probability if ranks are uniform. ``p_value`` is that of a chi-square test.
            """,
            columns={
                "dataset": "data set",
                "schedule": "schedule",
                "flow": "the prior, as in `tarp.csv`",
                "noise_std": "standard deviation of the noise",
                "quantity": "`weight1` ... or `coordinate1` ..., see below",
                "bin": "number of the bin, from 0",
                "count": "replicates in the bin",
                "expected": "expected count if ranks are uniform",
                "lower": "lower bound of the band",
                "upper": "upper bound of the band",
                "p_value": "of a chi-square test of all bins",
                "replicates": "replicates in total",
            },
            notes="""
            `weight1` ...: simulation-based calibration of the weights. Every replicate draws weights from their prior,
            observations, and a posterior, and ranks the truth among its draws. `coordinate1` ...: ranks of true clean
            points in their posteriors, from the replicates of `tarp.csv`.
            """,
        ),
    ),
)
