"""The registry of figures, animations and tables, `rules/figures.yaml`.

A figure is a file results/figures/{key}.png and .pdf, an animation results/animations/{key}.gif, a table
results/tables/{key}.csv.  Keys may have wildcards, such as samples_{dataset}; a caption is named by what is left
without them.  Every start of Snakemake reads the registry: what renders captions is in a module of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from inflationary_flows.errors import ConfigError, shorten

FIGURES, ANIMATIONS, TABLES = "figures", "animations", "tables"
# Of each kind: what one is called, and the suffixes of its files. The folder has the name of the kind.
NAMES = {FIGURES: "Figure", ANIMATIONS: "Animation", TABLES: "Table"}
SUFFIXES = {FIGURES: (".png", ".pdf"), ANIMATIONS: (".gif",), TABLES: (".csv",)}
RESULTS = "results"
# The last section of the file: which rules make the inputs.
MAKERS = "makers"

_WILDCARD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Shown:
    """One entry of the registry: a figure, an animation or a table.

    Attributes:
        kind: `figures`, `animations` or `tables`.
        key: Name of its files without suffix; may have wildcards in braces.
        number: The paper's, or A1, A2, ... for its appendix, others for what it does not have.
        title: What it shows, a few words.
        category: Section of reports.
        rule: The rule that makes it; its script has the same name.
        inputs: Files that the rule reads, with wildcards.
    """

    kind: str
    key: str
    number: str
    title: str
    category: str
    rule: str
    inputs: tuple[str, ...]

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
    def caption(self) -> str:
        """Its caption below the folder of captions: samples.rst for samples_{dataset}."""
        name = re.sub(r"_?\{\w+\}", "", self.key) or NAMES[self.kind].lower()
        return f"{TABLES}/{name}.rst" if self.kind == TABLES else f"{name}.rst"


@dataclass(frozen=True)
class Registry:
    """All entries.

    Attributes:
        shown: Figures, animations and tables, each kind in the order of the paper.
        makers: The rule that makes an input, for those that are not among these.
    """

    shown: tuple[Shown, ...]
    makers: Mapping[str, str] = field(default_factory=dict)

    def find(
        self, path: str, known: Mapping[str, Collection[str]] | None = None
    ) -> tuple[Shown, dict[str, str]] | None:
        """Finds the entry of a file.

        Names of data sets and schedules have underscores, too, so that circles_in_3d_prp can be read in two ways. Of
        all readings the one counts whose first wildcard is longest.

        Arguments:
            path: The file, such as results/figures/samples_digits.png, with or without `results`; wildcards in braces
                stand for themselves.
            known: Values that wildcards can have, by their names, such as {"dataset": ["circles", "s_curve"]}. A
                wildcard that it does not name can have any.

        Returns:
            The entry and the values of its wildcards, or None if there is none.
        """
        parts = PurePosixPath(path).parts
        folder, name = parts[-2:] if len(parts) - (parts[:1] == (RESULTS,)) == 2 else ("", "")
        suffix = PurePosixPath(name).suffix
        stem = name.removesuffix(suffix)
        chosen = [shown for shown in self.shown if shown.kind == folder and suffix in SUFFIXES[shown.kind]]
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
    """A key as a regular expression; of known values longer ones are tried first."""
    texts = _WILDCARD.split(key)
    for place in range(1, len(texts), 2):
        values = sorted(known.get(texts[place], ()), key=lambda value: (-len(value), value))
        values = [re.escape(value) for value in values]
        texts[place] = f"(?P<{texts[place]}>{'|'.join(values) if texts[place] in known else '.+'})"
    texts[::2] = map(re.escape, texts[::2])
    return "".join(texts)


def read_registry(path: Path) -> Registry:
    """Reads `rules/figures.yaml`.

    Raises:
        ConfigError: if the file is missing or malformed, an entry lacks something, two have the same number or
            caption, or nothing says which rule makes an input.
    """
    hint = "the comments in the repository's own say what is in it."
    sections = [*NAMES, MAKERS]
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(str(path), "a registry of figures", "none", "check the path.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise ConfigError(str(path), "YAML", f"text that is not ({shorten(str(problem), 80)})", hint) from problem
    if not isinstance(content, dict) or list(content) != sections:
        raise ConfigError(str(path), f"the sections {', '.join(sections)}", shorten(content), hint)
    for section, entries in content.items():
        if not isinstance(entries, dict):
            raise ConfigError(f"{path}: {section}", "entries by their keys", shorten(entries), hint)
    makers = {str(made): str(rule) for made, rule in content.pop(MAKERS).items()}
    shown = tuple(
        _read_entry(f"{path}: {kind}.{key}", kind, str(key), entry)
        for kind, entries in content.items()
        for key, entry in entries.items()
    )
    for name in ("label", "caption"):
        _require_unique(str(path), shown, name)
    registry = Registry(shown, makers)
    for entry in shown:
        for item in entry.inputs:
            if item not in makers and registry.find(item) is None:
                where, hint = f"{path}: {entry.kind}.{entry.key}.inputs", f"add it to {MAKERS}."
                raise ConfigError(where, "files that a rule is known to make", item, hint)
    return registry


def _require_unique(where: str, shown: tuple[Shown, ...], name: str) -> None:
    """Checks that no two entries have the same label or caption."""
    seen: dict[str, Shown] = {}
    for entry in shown:
        value = getattr(entry, name)
        first = seen.setdefault(value, entry)
        if first is not entry:
            place, hint = f"{where}: {entry.kind}.{entry.key}", "change its number or its key."
            raise ConfigError(place, f"a {name} of its own", f"that of {first.key}, {value}", hint)


def _read_entry(where: str, kind: str, key: str, entry: Any) -> Shown:
    """Checks one entry."""
    names = [item.name for item in fields(Shown) if item.name not in ("kind", "key")]
    if not isinstance(entry, dict) or set(entry) != set(names):
        got = shorten(", ".join(map(str, entry)) if isinstance(entry, dict) else entry)
        raise ConfigError(where, f"the keys {', '.join(names)}", got, "add what is missing, remove what is too much.")
    for name in names[:-1]:
        if not isinstance(entry[name], str) or not entry[name].strip():
            raise ConfigError(f"{where}.{name}", "text", shorten(entry[name]), "put numbers in quotes.")
    inputs = entry["inputs"]
    if not isinstance(inputs, list) or not all(isinstance(item, str) for item in inputs):
        hint = "list what the rule reads; an empty list if that is the configuration alone."
        raise ConfigError(f"{where}.inputs", "a list of paths", shorten(inputs), hint)
    return Shown(kind=kind, key=key, **{name: entry[name] for name in names[:-1]}, inputs=tuple(inputs))
