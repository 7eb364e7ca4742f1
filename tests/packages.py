"""What pyproject.toml asks for, and where the packages that bring a module are named otherwise."""

from __future__ import annotations

import tomllib
from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from repository import REPOSITORY

DISTRIBUTIONS = {
    "PIL": "pillow",
    "igl": "libigl",
    "mpl_toolkits": "matplotlib",
    "ot": "POT",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}


PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def distribution_of(module: str) -> str:
    """The name of what is installed for a module to be there."""
    return canonicalize_name(DISTRIBUTIONS.get(module, module))


def core_requirements() -> list[Requirement]:
    """What the library needs by itself."""
    return [Requirement(text) for text in PROJECT["dependencies"]]


def requirements_of(extra: str) -> list[Requirement]:
    """What an extra brings, those that it includes counted in."""
    found = []
    for one in map(Requirement, PROJECT["optional-dependencies"][extra]):
        own = one.name == PROJECT["name"]
        found += [each for name in sorted(one.extras) for each in requirements_of(name)] if own else [one]
    return found


def declared_requirements() -> list[Requirement]:
    """What the library and its extras need."""
    extras = [one for extra in PROJECT["optional-dependencies"] for one in requirements_of(extra)]
    return list({str(one): one for one in [*core_requirements(), *extras]}.values())


def closure(requirements: list[Requirement]) -> set[str]:
    """Names of the installed packages that requirements lead to, with what their extras ask for."""
    found: set[tuple[str, str]] = set()
    todo = [(canonicalize_name(one.name), extra) for one in requirements for extra in ("", *one.extras)]
    while todo:
        if (current := todo.pop()) not in found:
            found.add(current)
            needs = [Requirement(text) for text in distribution(current[0]).requires or []]
            todo += [
                (canonicalize_name(one.name), extra)
                for one in needs
                if one.marker is None or one.marker.evaluate({"extra": current[1]})
                for extra in ("", *one.extras)
            ]
    return {name for name, _ in found}
