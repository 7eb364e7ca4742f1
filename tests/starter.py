"""Starts Snakemake many times and imports it once: half of the time of a dry run goes into imports.

A program that forks for each run. It reads one line of JSON a run and answers with the exit code. A run imports the
library itself, so that it is that of its own copy of the sources.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

# What every run imports sooner or later, the library apart.
IMPORTED = ("snakemake.cli", "snakemake.script", "snakemake.linting.snakefiles", "dpath", "jsonschema", "nbformat")
IMPORTED += ("docutils.core", "jinja2", "requests", "smart_open", "yte", "PIL.Image", "pydantic", "numpy")


@cache
def started() -> subprocess.Popen[str]:
    """The program, one for this process of the tests."""
    # Without the library, of which each run has its own.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    program = subprocess.Popen(
        [sys.executable, __file__], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(program.communicate)
    return program


def snakemake(arguments: Sequence[str], directory: Path, environment: Mapping[str, str], output: Path) -> int:
    """Runs `python -m snakemake` in a directory, what it says going into a file; gives its exit code."""
    run = {"arguments": list(arguments), "directory": str(directory), "environment": dict(environment)}
    program = started()
    pipe, answers = opened(program.stdin), opened(program.stdout)
    pipe.write(json.dumps({**run, "output": str(output)}) + "\n")
    pipe.flush()
    return int(answers.readline())


def opened(pipe: IO[str] | None) -> IO[str]:
    """A pipe that is there."""
    assert pipe is not None
    return pipe


def serve() -> None:
    """Forks for each line; returns in the process that is to become a run."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            become(json.loads(line))
            return
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    sys.exit()


def become(run: dict[str, Any]) -> None:
    """Makes this process what a shell would have started."""
    output = os.open(run["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for source, targets in ((os.open(os.devnull, os.O_RDONLY), (0,)), (output, (1, 2))):
        for target in targets:
            os.dup2(source, target)
        os.close(source)
    os.chdir(run["directory"])
    os.environ.clear()
    os.environ.update(run["environment"])
    # As `python -m` has it.
    sys.path[0] = os.getcwd()
    sys.argv = ["snakemake", *run["arguments"]]


if __name__ == "__main__":
    for name in IMPORTED:
        importlib.import_module(name)
    serve()
    sys.modules["snakemake.cli"].main()
