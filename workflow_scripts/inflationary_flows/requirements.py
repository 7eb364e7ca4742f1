"""What checks of the configuration ask for in several places, and the words of their messages.

Sections of experiments are checked with these, so nothing here imports the package `config`, or torch.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from inflationary_flows.errors import ConfigError, cut, shorten

# Kernel variance at which a schedule starts, if nobody says otherwise.
USUAL_GAMMA0 = 5e-4


def usual_signal_left(kept_dims: int | None) -> float:
    """What is left of the signal at the end of a schedule that keeps so many dimensions, if nobody says otherwise."""
    return 1e-2 if kept_dims is None else 1e-4


def did_you_mean(word: Any, known: Iterable[Any]) -> str | None:
    """Returns the known word nearest to a misspelt one, if any is near."""
    near = difflib.get_close_matches(str(word), [str(name) for name in known], n=1, cutoff=0.6)
    return near[0] if near else None


def suggest(word: Any, known: Iterable[Any], otherwise: str) -> str:
    """Returns a hint: the known word that was meant, or else what to do."""
    near = did_you_mean(word, known)
    return f'did you mean "{near}"?' if near else otherwise


def listing(words: Iterable[Any]) -> str:
    """Writes alternatives: a, b, c; signs are in quotes."""
    return ", ".join(str(word) if any(map(str.isalnum, str(word))) else f'"{word}"' for word in words)


def counted(number: int, what: str) -> str:
    """Writes a number of things: 1 flow, 2 flows."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def describe_value(value: Any) -> str:
    """Writes a value of the configuration as messages say it, such as: the text 'fast'."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {shorten(value)}"
    if isinstance(value, Mapping):
        return f"a mapping ({shorten(dict(value))})" if value else "an empty mapping"
    if isinstance(value, list):
        return f"the list {shorten(value)}" if value else "an empty list"
    return shorten(value)


def key_of(where: str) -> str:
    """The last key of a place: circles of experiments.images.circles."""
    return where.rpartition(".")[2]


def require_known(name: str, known: Iterable[str], where: str, what: str, section: str) -> None:
    """Raises `ConfigError` if a name refers to nothing that a section defines."""
    known = list(known)
    if name not in known:
        hint = suggest(name, known, f"define it under {section}, or use one of these.")
        raise ConfigError(where, f"one of the {what} {listing(known)}", f'the unknown name "{name}"', hint)


def require_unique(values: Sequence[Any], where: str, what: str) -> None:
    """Raises `ConfigError` if a value stands in a list twice."""
    seen = set()
    for value in values:
        if value in seen:
            raise ConfigError(where, f"every {what} once", f"{value} twice", "remove one of them.")
        seen.add(value)


def require_one(given: Mapping[str, Any], where: str, hint: str) -> None:
    """Raises `ConfigError` unless exactly one of two keys has a value."""
    left_out = [value is None for value in given.values()]
    if left_out.count(True) != 1:
        got = "neither" if all(left_out) else "both"
        raise ConfigError(where, f"exactly one of {' and '.join(given)}", got, hint)


def require_file(path: str, where: str, or_folder: bool = False) -> None:
    """Raises `ConfigError` if there is no such file, or folder where one will do, or Snakemake cannot take its name."""
    expected = "an existing file or folder" if or_folder else "an existing file"
    if not (os.path.isfile(path) or (or_folder and os.path.isdir(path))):
        got = f'"{cut(path)}", which is {"a directory" if os.path.isdir(path) else "missing"}'
        hint = f"paths start at the configuration, at the working directory, {Path.cwd().name}/, or at the Snakefile."
        raise ConfigError(where, expected, got, hint)
    if re.search(r"\{.*\}", path, re.DOTALL):
        hint = "rename the file or its folder: Snakemake takes what is between braces for a wildcard."
        raise ConfigError(where, f"{expected} without braces in its path", f'"{cut(path)}"', hint)


# Rate times time: the variance of the noise grows by its exponential, and exp(700) is the largest number.
_MOST_GROWTH, _LEAST_GROWTH, _LEAST_START = 300.0, 1e-6, 1e-100


def growth_problem(rate: float, first: float, last: float, kernel: str) -> tuple[str, str] | None:
    """What is expected of times and what was got instead, where a noise schedule would not be finite.

    Arguments:
        rate: Rate of the fastest direction: rho, or twice that if dimensions are kept.
        first, last: Times at which the schedule begins and ends.
        kernel: Family of kernels.
    """
    if not rate * last <= _MOST_GROWTH:
        return f"a time of at most {_MOST_GROWTH / rate:.4g}, at the rate {rate:g}", f"{last:g}"
    if not rate * (last - first) >= _LEAST_GROWTH:
        expected = f"a time of at least {first + _LEAST_GROWTH / rate:.4g}, at the rate {rate:g} from {first:g} on"
        return expected, f"{last:g}"
    if kernel == "proportional" and not rate * first >= _LEAST_START:
        return "a beginning at which a proportional kernel is not zero", f"t_min = {first:g}"
    return None


def require_mixture(weights: Sequence[float], components: Mapping[str, Sequence[Any]], where: str, each: str) -> None:
    """Raises `ConfigError` if weights do not add up to 1, or there are not as many means and deviations.

    Arguments:
        weights: Weights of the components.
        components: What each component has one of, by key.
        where: Place of the mixture.
        each: What one component has, such as: lists, one a component.
    """
    if abs(sum(weights) - 1) > 1e-9:
        got = f"{sum(weights):.6g}"
        raise ConfigError(f"{where}.weights", "weights that add up to 1", got, "normalise them.")
    for key, values in components.items():
        if len(values) != len(weights):
            raise ConfigError(
                f"{where}.{key}",
                f"{len(weights)} {each}",
                str(len(values)),
                "give every component a mean, a standard deviation and a weight.",
            )


def require_fixed_steps(solvers: Collection[str], where: str, hint: str) -> None:
    """Raises `ConfigError` if a solver that chooses its own steps is among those with given numbers of steps."""
    if "dopri5" in solvers:
        expected = "solvers with a fixed number of steps"
        raise ConfigError(f"{where}.dopri5", expected, "dopri5, which chooses its own", hint)


def require_fit(kept_dims: int | None, schedule: str, dataset: str, dimension: int) -> None:
    """Raises `ConfigError` if a schedule keeps as many dimensions as a data set has, D, or more."""
    if kept_dims is not None and kept_dims >= dimension:
        expected = f"an integer from 1 to {dimension - 1}" if dimension > 1 else "no kept_dims"
        raise ConfigError(
            f"schedules.{schedule}.kept_dims",
            f'{expected} (data set "{dataset}" has D = {dimension})',
            str(kept_dims),
            f"name a schedule with fewer kept dimensions, or list {dataset} under another one.",
        )
