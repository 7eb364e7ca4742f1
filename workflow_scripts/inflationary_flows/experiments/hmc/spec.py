"""hmc."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from inflationary_flows.experiments.registry import Experiment, Figure, Table

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


def sampled(study: Study) -> list[FlowName]:
    """Flows through which the weights are inferred."""
    return [flow for flow in study.flows if flow[0] in study.experiments["hmc"]["datasets"]]


def shown(study: Study) -> list[FlowName]:
    """Those of them that figures show."""
    return study.first_seed(sampled(study))


def posteriors(study: Study) -> list[str]:
    """Each sampler with its number of observations; the collapsed one also sees what the joint one does."""
    hmc = study.experiments["hmc"]
    both, all_of_them = hmc["joint"]["observations"], hmc["collapsed"]["observations"]
    pairs = sorted({("joint", both), ("collapsed", both), ("collapsed", all_of_them)})
    return [f"{sampler}_n{n}" for sampler, n in pairs]


def folders(study: Study, flows: Sequence[FlowName], results: str = "inference") -> list[str]:
    """Folders of flows below `results/inference` or `results/metrics`."""
    return [f"results/{results}/{dataset}/{schedule}/seed{seed}/" for dataset, schedule, seed in flows]


def draws(study: Study, posterior: str, all_seeds: bool = False) -> list[str]:
    """Files of the merged chains of one posterior."""
    flows = sampled(study) if all_seeds else shown(study)
    return [f"{folder}{posterior}/posterior.nc" for folder in folders(study, flows)]


def parts(study: Study) -> dict[str, list[str]]:
    """Small tables of the weights, of the diagnostics of each posterior, of particles and of convergence."""
    measured = folders(study, sampled(study), "metrics")
    single = ("hmc_weights", "hmc_particles", "hmc_convergence")
    return {name: [f"{folder}{name}.csv" for folder in measured] for name in single} | {
        "hmc_diagnostics": [
            f"{folder}{posterior}/hmc_diagnostics.csv" for posterior in posteriors(study) for folder in measured
        ]
    }


def intermediates(study: Study) -> list[str]:
    """Files between flows and tables: the target makes them again where they are missing."""
    names = ["observations.safetensors", "laplace.safetensors", "evidence.safetensors"]
    chains = range(study.experiments["hmc"]["chains"])
    for posterior in posteriors(study):
        names += [f"{posterior}/posterior.nc", *(f"{posterior}/chain{chain}.safetensors" for chain in chains)]
    return [f"{folder}{name}" for folder in folders(study, sampled(study)) for name in names]


def tried_steps(study: Study) -> dict[str, list[int]]:
    """Numbers of steps in the table of convergence by solver, the configured ones among them."""
    hmc = study.experiments["hmc"]
    tried: dict[str, set[int]] = {}
    for settings in (hmc, hmc["joint"]):
        tried.setdefault(settings["solver"], set()).update(hmc["convergence_steps"], [settings["steps"]])
    return {solver: sorted(steps) for solver, steps in tried.items()}


EXPERIMENT = Experiment(
    parts=parts,
    reads=lambda study, dataset: {
        "posteriors": draws(study, f"collapsed_n{study.experiments['hmc']['collapsed']['observations']}"),
        "joint": draws(study, f"joint_n{study.experiments['hmc']['joint']['observations']}"),
        "collapsed": draws(study, f"collapsed_n{study.experiments['hmc']['joint']['observations']}"),
        "observations": [f"{folder}observations.safetensors" for folder in folders(study, shown(study))],
        "traces": [path for posterior in posteriors(study) for path in draws(study, posterior, all_seeds=True)],
    },
    drawing=lambda study, dataset: {
        "flows": shown(study),
        "truth": study.experiments["hmc"]["mixture"]["weights"],
        "observations": study.experiments["hmc"]["joint"]["observations"],
        "traces": [
            [dataset, schedule, *posterior.split("_n")]
            for posterior in posteriors(study)
            for dataset, schedule, _ in sampled(study)
        ],
    },
    when=lambda study: bool(sampled(study)),
    environment="inference",
    stage="inference",
    shown=(
        Figure("fig04", "B125", "title", "category", "Caption."),
        Figure("hmc_samplers", "B126", "title", "category", "Caption."),
        Figure("hmc_traces", "B127", "title", "category", "Caption."),
        Table("hmc_weights", "B128", "title", "category", "Caption.", columns={"a": "b"}),
        Table("hmc_diagnostics", "B129", "title", "category", "Caption.", columns={"a": "b"}),
        Table("hmc_particles", "B130", "title", "category", "Caption.", columns={"a": "b"}),
        Table("hmc_convergence", "B131", "title", "category", "Caption.", columns={"a": "b"}),
    ),
)
