"""The one list of experiments: every folder beside this module that has a `spec.py`.

Rules of measurements and figures, merged tables, targets of stages, both reports, the JSON schema, the pages on figures
and results, and parameters of tests follow from it.  A spec imports no torch, so that every start of Snakemake can read
all of them, and no measurement imports a spec, so that a caption never reruns a number.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from inflationary_flows.errors import ConfigError

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study

Kind = Literal["figures", "animations", "tables"]
RESULTS = "results"
# What one of each kind is called, and the suffixes of its files; the folder of results has the name of the kind.
NAMES: dict[Kind, str] = {"figures": "Figure", "animations": "Animation", "tables": "Table"}
SUFFIXES: dict[Kind, tuple[str, ...]] = {"figures": (".png", ".pdf"), "animations": (".gif",), "tables": (".csv",)}
_WILDCARD = re.compile(r"\{(\w+)\}")
# What a spec may name: targets of Snakemake, files of `envs`, and what `workflow_scripts/measure.py` reads.
STAGES = ("data", "metrics", "figures", "animations", "inference", "calibration", "images", "baselines", "reporting")
ENVIRONMENTS = ("baselines", "data", "figures", "images", "inference", "metrics", "report", "train")
NEEDS = ("splits", "eigenbasis", "eigenbases", "mixture", "dataset", "published", "log")
# Columns that name the flow a row belongs to.
FLOW_COLUMNS = {"dataset": "data set", "schedule": "schedule", "seed": "training seed"}
# Those of tables of images, whose flows are those of the first training seed.
IMAGE_COLUMNS = {"dataset": "data set", "schedule": "schedule", "sample_seed": "seed of the set of images"}


@dataclass(frozen=True)
class Shown:
    """A figure, an animation or a table, as reports and the documentation show it.

    Attributes:
        key: Name of its files without suffix; may have wildcards in braces.
        number: The paper's, or A1, A2, ... for its appendix, B1, B2, ... for what it does not have.
        title: What it shows, a few words.
        category: Section of reports.
        caption: Two to nine sentences of reStructuredText; wildcards as {{ snakemake.wildcards.dataset }}.
        exists: Whether a configuration has data for it; by default if its experiment has.
    """

    key: str
    number: str
    title: str
    category: str
    caption: str
    exists: Callable[[Study], bool] | None = field(default=None, kw_only=True)

    @property
    def kind(self) -> Kind:
        """The folder of results that it is in."""
        return "figures"

    @property
    def label(self) -> str:
        """What it is called, such as Figure 2."""
        return f"{NAMES[self.kind]} {self.number}"

    @property
    def paths(self) -> tuple[str, ...]:
        """Its files, with wildcards."""
        return tuple(f"{RESULTS}/{self.kind}/{self.key}{suffix}" for suffix in SUFFIXES[self.kind])

    @property
    def wildcards(self) -> tuple[str, ...]:
        """Wildcards of its key."""
        return tuple(_WILDCARD.findall(self.key))

    @property
    def name(self) -> str:
        """Its key without wildcards: samples for samples_{dataset}."""
        return re.sub(r"_?\{\w+\}", "", self.key) or NAMES[self.kind].lower()

    @property
    def caption_file(self) -> str:
        """Name of a file with its caption, for Snakemake's own report."""
        return f"{self.kind}_{self.name}.rst"


@dataclass(frozen=True)
class Figure(Shown):
    """A figure: results/figures/{key}.pdf and .png."""


@dataclass(frozen=True)
class Animation(Shown):
    """An animation: results/animations/{key}.gif."""

    @property
    def kind(self) -> Kind:
        """The folder of results that it is in."""
        return "animations"


@dataclass(frozen=True)
class Table(Shown):
    """A table: results/tables/{key}.csv.

    Attributes:
        columns: What each column holds, by name, in the order of the file; Markdown.
        notes: Markdown that stands below the columns: metrics, special cases.
    """

    columns: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    notes: str = field(default="", kw_only=True)

    @property
    def kind(self) -> Kind:
        """The folder of results that it is in."""
        return "tables"


