"""Packages that only a part of the library needs, and the extra of this one that brings them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from inflationary_flows.errors import PackageError


@contextmanager
def needs(what: str, extra: str) -> Iterator[None]:
    """Turns the lack of a package that is imported within into one message.

    Arguments:
        what: What needs it, such as: the solver dopri5.
        extra: The extra of pyproject.toml that installs it.

    Raises:
        PackageError: if a package other than this one cannot be imported.
    """
    try:
        yield
    except PackageError:
        raise
    except ImportError as problem:
        package = (problem.name or str(problem)).partition(".")[0]
        if package == __package__:
            raise
        hint = f"pip install 'inflationary-flows[{extra}]'"
        error = PackageError(what, f"the package {package}", "none that can be imported", hint)
        error.name = package
        raise error from problem
