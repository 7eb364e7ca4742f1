"""Loads and validates the configuration, and hands each rule the part that its result depends on.

Needs config.yaml (or --configfile); makes nothing. A job's params hold every number that its result
depends on, one item each, and never a label: what changes a job is what changes its result.
"""

import os
import re
import sys
from functools import cache, partial

from snakemake.exceptions import WorkflowError

# Jobs import the library that lies beside this workflow, also from conda environments and on cluster
# nodes, where it is not installed: the code whose digest is recorded is the code that runs.
LIBRARY = ROOT / "workflow_scripts"
sys.path.insert(0, str(LIBRARY))
search_path = [str(LIBRARY), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, search_path)))
# Jobs look for files where the run was started, too.
STARTED_IN = os.environ.setdefault("INFLATIONARY_FLOWS_STARTED_IN", os.getcwd())


envvars:
    "PYTHONPATH",
    "INFLATIONARY_FLOWS_STARTED_IN",


from inflationary_flows.errors import InflationaryFlowsError


def stop(problem):
    """Ends with a message alone: of an exception Snakemake would print where it was raised."""
    logger.error(str(problem).replace(f"{STARTED_IN}/", ""))
    raise SystemExit(1)


try:
    from inflationary_flows import config as settings
except InflationaryFlowsError as problem:
    stop(problem)

from inflationary_flows.runtime.digest import source_digest
from inflationary_flows.files.files import fingerprint_of, sha256_of
from inflationary_flows.runtime.configuration import write_configuration
from inflationary_flows.runtime.driver import move_to, prepare
from inflationary_flows.baselines.discovery import method_file
from inflationary_flows.config.comparison_study import (
    COMPARISON_DIR,
    COSTS,
    MODEL_DIR,
    SEARCH_DIR,
)
from inflationary_flows.config.image_study import (
    FRECHET,
    PICTURES,
    ROUNDTRIP,
    SAMPLES,
    SWEEP,
    fill,
)
from inflationary_flows.config.study import Study
from inflationary_flows.data.download import file_name
from inflationary_flows.experiments.registry import experiments, find
from inflationary_flows.runtime.terminal import tell_the_run

# Files of the command line win over those that a Snakefile names. Without any the configuration is the one beside the
# Snakefile: Snakemake would merge it with a --configfile, and run its data sets too.
IS_GIVEN = workflow.modifier.skip_configfile  # By what imports this as a module.
DEFAULT = [] if workflow.configfiles or IS_GIVEN else [ROOT / "config.yaml"]
workflow.configfiles += DEFAULT
FILES = sorted(workflow.configfiles, key=workflow.overwrite_configfiles.__contains__)


# Another configuration has a folder of its own, as if --directory named it.
IS_MAIN = Path(workflow.main_snakefile).resolve() == ROOT / "Snakefile"
FOLDER = settings.folder_of_run(workflow.overwrite_configfiles) if IS_MAIN else None
IS_THERE = FOLDER is not None and workflow.overwrite_workdir in (None, FOLDER)
# Jobs of a cluster begin in the folder of the run, which --directory has named if it is another one.
IS_THERE = IS_THERE and (workflow.is_main_process or Path.cwd() == FOLDER)

try:
    # Files are read here and not by Snakemake, so that they mean the same to `check` and to a run.
    CONFIG = settings.load_config(
        dict(config) if IS_GIVEN else FILES,
        arguments=() if IS_GIVEN else workflow.config_settings.config_args or (),
        beside=[Path(file).parent for file in FILES],
        started_in=Path(STARTED_IN),
        absolute=IS_THERE,
    )
    if IS_THERE:
        move_to(workflow, FOLDER)
except InflationaryFlowsError as problem:
    stop(problem)

STUDY = Study(CONFIG)
IMAGES = STUDY.images
COMPARISON = STUDY.comparison
SETTINGS = STUDY.experiments
RESOLVED_PATH = "results/config.resolved.yaml"
# Part of the sources: known by what is in it, wherever the repository lies.
PAPER_TABLES = ROOT / "configs/paper_tables.csv"

NETWORK = "results/networks/{dataset}/{schedule}/seed{seed}/network.safetensors"
CURVE = "results/networks/{dataset}/{schedule}/seed{seed}/training.jsonl"
FLOW = "results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors"

