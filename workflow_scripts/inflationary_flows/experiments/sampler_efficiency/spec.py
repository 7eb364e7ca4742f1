"""Measures effective samples a second on demand; its table is below results/benchmarks/sampler_efficiency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inflationary_flows.experiments.hmc.spec import shown
from inflationary_flows.experiments.registry import Experiment, Measurement

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study


# Options of a chain in a section of the configuration.
_OPTIONS = ("warmup", "draws", "step_size", "target_acceptance", "max_tree_depth", "adapt_mass")


def samplers(study: Study, dataset: str) -> dict[str, Any]:
    """The samplers of the experiment on weights, and the paper's setting, with few observations."""
    hmc, own = study.experiments["hmc"], study.experiments["sampler_efficiency"]

    def chain(section: dict[str, Any]) -> dict[str, Any]:
        return {name: section[name] for name in _OPTIONS if name in section}

    joint = {name: hmc["joint"][name] for name in ("coordinates", "solver", "steps")}
    return {
        **{name: hmc[name] for name in ("mixture", "noise_std", "seed", "solver", "steps")},
        "observations": own["observations"],
        "samplers": {
            "paper": [chain(own), {"steps": own["paper_steps"]}],
            "joint": [chain(hmc["joint"]), joint],
            "collapsed": [chain(hmc["collapsed"]), {"particles": hmc["particles"]}],
        },
    }


EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=30,
        environment="inference",
        flows=shown,
        params=samplers,
        tables=("sampler_efficiency",),
    ),
    stage=None,
)
