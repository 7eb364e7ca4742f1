"""Where the files of measurements, merged tables and pictures are, for the experiments of the registry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from inflationary_flows.experiments.registry import Experiment, Shown, experiments

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study

METRICS = "results/metrics"
INFERENCE = "results/inference"
# Tables of times stand with other times: they differ from run to run.
TIMES = "results/benchmarks"


def measured_flows(study: Study, experiment: Experiment) -> Mapping[str, Sequence[FlowName]]:
    """Flows that an experiment measures, by data set."""
    return _flows_by_dataset(study, experiment.name)


@cache
def _flows_by_dataset(study: Study, name: str) -> Mapping[str, Sequence[FlowName]]:
    measurement, grouped = experiments()[name].measurement, defaultdict(list)
    for flow in measurement.flows(study) if measurement and measurement.flows else ():
        grouped[flow[0]].append(flow)
    return dict(grouped)


def measured_datasets(study: Study, experiment: Experiment) -> list[str] | None:
    """Data sets that an experiment measures, a job each; None if it is measured in one job."""
    measurement = experiment.measurement
    if experiment.when is not None and not experiment.when(study):
        return []
    if measurement is None or not by_dataset(experiment):
        return None
    return list(measurement.datasets(study)) if measurement.datasets else list(measured_flows(study, experiment))


def by_dataset(experiment: Experiment) -> bool:
    """Whether an experiment is measured in one job a data set, not in one job."""
    measurement = experiment.measurement
    return measurement is not None and not (measurement.flows is None and measurement.datasets is None)


def job_name(experiment: Experiment) -> str:
    """Name of the logs and benchmarks of a measurement."""
    return f"measure_{experiment.name}{'/{dataset}' if by_dataset(experiment) else ''}"


def measured_files(experiment: Experiment) -> dict[str, str]:
    """Files that a measurement makes, with {dataset}: tables by name, {name}_npz, {name}_rows, _parquet and _nc."""
    measurement = experiment.measurement
    if measurement is None:
        return {}
    where = "/{dataset}" if by_dataset(experiment) else ""
    tables = [table.key for table in experiment.tables] if measurement.tables is None else measurement.tables
    folder = METRICS if experiment.stage else TIMES
    files = {name: f"{folder}{where}/{name}.csv" for name in tables}
    if not experiment.stage and where:
        files = {name: f"{folder}/{name}/{{dataset}}.csv" for name in tables}
    files |= {f"{name}_npz": f"{METRICS}{where}/{name}.npz" for name in measurement.arrays}
    files |= {f"{name}_rows": f"results/{name}{where}.csv" for name in measurement.rows}
    files |= {f"{name}_parquet": f"results/{name}{where}.parquet" for name in measurement.columns}
    return files | {f"{name}_nc": f"{INFERENCE}{where}/{name}.nc" for name in measurement.posteriors}


def all_measured(study: Study, experiment: Experiment) -> list[str]:
    """Files of all measurements of an experiment."""
    datasets = measured_datasets(study, experiment)
    files = measured_files(experiment).values()
    return [f.format(dataset=d) for f in files for d in datasets] if datasets is not None else list(files)


def params_of(study: Study, experiment: Experiment, dataset: str) -> dict[str, Any]:
    """What the numbers of an experiment depend on, for a data set."""
    measurement = experiment.measurement
    if measurement is not None and measurement.params is not None:
        return dict(measurement.params(study, dataset))
    settings = study.experiments.get(experiment.name, {})
    return {name: value for name, value in settings.items() if name != "datasets"}


def parts_of(study: Study, experiment: Experiment) -> dict[str, list[str]]:
    """Small tables of each table of an experiment that the configuration has data for."""
    if experiment.when is not None and not experiment.when(study):
        return {}
    known = dict(experiment.parts(study)) if experiment.parts else {}
    datasets = measured_datasets(study, experiment)
    for name, file in measured_files(experiment).items():
        if name not in known:
            known[name] = [file] if datasets is None else [file.format(dataset=dataset) for dataset in datasets]
    wanted = [table for table in experiment.tables if table.exists is None or table.exists(study)]
    return {table.key: list(known[table.key]) for table in wanted if known.get(table.key)}


def pictures_of(study: Study, experiment: Experiment) -> list[Shown]:
    """Pictures of an experiment that the configuration has data for."""
    has_tables = bool(parts_of(study, experiment)) or not experiment.tables
    by_dataset = bool(experiment.datasets and experiment.datasets(study))
    return [
        picture
        for picture in experiment.pictures
        if (by_dataset if picture.wildcards else has_tables) and (picture.exists is None or picture.exists(study))
    ]


def shown_files(study: Study, experiment: Experiment) -> list[str]:
    """Tables and pictures of an experiment that the configuration has data for."""
    tables = [f"results/tables/{key}.csv" for key in parts_of(study, experiment)]
    datasets: Sequence[str] = experiment.datasets(study) if experiment.datasets else ()
    return tables + [
        path.format(dataset=dataset)
        for picture in pictures_of(study, experiment)
        for path in picture.paths
        for dataset in (datasets if picture.wildcards else ("",))
    ]


def asked_for(study: Study) -> list[Experiment]:
    """Experiments that targets and the report make; the rules of others are there on demand."""
    only = study.config.only
    return [experiment for name, experiment in experiments().items() if only is None or name in only]


def stage_files(study: Study, stage: str) -> list[str]:
    """What a stage shows, and the measurements behind it."""
    members = [experiment for experiment in asked_for(study) if experiment.stage == stage]
    made = [path for experiment in members for path in all_measured(study, experiment)]
    parts = [path for experiment in members for files in parts_of(study, experiment).values() for path in files]
    shown = [path for experiment in members for path in shown_files(study, experiment)]
    return list(dict.fromkeys([*made, *parts, *shown]))


def trained_flows(study: Study) -> list[FlowName]:
    """All flows that something asks for: other seeds and variants, for comparison, among them."""
    compared = [measured_flows(study, experiment).values() for experiment in asked_for(study)]
    return sorted({*study.flows, *(flow for groups in compared for flows in groups for flow in flows)})