# Where data sets come from: settings that have a path or downloads.
SOURCES = {name: settings.dataset_settings(CONFIG, name) for name in STUDY.datasets}
PATHS = {name: known.get("path") for name, known in SOURCES.items()}
# Files to fetch: (data set or extractors, file name) -> its url and checksum.
DOWNLOADS = {
    (owner, file_name(item["url"])): item
    for owner, items in [
        *((name, known.get("download", [])) for name, known in SOURCES.items()),
        ("extractors", [IMAGES.inception_settings.get("download")]),
    ]
    for item in items
    if item is not None
}


def per_flow(pattern, flows):
    """A pattern with {dataset}, {schedule} and {seed}, filled in for each flow."""
    return [fill(pattern, flow) for flow in flows]


def per_dataset(pattern, datasets=STUDY.datasets):
    """A pattern with {dataset}, filled in for each data set."""
    return [pattern.format(dataset=dataset) for dataset in datasets]


def dataset_of(wildcards):
    """What the points of a data set depend on; files that they are read from are inputs instead."""
    return STUDY.settings_of(wildcards.dataset)


def files_of(wildcards):
    """Files that a data set is read from, fetched or the user's own; toys and digits have none."""
    chosen = SOURCES[wildcards.dataset]
    if items := chosen.get("download"):
        return [downloaded(wildcards.dataset, file_name(item["url"])) for item in items]
    own = [chosen["path"]] if "path" in chosen else []
    # The time of a folder says little: params have its fingerprint.
    return [ancient(path) if os.path.isdir(path) else path for path in own]


def downloaded(owner, file):
    """Where the rule fetch_file puts a file."""
    return f"results/downloads/{owner}/{file}"


def schedule_of(wildcards):
    """Keyword arguments of `make_schedule`."""
    return settings.schedule_settings(CONFIG, wildcards.schedule, wildcards.dataset)


def kernels_of(wildcards):
    """What a network is trained on: one schedule, all of its data set, or a range."""
    variant = variant_of(wildcards)
    return STUDY.kernels_of(wildcards.dataset, wildcards.schedule, variant)


def trained(pattern):
    """A file of the network of a flow, which other schedules may share."""
    return lambda wildcards: fill(pattern, STUDY.trained_as(tuple(wildcards)[:3]))


def solver_of(wildcards):
    """How the flows of a schedule are integrated."""
    return settings.solver_settings(CONFIG, wildcards.schedule)


def compressed_prior_of(wildcards):
    """How compressed latents are drawn."""
    return CONFIG.schedules[wildcards.schedule].compressed_prior


def seed_of(wildcards):
    """The training seed of a flow: the number of `0`, or of `0-early`."""
    return int(wildcards.seed.partition("-")[0])


def variant_of(wildcards):
    """The variant of a flow: `early` of `0-early`, none of `0`."""
    return getattr(wildcards, "seed", "").partition("-")[2] or None


def network_of(wildcards):
    """The network of a flow."""
    return settings.network_settings(CONFIG, wildcards.dataset, variant_of(wildcards))


def training_of(wildcards):
    """Training settings that decide the result."""
    return settings.training_settings(CONFIG, wildcards.dataset, variant_of(wildcards))


def job_of(wildcards):
    """Training settings that do not: the resources of the job, and how often it saves its state."""
    return settings.training_of(CONFIG, wildcards.dataset, variant_of(wildcards))


def parts_of_batch(wildcards):
    """Microbatches of a batch, where the result depends on them: dropout is drawn for each."""
    job = job_of(wildcards)
    return (
        max(1, job.gpu) * job.accumulate if network_of(wildcards).get("dropout") else 1
    )


def format_of(wildcards):
    """Format of a data set's images, as plain numbers."""
    return STUDY.image_of(wildcards.dataset).describe()


def first_of(wildcards):
    """Number of the first image of a shard."""
    return IMAGES.first_images(wildcards.dataset)[int(wildcards.shard)]


def count_of(wildcards):
    """How many images a shard has."""
    return IMAGES.count_of(wildcards.dataset, int(wildcards.shard))