@dataclass(frozen=True)
class Measurement:
    """How an experiment is measured: by the function `measure` of its `measure.py`, one job a data set, or one in all.

    The function takes flows and arrays and returns `Measured`; it knows no files.  The workflow reads what it `needs`,
    hands over `params` by name, and writes each row of a table preceded by what it belongs to.

    Attributes:
        minutes: Expected minutes of a call on one core.
        environment: Conda environment of its job, a file of `envs`.
        flows: Flows that are looked at.  With `each_flow` the function is called once a flow, and rows are preceded by
            data set, schedule and seed; else once a data set with all of them, and rows are preceded by the data set.
        datasets: Instead of flows: data sets that are looked at.  Neither: the whole configuration, in one job.
        each_flow: See `flows`.
        needs: Names of what the function takes besides, as `workflow_scripts/measure.py` reads it: `splits`,
            `eigenbasis`, `eigenbases`, `mixture`, `dataset`, `published`, `log`.
        reads: Tables and other files that it takes besides, by name.
        params: What its numbers depend on, by name; by default the settings of the experiment without data sets.
        tables: Keys of the tables that it makes; by default those that the experiment shows.
        arrays: Names of arrays that figures show, each in a file results/metrics/{dataset}/{name}.npz.
        posteriors: Names of draws, each in a file results/inference/{dataset}/{name}.nc.
        rows: Names of rows with the columns of a data set, each in a file results/{name}/{dataset}.csv.
        columns: Names of tables that are too long for text, each in a file results/{name}/{dataset}.parquet.
        samples: Whether flows are sampled from with compressed latents of training data.
    """

    minutes: float
    environment: str
    flows: Callable[[Study], Sequence[FlowName]] | None = None
    datasets: Callable[[Study], Sequence[str]] | None = None
    each_flow: bool = True
    needs: tuple[str, ...] = ()
    reads: Callable[[Study, str], Mapping[str, Sequence[str]]] | None = None
    params: Callable[[Study, str], Mapping[str, Any]] | None = None
    tables: tuple[str, ...] | None = None
    arrays: tuple[str, ...] = ()
    posteriors: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    samples: bool = False


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes:
        stage: Target of Snakemake that it belongs to; None for what is made on demand, by its own name.
        shown: Its tables, figures and animations.
        settings: Type of its section of the configuration, under `experiments`; None if it has none.
        measurement: How it is measured; None if rules of a pipeline do it, or if it only shows what others measure.
        parts: Small tables of those of its tables that rules of a pipeline measure, by key.
        reads: What its pictures read besides its own tables: files by name; of pictures a data set, for that data set.
        drawing: What its pictures depend on besides: params by name.  Labels are none: they are read where they stand.
        datasets: Of pictures a data set: the data sets that there is one of.
        when: Whether a configuration has data for it at all; by default if it measures some.
        environment: Conda environment of the job that draws.
        of_tables: Whether it is made where all data sets are tables of the user's, too; others then have to be named.
        name: Name of its folder, filled in by `experiments()`.
        about: What it is about: the docstring of its package, filled in likewise.
    """

    stage: str | None
    shown: tuple[Shown, ...] = ()
    settings: Any = None
    measurement: Measurement | None = None
    parts: Callable[[Study], Mapping[str, Sequence[str]]] | None = None
    reads: Callable[[Study, str], Mapping[str, Sequence[str]]] | None = None
    drawing: Callable[[Study, str], Mapping[str, Any]] | None = None
    datasets: Callable[[Study], Sequence[str]] | None = None
    when: Callable[[Study], bool] | None = None
    environment: str = "figures"
    of_tables: bool = False
    name: str = ""
    about: str = ""

    @property
    def tables(self) -> tuple[Table, ...]:
        """Its tables."""
        return tuple(shown for shown in self.shown if isinstance(shown, Table))

    @property
    def pictures(self) -> tuple[Shown, ...]:
        """Its figures and animations."""
        return tuple(shown for shown in self.shown if not isinstance(shown, Table))


def settings_of(name: str, *keys: str) -> Callable[[Study, str], dict[str, Any]]:
    """Params of a measurement that are some settings of an experiment, its own or another's."""
    # Settings that are left out have no default but None.
    return lambda study, dataset: {key: study.experiments[name].get(key) for key in keys}


@cache
def experiments() -> Mapping[str, Experiment]:
    """All experiments by name.

    Raises:
        ConfigError: if a spec is no experiment, names what is not there, or shows something of the same kind under a
            number or a name that is taken.
    """
    found: dict[str, Experiment] = {}
    taken: dict[tuple[Kind, str], str] = {}
    for path in sorted(Path(__file__).parent.glob("*/spec.py")):
        name = path.parent.name
        found[name] = _read(path.parent)
        for shown in found[name].shown:
            for what in (shown.label, shown.key):
                if (shown.kind, what) in taken:
                    expected = f"{shown.kind} of one number and one key each"
                    got = f"{what} in {taken[shown.kind, what]} too"
                    raise ConfigError(f"experiments/{name}/spec.py", expected, got, "take the next free one.")
                taken[shown.kind, what] = name
    return found


