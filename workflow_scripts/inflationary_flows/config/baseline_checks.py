"""Checks of the comparison with injective flows against data sets, schedules, and the methods that there are."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from inflationary_flows.baselines.discovery import method_names, option_names
from inflationary_flows.config.baselines import ComparedMethod, Options
from inflationary_flows.config.image_sources import image_format
from inflationary_flows.config.messages import describe_value, did_you_mean, listing
from inflationary_flows.config.models import Config
from inflationary_flows.config.requirements import require_fit, require_known, require_unique
from inflationary_flows.errors import ConfigError

# Folders beside those of methods in results/baselines.
RESERVED = ("costs",)
_WORDS = {"int": "an integer", "float": "a number", "bool": "true or false", "str": "a text", "None": "null"}


def check_baselines(config: Config, dimensions: Mapping[str, int]) -> None:
    """Raises `ConfigError` for the first contradiction.

    Arguments:
        config: Configuration, well-formed section by section.
        dimensions: Number of coordinates of each data set.
    """
    baselines = config.baselines
    require_unique(baselines.seeds, "baselines.seeds", "seed")
    for name in baselines.datasets:
        _check_dataset(config, name, dimensions)
    for name, method in baselines.methods.items():
        _check_method(config, method, name)
    if baselines.datasets and not baselines.methods:
        got = f"none, with data sets {listing(baselines.datasets)}"
        raise ConfigError("baselines.methods", "at least one method", got, "configs/baselines.yaml compares four.")
    counts = {name: len(method.candidates) for name, method in baselines.methods.items()}
    for name, count in counts.items():
        first = next(iter(counts))
        if count != counts[first]:
            raise ConfigError(
                f"baselines.methods.{name}.candidates",
                f"{counts[first]} candidates, as many as {first} has",
                str(count),
                "a search is fair if every method has as many tries.",
            )


def _check_dataset(config: Config, name: str, dimensions: Mapping[str, int]) -> None:
    where = f"baselines.datasets.{name}"
    require_known(name, config.datasets, where, "datasets")
    compared = config.baselines.datasets[name]
    for schedule, budget in compared.schedules.items():
        place = f"{where}.schedules.{schedule}"
        require_known(schedule, config.schedules, place, "schedules")
        if config.schedules[schedule].kept_dims is None:
            raise ConfigError(
                place,
                "a schedule with kept_dims, the dimensions that injective flows map from",
                f"{schedule}, which preserves all",
                "name one of PRR, or remove it.",
            )
        require_fit(config.schedules[schedule], schedule, name, dimensions[name])
        require_known(budget, config.baselines.budgets, place, "budgets")
        _check_chart(config, name, budget)
    if compared.images is None:
        return
    require_unique(compared.images.sample_seeds, f"{where}.images.sample_seeds", "sample seed")
    if name not in config.experiments.images:
        raise ConfigError(
            f"{where}.images",
            f"a data set of experiments.images ({listing(config.experiments.images) or 'there is none'})",
            name,
            "list it there too: extractors and reference are read from there.",
        )


def _check_chart(config: Config, dataset: str, budget: str) -> None:
    chart, where = config.baselines.budgets[budget].chart, f"baselines.budgets.{budget}.chart"
    if chart.conditioner != "convolution":
        return
    image = image_format(config.datasets[dataset])
    if image is None:
        raise ConfigError(
            f"{where}.conditioner",
            f"mlp (data set {dataset} has points)",
            "convolution",
            f"give {dataset} another budget, or use mlp: only images have neighbouring pixels.",
        )
    channels, height, width = image.shape
    if height % chart.squeeze or width % chart.squeeze or channels * chart.squeeze**2 < 2:
        raise ConfigError(
            f"{where}.squeeze",
            f"a divisor of {height}" + (" above 1" if channels == 1 else "") + f" (data set {dataset})",
            str(chart.squeeze),
            "squares of pixels fill an image and become at least two channels: 2 or 4 do mostly.",
        )


def _check_method(config: Config, method: ComparedMethod, name: str) -> None:
    where = f"baselines.methods.{name}"
    if name in RESERVED:
        raise ConfigError(where, "another name", f'"{name}", a folder of results/baselines', "rename the method.")
    kinds = method_names()
    if method.kind not in kinds:
        near = did_you_mean(method.kind, kinds)
        raise ConfigError(
            f"{where}.kind",
            f"one of the kinds {listing(kinds)}",
            f'"{method.kind}"',
            f'did you mean "{near}"?' if near else "a kind is a module of inflationary_flows/baselines/methods.",
        )
    budgets = config.baselines.budgets
    for budget in method.steps:
        require_known(budget, budgets, f"{where}.steps.{budget}", "budgets")
    # By name, to see each once, in the order of the configuration.
    used = [budget for dataset in config.baselines.datasets.values() for budget in dataset.schedules.values()]
    for budget in dict.fromkeys(used):
        if budget not in method.steps:
            raise ConfigError(
                f"{where}.steps.{budget}",
                "an integer of at least 1",
                "nothing",
                "add the steps that take the same time as those of other methods with this budget.",
            )
    options = option_names(method.kind)
    _check_options(method.settings, options, method.kind, f"{where}.settings")
    for index, candidate in enumerate(method.candidates):
        _check_options(candidate, options, method.kind, f"{where}.candidates[{index}]")
        merged = [{**method.settings, **earlier} for earlier in method.candidates[: index + 1]]
        if merged[-1] in merged[:-1]:
            raise ConfigError(
                f"{where}.candidates[{index}]",
                "every candidate once",
                f"that of candidates[{merged.index(merged[-1])}] again",
                "change one of the two: they would be trained alike.",
            )


def _check_options(given: Options, options: Mapping[str, str], kind: str, where: str) -> None:
    for key, value in given.items():
        if key not in options:
            near = did_you_mean(key, options)
            raise ConfigError(
                f"{where}.{key}",
                f"one of the options {listing(options) or '(there is none)'} (kind {kind})",
                f'the unknown option "{key}"',
                f'did you mean "{near}"?' if near else "remove it: a kind's options are the fields of its Settings.",
            )
        if not _is_of(value, _members(options[key])):
            raise ConfigError(
                f"{where}.{key}",
                f"{_in_words(options[key])} (kind {kind})",
                describe_value(value),
                f"the option is annotated {options[key]} in the module {kind}.py of baselines/methods.",
            )


def _members(annotation: str) -> list[ast.expr]:
    """Alternatives of a type that is written as text: those between its bars."""
    waiting, members = [ast.parse(annotation, mode="eval").body], []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            waiting += [node.right, node.left]
        else:
            members.append(node)
    return members


def _literal(member: ast.expr) -> list[Any] | None:
    """Values of a `Literal[...]`; None for other types."""
    if isinstance(member, ast.Subscript) and ast.unparse(member.value).rpartition(".")[2] == "Literal":
        inner = member.slice.elts if isinstance(member.slice, ast.Tuple) else [member.slice]
        return [node.value for node in inner if isinstance(node, ast.Constant)]
    return None


def _is_of(value: Any, members: list[ast.expr]) -> bool:
    allowed = {ast.unparse(member) for member in members}
    choices = [choice for member in members for choice in _literal(member) or ()]
    # True and 1 are equal in Python, and 1 and 1.0.
    if any(type(choice) is type(value) and choice == value for choice in choices):
        return True
    if isinstance(value, int) and not isinstance(value, bool) and "float" in allowed:
        return True
    return ("None" if value is None else type(value).__name__) in allowed


def _in_words(annotation: str) -> str:
    words = []
    for member in _members(annotation):
        choices = _literal(member)
        text = ast.unparse(member)
        words.append(f"one of {listing(choices)}" if choices is not None else _WORDS.get(text, text))
    return " or ".join(words)