def of_images(name):
    """A setting of a data set's experiments on images; none where it has no default."""
    return lambda wildcards: IMAGES.settings_of(wildcards.dataset).get(name)


def of_sweep(name):
    """A setting of its measurements against evaluations."""
    return lambda wildcards: IMAGES.settings_of(wildcards.dataset)["sweep"][name]


def swept_extractor(wildcards):
    """The extractor that is measured against evaluations: the first one."""
    return IMAGES.extractors_of(wildcards.dataset)[0]


def of_inception(name, extractors_of):
    """A setting of the extractor inception; none for others."""
    return lambda wildcards: IMAGES.inception(name, extractors_of(wildcards))


def digits_splits(wildcards):
    """The splits of the digits, that their classifier is trained on."""
    names = [name for name in STUDY.datasets if STUDY.kind_of(name) == "digits"]
    if not names:
        raise WorkflowError(
            "extractors: digits_classifier needs a data set of kind digits.\nHint: list one, or another extractor."
        )
    return f"results/data/{names[0]}/splits.safetensors"


def kind_of_method(wildcards):
    """What a method is: the name of its module."""
    return COMPARISON.kinds[wildcards.method]


def defaults_of(wildcards):
    """Hyper-parameters that all candidates of a method share."""
    return settings.method_settings(CONFIG, wildcards.method)["settings"]


def candidates_of(wildcards):
    """Hyper-parameters that the search of a method tries."""
    return [
        dict(options)
        for options in COMPARISON.config.methods[wildcards.method].candidates
    ]


def methods_of_job(wildcards):
    """Modules of the methods that a job runs."""
    chosen = [wildcards.method] if hasattr(wildcards, "method") else COMPARISON.methods
    kinds = sorted({COMPARISON.kinds[name] for name in chosen})
    return [str(Path(method_file(kind)).relative_to(LIBRARY)) for kind in kinds]


def references_of(wildcards):
    """Features of real images by all extractors, and the files of weights of those that do not come in packages."""
    names = IMAGES.extractors_of(wildcards.dataset)
    weights = {f"weights_{name}": IMAGES.weights_of(name) for name in names}
    return {
        "references": [
            f"results/references/{wildcards.dataset}/{name}.safetensors"
            for name in names
        ],
        **{name: files[0] for name, files in weights.items() if files},
    }


def generator_of_sbc(wildcards):
    """Network and eigenbasis of the flow of another seed that makes the data of a control, if there is one."""
    seed = SETTINGS["sbc"].get("generator_seed")
    if seed is None:
        return []
    flow = (wildcards.dataset, wildcards.schedule, str(seed))
    network = fill(NETWORK, STUDY.trained_as(flow))
    return [network, f"results/data/{wildcards.dataset}/eigenbasis.safetensors"]


def only(section, *names):
    """Some settings of a section, as single items of params."""
    return {name: section[name] for name in names}


@cache
def computed_digest(source):
    """Digest of a script or module and of the library modules that it imports."""
    return source_digest(LIBRARY / source, LIBRARY)


def digest_of(*sources, also=lambda wildcards: []):
    """Digests of a rule's sources by file, computed when a job needs them: one on a cluster needs its own alone.

    Without a suffix a source is a script. `also` names further files that depend on wildcards: scripts find them by name,
    so that no import leads to them.
    """

    def digests(wildcards):
        files = [name if name.endswith(".py") else f"{name}.py" for name in sources]
        return {file: computed_digest(file) for file in [*files, *also(wildcards)]}

    return digests


CAPTIONS = Path(".snakemake/captions")
if "--report" in sys.argv:
    from inflationary_flows.report.captions import write_captions

    write_captions(CAPTIONS)


def in_report(path):
    """A file as Snakemake's report shows it, with number, title and caption of its experiment."""
    shown, wildcards = find(path)
    return report(
        path,
        caption=str(CAPTIONS.absolute() / shown.caption_file),
        category=shown.category,
        labels={
            "number": shown.label,
            "title": shown.title,
            "of": ", ".join(wildcards.values()) or "all",
        },
    )


def write_resolved_config():
    """Writes the configuration with all defaults beside the results."""
    write_configuration(STUDY.resolved, FILES, ROOT)
