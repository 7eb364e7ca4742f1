"""What is shown of ranks in posteriors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.hmc.spec import folders, sampled
from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Table
from inflationary_flows.fields import Count, Duration, Jobs, Memory, PositiveNumber, Section, Seed, Unique

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study


class Sbc(Section):
    """Simulation-based calibration of the weights of hmc: many data sets with random true weights."""

    replicates: Annotated[Count, Field(ge=20)] = Field(300, description="Data sets.")
    batches: Jobs = Field(2, description="Jobs they are spread over.")
    observations: Count = Field(20, description="Observations of a data set.")
    particles: Annotated[Count, Field(ge=16)] = Field(64, description="Importance samples of an observation.")
    warmup: Count = Field(200, description="Iterations that adapt.")
    draws: Annotated[Count, Field(ge=20)] = Field(600, description="Iterations kept, before thinning.")
    ranks: Annotated[Count, Field(ge=9)] = Field(99, description="Thinned draws a rank is taken among.")
    bins: Annotated[Count, Field(ge=2)] = Field(10, description="Bins of the histogram; ranks + 1 is a multiple.")
    noise_factors: Annotated[list[PositiveNumber], Unique("factor")] = Field(
        default_factory=list,
        description="Controls: posteriors that assume so many times the noise; each costs as much as the test itself.",
    )
    generator_seed: Seed | None = Field(
        None, description="Control: data of the flow of this training seed, another than that of the posterior."
    )
    seed: Seed = Field(1, description="Seed of weights, observations, particles and chains.")
    runtime: Duration = Field("2h", description="Time limit of one of the jobs. Grows with each attempt.")
    mem: Memory = Field("4GB", description="Memory of one of them, likewise.")

    def check(self, where: str, study: Study) -> None:
        """Ranks fill bins alike, and there are draws and data sets enough."""
        if (self.ranks + 1) % self.bins:
            raise ConfigError(
                f"{where}.bins",
                f"a divisor of ranks + 1 ({self.ranks + 1}), so that all bins hold as many ranks",
                str(self.bins),
                "ranks: 99 and bins: 10 or 20 fit.",
            )
        if self.draws < self.ranks:
            raise ConfigError(f"{where}.draws", f"at least ranks ({self.ranks})", str(self.draws), "draw more.")
        if self.batches > self.replicates:
            expected = f"at most replicates ({self.replicates})"
            raise ConfigError(f"{where}.batches", expected, str(self.batches), "use fewer batches.")


EXPERIMENT = Experiment(
    settings=Sbc,
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
            with 95 % probability. p is that of a chi-square test of a weight, and p of the width that of the mean squared
            distance of ranks from their middle, of all weights. The latter sees posteriors that are a tenth too narrow
            far more often; table and documentation say how often. Data come from the flow itself: this tests the
            sampler, not the flow.
            """,
            exists=lambda study: bool(sampled(study)),
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
            exists=lambda study: bool(study.experiments["tarp"]["datasets"]),
        ),
        Table(
            "sbc",
            "B8",
            "Rank histograms",
            "Calibration",
            """
            Rank histograms of true values among draws of their posteriors: weights of the latent mixture, and
            coordinates of clean points under each prior. ``lower`` and ``upper`` hold all bins at once with 95 %
            probability if ranks are uniform. ``p_value`` is that of a chi-square test, ``p_bias`` tests the mean
            of ranks, ``p_width`` how far they are from their middle.
            """,
            columns={
                **FLOW_COLUMNS,
                "flow": "the prior, as in `tarp.csv`; or a control of the weights, see below",
                "noise_std": "standard deviation of the noise",
                "quantity": "`weight1` ... or `coordinate1` ..., see below",
                "bin": "number of the bin, from 0",
                "count": "replicates in the bin",
                "expected": "expected count if ranks are uniform",
                "lower": "lower bound of the band",
                "upper": "upper bound of the band",
                "p_value": "of a chi-square test of all bins",
                "p_bias": "that the mean rank is half; of all weights together",
                "p_width": "of the mean squared distance of ranks from their middle; of all weights together",
                "replicates": "replicates in total",
            },
            notes="""
            `weight1` ...: simulation-based calibration of the weights. Every replicate draws weights from their prior,
            observations, and a posterior, and ranks the truth among its draws. Data come from the flow that the posterior
            integrates, so that sampler and approximations are tested, not the flow. `p_width` sees posteriors that are 10 % too
            narrow, at the 5 % level, in 68 % of cases with 200 replicates, in 87 % with 300, always with 1,000; `p_value` of
            one weight in 18, 24 and 75 %. Controls (`noise_factors`,
            `generator_seed`) assume another noise, as `noise_0.8`, or have data of another seed's flow, `other_seed`. A
            few observations of a replicate tell little of either: with a flow that is linear, and noise 20 % off, mean
            ranks of the first weight move by 0.03 with 8 observations, by 0.04 to 0.07 with 50 and by 0.10 to 0.12 with
            200, whose standard error is 0.017 with 300 replicates and 0.009 with 1,000. `coordinate1` ...: ranks of true clean
            points in their posteriors, from the replicates of `tarp.csv`.
            """,
        ),
    ),
)