def _read(folder: Path) -> Experiment:
    """One experiment, or what is wrong with its spec."""
    where = f"experiments/{folder.name}/spec.py"
    try:
        package, module = (importlib.import_module(f"{__package__}.{folder.name}{part}") for part in ("", ".spec"))
        experiment = module.EXPERIMENT
    except ConfigError:
        raise
    except Exception as problem:
        got = f"{type(problem).__name__}: {problem}"
        hint = "the section on experiments in docs/extending.md has a whole one."
        raise ConfigError(where, "Python that defines EXPERIMENT", got, hint) from problem
    if not isinstance(experiment, Experiment):
        hint = "EXPERIMENT = Experiment(stage=...) makes one."
        raise ConfigError(where, "EXPERIMENT to be an Experiment", f"a {type(experiment).__name__}", hint)
    measurement = experiment.measurement
    environments = [experiment.environment, *([measurement.environment] if measurement else [])]
    for key, names, known in (
        ("stage", [experiment.stage] if experiment.stage is not None else [], STAGES),
        ("environment", environments, ENVIRONMENTS),
        ("measurement.needs", measurement.needs if measurement else [], NEEDS),
    ):
        for name in names:
            if name not in known:
                raise ConfigError(f"{where}: {key}", f"one of {', '.join(known)}", repr(name), "correct it.")
    for module_name, wanted in (("measure", measurement is not None), ("figure", bool(experiment.pictures))):
        if wanted and not (folder / f"{module_name}.py").is_file():
            hint = "write it, or take what needs it out of the spec."
            raise ConfigError(where, f"a {module_name}.py beside it", "none", hint)
    return replace(experiment, name=folder.name, about=(package.__doc__ or folder.name).strip())


@cache
def all_shown() -> tuple[Shown, ...]:
    """Figures, then animations, then tables, each in the order of the paper."""
    shown = [shown for experiment in experiments().values() for shown in experiment.shown]
    kinds = list(NAMES)
    return tuple(sorted(shown, key=lambda one: (kinds.index(one.kind), _place(one.number))))


def _place(number: str) -> tuple[str, int]:
    """Numbers of the paper first, then A1, A2, ..., B1, B2, ..."""
    match = re.fullmatch(r"([A-Z]?)(\d+).*", number)
    if match is None:
        raise ConfigError(number, "a number such as 2, A1 or B12", repr(number), "correct it in spec.py.")
    return match[1], int(match[2])


def owner_of(shown: Shown) -> Experiment:
    """The experiment that shows something."""
    return next(experiment for experiment in experiments().values() if shown in experiment.shown)


def find(path: str, known: Mapping[str, Collection[str]] | None = None) -> tuple[Shown, dict[str, str]] | None:
    """Finds what a file shows.

    Arguments:
        path: The file, such as results/figures/samples_digits.png, with or without `results`; wildcards in braces
            stand for themselves.
        known: Values that wildcards can have, by their names; a wildcard that it does not name can have any.

    Returns:
        The entry and the values of its wildcards, or None if there is none.
    """
    parts = PurePosixPath(path).parts
    folder, name = parts[-2:] if len(parts) - (parts[:1] == (RESULTS,)) == 2 else ("", "")
    suffix = PurePosixPath(name).suffix
    stem = name.removesuffix(suffix)
    chosen = [shown for shown in all_shown() if shown.kind == folder and suffix in SUFFIXES[shown.kind]]
    for shown in chosen:
        if shown.key == stem:
            return shown, {wildcard: f"{{{wildcard}}}" for wildcard in shown.wildcards}
    # The more of a key is no wildcard, the surer the match.
    for shown in sorted(chosen, key=lambda shown: -len(_WILDCARD.sub("", shown.key))):
        match = re.fullmatch(_pattern(shown.key, known or {}), stem)
        if match:
            return shown, match.groupdict()
    return None


def _pattern(key: str, known: Mapping[str, Collection[str]]) -> str:
    """A key as a regular expression."""
    texts = _WILDCARD.split(key)
    for place in range(1, len(texts), 2):
        values = "|".join(map(re.escape, known.get(texts[place], ())))
        texts[place] = f"(?P<{texts[place]}>{values if texts[place] in known else '.+'})"
    texts[::2] = map(re.escape, texts[::2])
    return "".join(texts)
