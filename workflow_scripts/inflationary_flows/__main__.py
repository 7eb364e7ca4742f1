"""Command line, such as `inflationary-flows fit wine.csv --keep 2 -o wine.safetensors`.

Commands: `fit` and others that fit and use flows (`command_line`), `check` and `resolve` for a configuration of the
workflow, `schema` for what editors complete from, `figures` and `results` for the pages on figures and on tables.
"""

from __future__ import annotations

import argparse
import io
import json
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from inflationary_flows import __version__
from inflationary_flows.command_line import EPILOGUE, add_commands
from inflationary_flows.errors import ConfigError, DataError, InflationaryFlowsError
from inflationary_flows.requirements import counted

if TYPE_CHECKING:
    from inflationary_flows.config.models import Config


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Arguments:
        arguments: Those of the command line, without the program's name; by default `sys.argv`'s.

    Returns:
        The exit code: 0, or 2 with one message on standard error if the user's input is wrong.
    """
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Not every locale has every letter of a name.
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = lambda message, *_: print(message, file=sys.stderr)
    try:
        options.run(options)
        sys.stdout.flush()
    except InflationaryFlowsError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{options.command}: stopped.", file=sys.stderr)
        return 130
    return 0


# The library of configurations is imported by the commands that need it: a wrong spec of an experiment is an error of
# the user's as well.


def _check(options: argparse.Namespace) -> None:
    config = _loaded(options)
    name = ", ".join(options.config)
    tables = list(_read_tables(config, name))
    print("".join(f"{line}\n" for line in tables), end="")
    flows = sum(len(dataset.schedules) for dataset in config.datasets.values()) * len(config.seeds)
    print(f"{name}: ok ({counted(len(config.datasets), 'data set')}, {counted(flows, 'flow')})")


def _resolve(options: argparse.Namespace) -> None:
    from inflationary_flows.config import resolve

    print(json.dumps(resolve(_loaded(options)), indent=2))


def _folder(options: argparse.Namespace) -> None:
    from inflationary_flows.config import folder_of_run

    print(folder_of_run([Path(file) for file in options.config]) or ".")


def _schema(options: argparse.Namespace) -> None:
    from inflationary_flows.config import export_schema

    print(json.dumps(export_schema(), indent=2))


def _page(options: argparse.Namespace) -> None:
    from inflationary_flows.report.catalogue import PAGES

    print(PAGES[options.command](), end="")


def _loaded(options: argparse.Namespace) -> Config:
    from inflationary_flows.config import load_config

    return load_config(options.config, say=lambda note: print(note, file=sys.stderr))


def _read_tables(config: Config, where: str) -> Iterator[str]:
    """Reads and splits the user's own tables, as their jobs will, and yields what was understood of each."""
    from inflationary_flows.config import dataset_settings
    from inflationary_flows.config.study import Study
    from inflationary_flows.data.preparation import make_splits, warnings_of
    from inflationary_flows.data.tables import TABLE_KINDS, read_points, understood

    examples = Study(config).experiments["propagation"]["examples"]
    for name, dataset in config.datasets.items():
        if dataset.kind in TABLE_KINDS:
            try:
                record = make_splits(dataset_settings(config, name)).provenance
                last, chosen = record["sizes"]["test"] - 1, examples.get(name, {})
                if (highest := max(chosen.get("indices") or [0])) > last:
                    hint = f"choose other `indices` in experiments.propagation.examples.{name}."
                    raise DataError("the test split", f"rows from 0 to {last}", f"the example {highest}", hint)
                names = chosen.get("noise_std")
                if isinstance(names, dict) and set(names) != set(record["columns"]):
                    hint = f"name each column once in experiments.propagation.examples.{name}.noise_std."
                    raise DataError("noise_std", f"the columns {', '.join(record['columns'])}", ", ".join(names), hint)
                if chosen.get("file"):
                    read_points(chosen["file"], record["dimension"], record)
            except DataError as problem:
                place = f"{where}: datasets.{name}: {problem.where}"
                raise ConfigError(place, problem.expected, problem.got, problem.hint) from problem
            yield f"{name}: table read with {understood(record['table'])}"
            yield from (f"{name}: warning: {warning}" for warning in warnings_of(record))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="inflationary-flows",
        description="Fits flows to tables and uses them; checks configurations of the workflow.",
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    add_commands(commands)
    for name, act, about in (
        ("check", _check, "check a configuration"),
        ("resolve", _resolve, "print a configuration with every default written out"),
        ("folder", _folder, "print the folder whose `results` are those of a configuration"),
        ("schema", _schema, "print the JSON schema of configurations"),
        ("figures", _page, "print what figures and animations show, as Markdown"),
        ("results", _page, "print what columns of tables hold, as Markdown"),
    ):
        command = commands.add_parser(name, help=about)
        command.set_defaults(run=act)
        if act in (_check, _resolve, _folder):
            about = "files, of which the later ones win; default: config.yaml"
            command.add_argument("config", nargs="*", default=["config.yaml"], help=about)
    return parser


def run() -> None:
    """The program: one command of the command line, and its exit code."""
    # A reader that has seen enough, such as head, ends the program without a word.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())


if __name__ == "__main__":
    run()
