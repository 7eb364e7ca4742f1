"""Measures effective samples a second on demand; its table is below results/benchmarks/sampler_efficiency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from inflationary_flows.experiments.hmc.spec import shown
from inflationary_flows.experiments.registry import Experiment, Measurement
from inflationary_flows.fields import Count, Fraction, PositiveNumber, Section, SolverName

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study


class BestNuts(Section):
    """NUTS over weights and clean points, whitened by their linearised posterior, with a unit mass matrix."""

    warmup: Count = Field(60, description="Iterations that adapt.")
    draws: Annotated[Count, Field(ge=4)] = Field(600, description="Iterations kept.")
    max_tree_depth: Annotated[Count, Field(ge=1, le=15)] = Field(8, description="Most doublings of a trajectory.")
    # Above this, steps become short for the sake of rare walls in the density.
    target_acceptance: Fraction = Field(0.65, description="Acceptance probability that the step size aims at.")
    solver: SolverName = Field("adams_bashforth4", description="Solver inside of the sampler.")
    steps: Count = Field(20, description="Its steps.")


class SamplerEfficiency(Section):
    """Effective samples a second against the paper's setting, for data sets of hmc (target `sampler_efficiency`)."""

    observations: Count = Field(4, description="Observations.")
    paper_steps: Count = Field(700, description="Scaled Euler steps of the paper's setting.")
    warmup: Count = Field(10, description="Its iterations that adapt.")
    draws: Annotated[Count, Field(ge=4)] = Field(30, description="Its iterations kept.")
    step_size: PositiveNumber = Field(0.01, description="Its first step size.")
    target_acceptance: Fraction = Field(0.8, description="Its acceptance probability.")
    max_tree_depth: Annotated[Count, Field(ge=1, le=15)] = Field(10, description="Its most doublings of a trajectory.")
    nuts: BestNuts = Field(default_factory=BestNuts, description="NUTS where it does best.")


# Options of a chain in a section of the configuration.
_OPTIONS = ("warmup", "draws", "step_size", "target_acceptance", "max_tree_depth", "particles", "renewed")


def samplers(study: Study, dataset: str) -> dict[str, Any]:
    """The samplers of the experiment on weights, and the paper's setting, with few observations."""
    hmc, own = study.experiments["hmc"], study.experiments["sampler_efficiency"]

    def chain(section: dict[str, Any]) -> dict[str, Any]:
        return {name: section[name] for name in _OPTIONS if name in section}

    return {
        **{name: hmc[name] for name in ("mixture", "noise_std", "seed", "solver", "steps")},
        "observations": own["observations"],
        "samplers": {
            "paper": [chain(own), {"steps": own["paper_steps"]}],
            "nuts": [chain(own["nuts"]), {name: own["nuts"][name] for name in ("solver", "steps")}],
            "joint": [chain(hmc["joint"]), {}],
            "collapsed": [chain(hmc["collapsed"]), {"particles": hmc["particles"]}],
        },
    }


EXPERIMENT = Experiment(
    settings=SamplerEfficiency,
    measurement=Measurement(
        minutes=30,
        environment="inference",
        flows=shown,
        params=samplers,
        tables=("sampler_efficiency",),
    ),
    stage=None,
)
