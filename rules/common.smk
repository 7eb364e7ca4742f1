"""Loads and validates the configuration, and hands each rule the part that its result depends on.

Needs config.yaml (or --configfile); makes nothing. A job's params hold every number that its result
depends on, one item each, and never a label: what changes a job is what changes its result.
"""

import os
import re
import sys
import time
from functools import cache

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

STARTED = time.time()

# Jobs import the library that lies beside this workflow, also from conda environments and on cluster
# nodes, where it is not installed: the code whose digest is recorded is the code that runs.
LIBRARY = ROOT / "workflow_scripts"
sys.path.insert(0, str(LIBRARY))
search_path = [str(LIBRARY), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, search_path)))


envvars:
    "PYTHONPATH",


from inflationary_flows import config as settings
from inflationary_flows.artifacts.digest import source_digest
from inflationary_flows.artifacts.files import atomic_write, sha256_of
from inflationary_flows.artifacts.provenance import Recorder, recorded, sidecar_of
from inflationary_flows.data.download import file_name
from inflationary_flows.data.oracles import find_toy
from inflationary_flows.data.pixels import find_image_format
from inflationary_flows.data.sources import table_dimension
from inflationary_flows.errors import InflationaryFlowsError
from inflationary_flows.report.registry import read_registry


def locate_tables(raw):
    """Own tables and images are looked for in the working directory, then beside the Snakefile."""

    def entries(*keys):
        section = raw
        for key in keys:
            section = section.get(key) if isinstance(section, dict) else None
        return section.values() if isinstance(section, dict) else []

    named = [(dataset, "path") for dataset in entries("datasets")]
    named += [
        (examples, "file")
        for examples in entries("experiments", "propagation", "examples")
    ]
    extractors = raw.get("extractors")
    inception = extractors.get("inception") if isinstance(extractors, dict) else None
    named += [(inception, "path")]
    for entry, key in named:
        path = entry.get(key) if isinstance(entry, dict) else None
        if isinstance(path, str) and not Path(path).exists() and (ROOT / path).exists():
            entry[key] = str(ROOT / path)
    return raw


