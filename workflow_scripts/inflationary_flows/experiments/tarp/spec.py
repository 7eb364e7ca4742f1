"""What is measured and shown of the coverage of posteriors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from inflationary_flows.data.oracles import MOST_WEIGHED, find_toy
from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Measurement, Table
from inflationary_flows.fields import Count, DatasetNames, Levels, PositiveNumber, Section, Seed, Unique, VariantName

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


class Tarp(Section):
    """Coverage of the posterior of a clean point given a noisy one, the flow being the prior."""

    datasets: DatasetNames = Field(default_factory=list, description="Toys to do it with.")
    miscalibrated: VariantName | None = Field(
        None, description="Variant that the test has to reject, of each data set's first schedule; none if left out."
    )
    noise_stds: Annotated[list[PositiveNumber], Field(min_length=1), Unique("noise level")] = Field(
        default_factory=lambda: [0.1, 0.3, 1.0, 2.0], description="Noise levels, in standard deviations of the data."
    )
    levels: Levels = Field(
        default_factory=lambda: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], description="Nominal coverages."
    )
    replicates: Annotated[Count, Field(ge=20)] = Field(1_000, description="Observed points.")
    references: Count = Field(10, description="Random reference points of an observation.")
    pool: Annotated[Count, Field(ge=100)] = Field(20_000, description="Samples of the prior.")
    pool_steps: Count = Field(40, description="Solver steps that make them.")
    minimum_ess: PositiveNumber = Field(
        4.0,
        description="Smallest effective number of pool samples of 90 % of the posteriors under learned and exact priors; "
        "fewer stop the job.",
    )
    bins: Annotated[Count, Field(ge=2)] = Field(10, description="Bins of the rank histograms.")
    seed: Seed = Field(0, description="Seed of points, noise, references and pool.")

    def check(self, where: str, study: Study) -> None:
        """Fresh points can be drawn of the data sets, and enough of them for a test."""
        for index, name in enumerate(self.datasets):
            if find_toy(study.settings_of(name)) is None or study.dimension_of(name) > MOST_WEIGHED:
                raise ConfigError(
                    f"{where}.datasets[{index}]",
                    f"a toy of at most {MOST_WEIGHED} dimensions, whose density is known",
                    f"{name} of kind {study.kind_of(name)}, D = {study.dimension_of(name)}",
                    "remove it from the list.",
                )
        # The comparison with injective flows measures coverage by the same settings.
        used = self.datasets or study.config.baselines.datasets
        least = len(self.levels) + 1
        if used and self.replicates <= least:
            got = str(self.replicates)
            raise ConfigError(f"{where}.replicates", f"more than {least}", got, "1000 give a sharp test.")


def judged(study: Study) -> list[FlowName]:
    """Flows whose posteriors are judged, and of each data set's first schedule one of a variant, to be rejected."""
    tarp = study.experiments["tarp"]
    flows = [flow for flow in study.flows if flow[0] in tarp["datasets"]]
    variant = tarp.get("miscalibrated")
    first = {flow[0]: flow for flow in reversed(flows)}.values() if variant else ()
    return study.repeated(flows) + [(dataset, schedule, f"{seed}-{variant}") for dataset, schedule, seed in first]


EXPERIMENT = Experiment(
    settings=Tarp,
    measurement=Measurement(
        minutes=0.8,
        environment="inference",
        flows=judged,
        each_flow=False,
        needs=("dataset", "log"),
        params=lambda study, dataset: {
            name: value
            for name, value in study.experiments["tarp"].items()
            if name not in ("datasets", "miscalibrated")
        },
        tables=("tarp", "posterior_ranks"),
        samples=True,
    ),
    stage="calibration",
    shown=(
        Figure(
            "tarp",
            "B6",
            "Coverage of posteriors of clean points",
            "Calibration",
            """
            Coverage minus nominal level of posteriors of clean points given noisy ones, around the reference point
            where it is worst: random ones, the centre of the data, or another point of a fixed grid. The axis is linear
            near zero. Priors are the learned flow, the exact density, and controls: a box, a Gaussian of the data's
            covariance, and, if configured, a network that was stopped early. Shaded are two standard errors; of so many
            references, the worst of a calibrated posterior is about three off, as the exact density shows. Numbers in
            the panels are p-values that all levels around all references are nominal, corrected for their number, and for
            that of training seeds, a curve each. The
            test sees what the noise leaves to the prior: under weak noise data decide, and most controls pass; under a
            noise as wide as the data all have to be rejected.
            """,
        ),
        Table(
            "tarp",
            "B9",
            "Coverage of posteriors of clean points",
            "Calibration",
            """
            Expected coverage of posteriors of clean points against the nominal level, around random references, the
            centre of the data, and the worst reference, for each noise and prior: learned, exact, and controls that
            the test has to reject. ``p_value`` tests all levels around all references at once.
            """,
            columns={
                **FLOW_COLUMNS,
                "flow": "the prior, see below",
                "noise_std": "standard deviation of the noise, in those of the data",
                "reference": "`random` points, the `centre` of the data, or the `worst` of these and of a fixed grid",
                "level": "nominal level",
                "coverage": "expected coverage around that reference",
                "se": "its standard error",
                "worst": "largest difference of coverage and level around any reference, at any level",
                "p_value": "that all coverages are nominal: the least of all references' tests times their number",
                "looks": "this number",
                "replicates": "true points",
            },
            notes="""
            True points of the data are observed with noise. Importance sampling gives the posterior of the clean point
            under a prior. `learned` is the flow as `Flow.sample` draws from it. Reducing flows have a second row with the
            other prior of compressed latents, `learned_gaussian` or `learned_empirical`. `exact` is a prior of fresh
            points of the known density: its `worst` is what chance makes of the best possible prior. Controls, which the
            test has to reject: `box`, flat on the range of the data; `gaussian`, of their mean and covariance, which is
            the flow of a network that gives zero; `miscalibrated`, a network that was stopped early. All see the same
            points, noise and references. The grid has points at -2, 0 and 2 standard deviations of each coordinate.

            What the test can see depends on the noise. At 0.1 standard deviations an observation says nearly
            everything, and 1,000 replicates reject no control. A coverage has a standard error of 0.016 with 1,000
            replicates, 0.008 with 4,000.
            """,
        ),
    ),
)
