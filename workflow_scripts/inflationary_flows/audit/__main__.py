"""Command line: `python -m inflationary_flows.audit results/`, `python -m inflationary_flows.audit trace FILE`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from inflationary_flows.audit.checks import Audit, audit, printable
from inflationary_flows.audit.trace import trace
from inflationary_flows.errors import InflationaryFlowsError

_TRACE = "trace"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Arguments:
        arguments: Those of the command line, without the program's name; by default `sys.argv`'s.

    Returns:
        The exit code: 0, 1 if the audit found anything, or 2 with one message if the user's input is wrong.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    tracing = given[:1] == [_TRACE]
    options = _trace_parser().parse_args(given[1:]) if tracing else _audit_parser().parse_args(given)
    try:
        if tracing:
            for line in trace(options.file, scripts_beside()):
                print(printable(line))
            return 0
        found = audit(options.results, scripts_beside())
    except InflationaryFlowsError as error:
        print(*map(printable, str(error).splitlines()), sep="\n", file=sys.stderr)
        return 2
    print(summarise(found))
    return 1 if found.findings else 0


def summarise(found: Audit) -> str:
    """An audit as text: findings by path, then what was checked."""
    checked = f"{found.artifacts} artifacts of {found.jobs} jobs, {found.bytes / 1e6:.1f} MB"
    wrong = f"{len(found.findings)} findings" if found.findings else "nothing wrong"
    return "\n".join([*map(str, found.findings), *map(printable, found.notes), f"{checked}: {wrong}"])


def scripts_beside() -> Path | None:
    """Folder of the rules' scripts, if this library lies next to them as in the repository."""
    folder = Path(__file__).parents[2]
    return folder if (folder / "measure.py").is_file() else None


def _audit_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m inflationary_flows.audit",
        description="Checks a folder of results: exit code 1, with a list, if anything is wrong.",
        epilog=f"To follow a file back to data and seeds: python -m inflationary_flows.audit {_TRACE} FILE",
    )
    parser.add_argument("results", type=Path, help="folder of results")
    return parser


def _trace_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m inflationary_flows.audit {_TRACE}",
        description="Prints the chain of a file back to data and seeds as a tree.",
    )
    parser.add_argument("file", type=Path, help="a file below a folder of results")
    return parser


if __name__ == "__main__":
    # A reader that has seen enough, such as head, ends the program without a word.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