def typed(value):
    """What stands within lists and mappings of --config, which Snakemake hands on as text."""
    if isinstance(value, dict):
        return {key: typed(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [typed(entry) for entry in value]
    if not isinstance(value, str):
        return value
    for number in (int, float):
        try:
            return number(value)
        except ValueError:
            pass
    return {"true": True, "false": False, "null": None}.get(value.lower(), value)


update_config(config, typed(dict(workflow.config_settings.config)))

try:
    CONFIG = settings.load_config(locate_tables(dict(config)))
except InflationaryFlowsError as problem:
    raise WorkflowError(f"config: {problem}") from None

RESOLVED = settings.resolve(CONFIG)
RESOLVED_PATH = "results/config.resolved.yaml"
EXPERIMENTS = RESOLVED["experiments"]

# Sorted, so that the order of entries in the configuration changes nothing.
DATASETS = sorted(CONFIG.datasets)
PAIRS = [
    (name, schedule)
    for name in DATASETS
    for schedule in sorted(CONFIG.datasets[name].schedules)
]
SEEDS = sorted(CONFIG.seeds)
FLOWS = [(name, schedule, seed) for name, schedule in PAIRS for seed in SEEDS]
SCHEDULES = {
    name: settings.schedule_settings(CONFIG, name)
    for name in sorted({schedule for _, schedule in PAIRS})
}
# For wildcards beside each other in one file name.
ANY_DATASET = "|".join(DATASETS)
ANY_SCHEDULE = "|".join(re.escape(name) for name in SCHEDULES)


# Files to fetch: (data set or other owner, file name) -> its url and checksum. Each file of rules may add its own.
DOWNLOADS = {
    (name, file_name(item.url)): {"url": item.url, "checksum": item.checksum}
    for name in DATASETS
    for item in CONFIG.datasets[name].download or []
}


# Figures, animations and tables, with their titles and captions.
REGISTRY = read_registry(ROOT / "rules/figures.yaml")


def in_report(path):
    """A file as Snakemake's report shows it, with number, title and caption of rules/figures.yaml."""
    shown, wildcards = REGISTRY.find(path)
    return report(
        path,
        caption=str(ROOT / "docs/captions" / shown.caption),
        category=shown.category,
        labels={
            "number": shown.label,
            "title": shown.title,
            "of": ", ".join(wildcards.values()) or "all",
        },
    )


# Tables of results/tables that are merged from small ones: name -> small tables. Each file of rules adds its own.
PARTS = {}


def per_flow(pattern, flows=FLOWS):
    """A pattern with {dataset}, {schedule} and {seed}, filled in for each flow."""
    return [pattern.format(dataset=d, schedule=s, seed=n) for d, s, n in flows]


def per_dataset(pattern):
    """A pattern with {dataset}, filled in for each data set."""
    return [pattern.format(dataset=d) for d in DATASETS]


def image_of(dataset):
    """Format of a data set's images, from its settings alone; None for toys and tables."""
    return find_image_format(settings.dataset_settings(CONFIG, dataset))


def dimension_of(dataset):
    """Number of coordinates D of a data set, from names and headers alone."""
    chosen = settings.dataset_settings(CONFIG, dataset)
    toy = find_toy(chosen)
    if toy is not None:
        return toy.dimension
    image = image_of(dataset)
    return table_dimension(chosen) if image is None else image.dimension


def kind_of(flow):
    """Kind of a flow's data set."""
    return CONFIG.datasets[flow[0]].kind


def is_reducing(schedule):
    """Whether a schedule reduces the participation ratio (PRR) instead of preserving it (PRP)."""
    return CONFIG.schedules[schedule].kept_dims is not None


def dataset_of(wildcards):
    """What the points of a data set depend on; files that they are read from are inputs instead."""
    chosen = settings.dataset_settings(CONFIG, wildcards.dataset)
    return {
        key: value
        for key, value in chosen.items()
        if key not in ("path", "checksum", "download")
    }


def files_of(wildcards):
    """Files that a data set is read from, fetched or the user's own; toys and digits have none."""
    dataset = CONFIG.datasets[wildcards.dataset]
    if dataset.download:
        return [
            downloaded(wildcards.dataset, file_name(item.url))
            for item in dataset.download
        ]
    return [dataset.path] if dataset.path else []


def checksum_of(wildcards):
    """Checksum of the user's own file; those of fetched ones are checked as they arrive."""
    return CONFIG.datasets[wildcards.dataset].checksum


def downloaded(owner, file):
    """Where the rule fetch_file puts a file."""
    return f"results/downloads/{owner}/{file}"


def schedule_of(wildcards):
    """Keyword arguments of `make_schedule`."""
    return settings.schedule_settings(CONFIG, wildcards.schedule, wildcards.dataset)


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
    """Parts that a batch is cut into, where the result depends on it: dropout is drawn part by part."""
    job = job_of(wildcards)
    return (
        max(1, job.gpu) * job.accumulate if network_of(wildcards).get("dropout") else 1
    )


def gpus_for_training(wildcards):
    """GPUs of a training."""
    return job_of(wildcards).gpu


def one_gpu_of(wildcards):
    """One GPU for what evaluates a network that was trained on any."""
    return min(1, job_of(wildcards).gpu)


@cache
def computed_digest(script):
    """Digest of a script and of the library modules that it imports."""
    return source_digest(LIBRARY / f"{script}.py", LIBRARY)


def digest_of(script):
    """Digest of a rule's script, computed when a job needs it: one that runs on a cluster needs its own alone."""
    return lambda wildcards: computed_digest(script)


def tell_failures():
    """Prints what failed jobs of a cluster wrote down. Local ones have said it themselves."""
    if workflow.local_exec:
        return
    found = []
    for path in sorted(Path("results/logs").rglob("*.log")):
        if path.stat().st_mtime >= STARTED:
            _, error, what = path.read_text(errors="replace").partition(" ERROR ")
            found += [f"{path}: {what[:2000].rstrip()}"] if error else []
    # Logs of jobs that ended well are deleted.
    submitted = Path(".snakemake/slurm_logs").rglob("*.log")
    kept = [str(path) for path in submitted if path.stat().st_mtime >= STARTED]
    found += ["What SLURM says of failed jobs:", *sorted(kept)] if kept else []
    print(*found, sep="\n", file=sys.stderr)


def write_resolved_config():
    """Writes the configuration with all defaults beside the results, unless it stands there already."""
    settings_text = yaml.safe_dump(RESOLVED, sort_keys=False, allow_unicode=True)
    # Files beside the Snakefile are found there again.
    text = f"# Every setting of this run, defaults included.\n{settings_text}"
    text = text.replace(f"{ROOT}/", "")
    path = Path(RESOLVED_PATH)
    if path.is_file() and path.read_text() == text and sidecar_of(path.name).is_file():
        return
    files = workflow.overwrite_configfiles or [ROOT / "config.yaml"]
    recorder = Recorder("configuration", inputs=files, repository=ROOT)
    with recorded(recorder), atomic_write(path) as temporary:
        temporary.write_text(text)
