"""How rules of experiments.smk and figures.smk follow from the registry of experiments.

Needs common.smk and resources.smk; makes nothing.
"""

from inflationary_flows.experiments import layout
from inflationary_flows.experiments.hmc.spec import (
    intermediates,
    posteriors,
    sampled,
    tried_steps,
)

EXPERIMENTS, ASKED_FOR = experiments().values(), layout.asked_for(STUDY)
MEASURED = [
    one
    for one in EXPERIMENTS
    if one.measurement and layout.measured_datasets(STUDY, one) != []
]
ON_DEMAND = [one for one in EXPERIMENTS if one.measurement and one.stage is None]
TRAINED = layout.trained_flows(STUDY)
POSTERIORS = posteriors(STUDY)
COLLAPSED = [
    int(name.split("_n")[1]) for name in POSTERIORS if name.startswith("collapsed")
]
PICTURES_OF = {
    one.name: [shown for shown in layout.pictures_of(STUDY, one) if not shown.wildcards]
    for one in EXPERIMENTS
}
SHOWN = [
    one for one in EXPERIMENTS if layout.parts_of(STUDY, one) or PICTURES_OF[one.name]
]
SHOWN_BY_DATASET = [one for one in EXPERIMENTS if one.datasets and one.datasets(STUDY)]


def asks_for(name):
    """Whether targets make an experiment."""
    return name in [experiment.name for experiment in ASKED_FOR]


def sampled_in(wildcards):
    """Schedules and seeds of the flows of a data set through which the weights are inferred."""
    return [list(flow[1:]) for flow in sampled(STUDY) if flow[0] == wildcards.dataset]


def of_sampled(*patterns):
    """Files of these flows, flow by flow."""
    return lambda wildcards: [
        pattern.format(dataset=wildcards.dataset, schedule=schedule, seed=seed)
        for schedule, seed in sampled_in(wildcards)
        for pattern in patterns
    ]


def describe(name, experiment):
    """Gives a rule that was made in a loop the description that `snakemake --list-rules` prints."""
    made = workflow.get_rule(workflow.modifier.modify_rulename(name))
    made.docstring = experiment.about


def shown_by(stage):
    """All that a stage shows, and the measurements behind it; the report shows merged tables as inputs of a target."""
    return layout.stage_files(STUDY, stage)


def datasets_pattern(experiment):
    """Data sets of an experiment as a pattern for a wildcard."""
    return "|".join(layout.measured_datasets(STUDY, experiment) or ["(?!)"])


def flow_file(flow):
    """What a flow is read from: its file, or its network if it is there for comparison alone."""
    is_own = flow in STUDY.flows
    return fill(FLOW, flow) if is_own else fill(NETWORK, STUDY.trained_as(flow))


def inputs_of(experiment):
    """Inputs of a measurement."""
    measurement, inputs = experiment.measurement, {}
    flows = layout.measured_flows(STUDY, experiment)
    members = {flow for group in flows.values() for flow in group} - {*STUDY.flows}
    needed = {*measurement.needs, *(("splits", "eigenbasis") if members else ())}
    for name in sorted(needed & {"splits", "eigenbasis"}):
        inputs[name] = f"results/data/{{dataset}}/{name}.safetensors"
    if "eigenbases" in needed:
        inputs["eigenbases"] = per_dataset(
            "results/data/{dataset}/eigenbasis.safetensors"
        )
    if flows:
        inputs["flows"] = lambda wildcards: [
            flow_file(flow) for flow in flows[wildcards.dataset]
        ]
    if measurement.reads is not None and layout.by_dataset(experiment):
        datasets = layout.measured_datasets(STUDY, experiment)
        return inputs | by_dataset(datasets, lambda d: measurement.reads(STUDY, d), [])
    return inputs | dict(measurement.reads(STUDY, "") if measurement.reads else {})


def by_dataset(datasets, of, missing=None):
    """Items by name, each a function of wildcards, from a function that gives all of them for a data set."""
    names = dict.fromkeys(name for dataset in datasets for name in of(dataset))
    item = lambda name: lambda wildcards: of(wildcards.dataset).get(name, missing)
    return {name: item(name) for name in names}


def measurement_params(experiment):
    """Params of a measurement, one item each: its numbers, and what it is called with."""
    measurement = experiment.measurement

    @cache
    def of(dataset):
        params = layout.params_of(STUDY, experiment, dataset)
        flows = layout.measured_flows(STUDY, experiment).get(dataset)
        if flows:
            params["flows"] = [list(flow[1:]) for flow in flows]
        if flows and set(flows) - set(STUDY.flows):
            names = sorted({flow[1] for flow in flows})
            params |= settings.member_settings(CONFIG, names, dataset)
        return params

    datasets = layout.measured_datasets(STUDY, experiment)
    items = of("") if datasets is None else by_dataset(datasets, of)
    if {"mixture", "dataset"} & {*measurement.needs}:
        items["dataset"] = dataset_of
    if "published" in measurement.needs:
        items["published"] = sha256_of(PAPER_TABLES)
    own_source = f"inflationary_flows/experiments/{experiment.name}/measure.py"
    return items | {
        "experiment": experiment.name,
        "needs": list(measurement.needs),
        "each_flow": measurement.each_flow,
        "samples_from_members": measurement.samples,
        "source": digest_of("measure", own_source),
    }


def group_of(experiment):
    """Group of the jobs of a measurement."""
    if experiment.stage is None:
        return lambda wildcards: None
    if not layout.by_dataset(experiment):
        return "report"
    return measuring_group if experiment.measurement.flows else "prepare"


def resources_of(experiment):
    """Resources of a measurement: as of jobs that carry points through flows, if it reads some."""
    flows = layout.measured_flows(STUDY, experiment)
    seconds = 60 * experiment.measurement.minutes
    if not flows:
        return small("4GB", "1h", seconds=MOMENT + math.ceil(seconds))
    number = lambda wildcards: len(flows[wildcards.dataset])
    return measuring(
        number, lambda wildcards: MOMENT + math.ceil(seconds * number(wildcards))
    )


def shown_rule(experiment):
    """Name of the rule that merges the tables of an experiment, and draws its pictures if it has some."""
    return f"{'plot' if PICTURES_OF[experiment.name] else 'merge'}_{experiment.name}"


def merged_by(experiment):
    """Small tables of each table of an experiment."""
    parts = layout.parts_of(STUDY, experiment)
    return {f"table_{key}": files for key, files in parts.items()}


def read_by(experiment, each=False):
    """What pictures of an experiment read besides its own tables."""
    if experiment.reads is None or bool(experiment.datasets) != each:
        return {}
    read = partial(experiment.reads, STUDY)
    return by_dataset(experiment.datasets(STUDY), read, []) if each else read("")


def shown_outputs(experiment, each=False):
    """Merged tables of an experiment, and its pictures; or its pictures of a data set."""
    tables = [] if each else layout.parts_of(STUDY, experiment)
    outputs = {key: in_report(f"results/tables/{key}.csv") for key in tables}
    for shown in layout.pictures_of(STUDY, experiment):
        if bool(shown.wildcards) == each:
            for path in shown.paths:
                name = f"{shown.name}_{Path(path).suffix[1:]}"
                outputs[name] = path if path.endswith(".pdf") else in_report(path)
    return outputs


def drawing_params(experiment, each=False):
    """Params of the job that merges and draws."""
    pictures = [
        shown.name
        for shown in layout.pictures_of(STUDY, experiment)
        if bool(shown.wildcards) == each
    ]
    items = {}
    if experiment.drawing is not None and pictures:
        drawn = partial(experiment.drawing, STUDY)
        items = by_dataset(experiment.datasets(STUDY), drawn) if each else drawn("")
    own_source = f"inflationary_flows/experiments/{experiment.name}/figure.py"
    return {
        **items,
        "experiment": experiment.name,
        "tables": [] if each else list(layout.parts_of(STUDY, experiment)),
        "pictures": pictures,
        "labels": RESOLVED_PATH,
        "source": digest_of("plot", *([own_source] if pictures else [])),
    }


def stages_of_rules(wildcards):
    """The stage of each rule, that of its experiment or else the name of its file."""
    made = {
        f"{what}_{one.name}": one.stage
        for one in EXPERIMENTS
        for what in ("measure", "merge", "plot", "run", "summarise")
        if one.stage
    }
    return {
        one.name: made.get(one.name, Path(one.snakefile).stem) for one in workflow.rules
    }
