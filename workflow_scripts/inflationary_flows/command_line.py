"""Commands that fit a flow to a table and use it: fit, sample, inflate, generate, log-prob, impute, summary."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inflationary_flows.errors import ConfigError
from inflationary_flows.extras import needs

if TYPE_CHECKING:
    import pandas as pd

    from inflationary_flows.artifacts.flows import Flow

_WRITTEN = ("csv", "parquet")
# Draws of which the median stands for a hole.
_MEDIAN_DRAWS = 200
EPILOGUE = """examples:
  inflationary-flows fit wine.csv --keep 2 --label-column target -o wine.safetensors
  inflationary-flows summary wine.safetensors
  inflationary-flows sample wine.safetensors -n 1000 -o new_wines.csv
  inflationary-flows inflate wine.safetensors wine.csv -o latents.csv
  inflationary-flows generate wine.safetensors latents.csv -o wines_again.csv
  inflationary-flows log-prob wine.safetensors wine.csv
  inflationary-flows impute wine.safetensors wine_with_holes.csv -o wine_completed.csv
  inflationary-flows fit wine.csv --keep any --label-column target -o any.safetensors
  inflationary-flows inflate any.safetensors wine.csv --keep 3 -o three.csv
"""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the commands to those of a parser."""
    fit = _command(commands, "fit", _fit, "fit a flow to a table", table="table of real numbers")
    fit.add_argument("-o", "--output", required=True, help="file of the flow, ending in .safetensors")
    fit.add_argument(
        "--keep",
        type=_kept,
        metavar="D",
        help="dimensions to reduce to (PRR), by default all are kept (PRP); with any the other commands choose",
    )
    fit.add_argument(
        "--schedule", default="floor", help="kernel: floor (default) or proportional; with --keep any, any"
    )
    fit.add_argument(
        "--columns",
        type=_names,
        metavar="A,B",
        help="columns to take, by default all but label and index; auto recognises what they may hold",
    )
    fit.add_argument("--positive", type=_names, default=[], metavar="A,B", help="columns of numbers above 0")
    fit.add_argument("--integer", type=_names, default=[], metavar="A,B", help="columns of whole numbers")
    fit.add_argument(
        "--bounded", type=_bounds, default={}, metavar="A=0:1,B=0:", help="columns between bounds, or above one"
    )
    fit.add_argument("--label-column", metavar="A", help="a column to leave out")
    fit.add_argument("--skip-holes", action="store_true", help="leave out rows in which an entry is missing")
    fit.add_argument("--validation", type=float, default=0.15, metavar="SHARE", help="rows to choose on (default 0.15)")
    fit.add_argument("--test", type=float, default=0.15, metavar="SHARE", help="rows to judge on (default 0.15)")
    fit.add_argument("--steps", type=int, help="steps of training, chosen from the table's size by default")
    fit.add_argument("--width", type=int, help="width of the network, chosen from the table's size by default")
    fit.add_argument("--seed", type=int, default=0, help="seed of everything random (default 0)")
    fit.add_argument("--device", help="cpu or cuda; by default a GPU if there is one")
    fit.add_argument("--checkpoint", metavar="FOLDER", help="folder for progress, from which the same call goes on")
    fit.add_argument("--quiet", action="store_true", help="show no progress")

    sample = _command(commands, "sample", _sample, "draw new rows", flow=True)
    sample.add_argument("-n", type=int, default=1000, help="number of rows (default 1000)")
    sample.add_argument("--seed", type=int, default=0, help="seed of the rows (default 0)")
    for name, run, about, table in (
        ("inflate", _inflate, "carry rows of data to latents", "table of data"),
        ("generate", _generate, "carry latents to rows of data", "table of latents, as inflate writes it"),
        ("log-prob", _log_prob, "log density of rows, in nats", "table of data"),
    ):
        _command(commands, name, run, about, flow=True, table=table)
    about = "fill holes of rows by draws, in the columns of the flow"
    impute = _command(commands, "impute", _impute, about, flow=True, table="table with holes")
    impute.add_argument(
        "--draws", type=int, metavar="N", help="write N completed tables, by number; by default one, of medians"
    )
    impute.add_argument("--seed", type=int, default=0, help="seed of the draws (default 0)")
    impute.add_argument("--few-rows", action="store_true", help="draws as wide as so few training rows ask for")
    summary = _command(commands, "summary", _summary, "what a flow is worth on held-out rows", flow=True)
    summary.add_argument("table", nargs="?", help="rows that it was not trained on; by default what fit set aside")
    for name in ("sample", "inflate", "generate", "log-prob", "impute", "summary"):
        about = "of a flow that was fitted with --keep any: dimensions to reduce to, or all"
        commands.choices[name].add_argument("--keep", type=_kept, metavar="D", help=about)
        about = "of a flow that was fitted with --schedule any: its kernel, floor or proportional"
        commands.choices[name].add_argument("--schedule", metavar="KERNEL", help=about)
    for name in ("sample", "inflate", "generate", "log-prob", "impute"):
        commands.choices[name].add_argument("-o", "--output", help="a .csv or .parquet file; by default csv is printed")


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], None],
    about: str,
    *,
    flow: bool = False,
    table: str | None = None,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    command.set_defaults(run=run)
    if flow:
        command.add_argument("flow", help="file of a flow, or the folder that holds flow.safetensors")
    if table is not None:
        command.add_argument("table", help=f"{table}: csv or other text, parquet, xlsx, npz or npy")
    return command


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _kept(text: str) -> int | str:
    """A number of dimensions, or a word, which `fit` or `with_schedule` judge."""
    return int(text) if text.lstrip("-").isdecimal() else text


def _bounds(text: str) -> dict[str, list[float | None]]:
    """Bounds by name from a text such as share=0:1,price=5:"""
    bounds: dict[str, list[float | None]] = {}
    for part in _names(text):
        name, _, ends = part.rpartition("=")
        low, _, high = ends.partition(":")
        try:
            bounds[name] = [float(low), float(high) if high else None]
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a name and bounds such as share=0:1, got {part!r}") from None
    return bounds


def _fit(options: argparse.Namespace) -> None:
    output = Path(options.output)
    if output.suffix != ".safetensors" or output.is_dir() or not os.access(output.absolute().parent, os.W_OK):
        hint = "name it like wine.safetensors, and make its folder first"
        raise ConfigError("--output", "a .safetensors file in a folder that one may write to", str(output), hint)
    if not options.quiet:
        logging.basicConfig(format="%(message)s", level=logging.INFO)
    from inflationary_flows.artifacts.flows import Flow
    from inflationary_flows.data.tables import IMPUTE, kind_of, read_table, understood

    asked: dict[str, Any] = {"kind": kind_of(options.table), "path": options.table}
    recognised = options.columns == ["auto"]
    chosen = {"columns": None if recognised else options.columns, "label_column": options.label_column}
    asked |= {key: value for key, value in chosen.items() if value is not None}
    if options.skip_holes:
        asked["missing"] = IMPUTE
    table = read_table(asked)
    print(f"{options.table}: read with {understood(table.record)}", file=sys.stderr)
    training = {} if options.steps is None else {"steps": options.steps}
    network = {} if options.width is None else {"width": options.width}
    flow = Flow.fit(
        _framed(table.points, table.columns),
        kept_dims=None if options.keep == "all" else options.keep,
        columns="auto" if recognised else None,
        positive=options.positive,
        bounded=options.bounded,
        integer=options.integer,
        schedule=options.schedule,
        seed=options.seed,
        validation=options.validation,
        test=options.test,
        training=training,
        network=network,
        device=options.device,
        checkpoint=options.checkpoint,
        progress=not options.quiet,
    )
    flow.save(output)
    print(f"{output}: written", file=sys.stderr)
    print(flow.summary())


def _framed(points: Any, names: Any) -> pd.DataFrame:
    import pandas as pd

    return points if isinstance(points, pd.DataFrame) else pd.DataFrame(points, columns=list(names))


def _loaded(options: argparse.Namespace) -> Flow:
    if getattr(options, "output", None) is not None:
        output = Path(options.output)
        if output.suffix.lstrip(".") not in _WRITTEN or not output.absolute().parent.is_dir():
            expected = "a .csv or .parquet file in a folder that exists"
            raise ConfigError("--output", expected, str(output), "rename it, or make its folder first")
    from inflationary_flows.artifacts.flows import Flow

    flow = Flow.load(options.flow)
    if options.keep is None and options.schedule is None:
        return flow
    if isinstance(options.keep, str) and options.keep != "all":
        raise ConfigError("--keep", "a number of dimensions, or all", repr(options.keep), "such as --keep 3")
    return flow.with_schedule(options.schedule, kept_dims=None if options.keep == "all" else options.keep)


def _points(options: argparse.Namespace, flow: Flow, columns: tuple[str, ...], *, holes: bool = False) -> pd.DataFrame:
    """The table of a command, its columns found by name if they have names; entries may be missing if it has holes."""
    from inflationary_flows.data.tables import read_points

    origin = {"settings": {"kind": "csv"}, "columns": list(columns)} if columns else None
    points = read_points(options.table, flow.dimension, origin, holes=holes)
    return _framed(points, columns or flow.names)


def _write(options: argparse.Namespace, table: pd.DataFrame) -> None:
    if options.output is None:
        table.to_csv(sys.stdout, index=False)
        return
    from inflationary_flows.files.files import atomic_write

    with atomic_write(options.output) as path:
        if path.suffix == ".csv":
            table.to_csv(path, index=False, encoding="utf-8")
            return
        with needs("parquet files", "tables"):
            import_module("pyarrow")
        table.to_parquet(path, index=False)


def _sample(options: argparse.Namespace) -> None:
    flow = _loaded(options)
    _write(options, _framed(flow.sample(options.n, options.seed), flow.names))


def _inflate(options: argparse.Namespace) -> None:
    flow = _loaded(options)
    _write(options, flow.inflate(_points(options, flow, flow.columns)))


def _generate(options: argparse.Namespace) -> None:
    flow = _loaded(options)
    _write(options, flow.generate(_points(options, flow, flow.latent_columns)))


def _log_prob(options: argparse.Namespace) -> None:
    flow = _loaded(options)
    density = flow.log_prob(_points(options, flow, flow.columns).to_numpy())
    _write(options, _framed(density[:, None], ["log_prob"]))


def _impute(options: argparse.Namespace) -> None:
    flow = _loaded(options)
    table = _points(options, flow, flow.columns, holes=True)
    # Messages count rows from 1.
    table.index += 1
    count = _MEDIAN_DRAWS if options.draws is None else options.draws
    completed = flow.impute(table, draws=count, few_rows=options.few_rows, seed=options.seed)
    if options.draws is None:
        # One of the draws: between two whole numbers lies none.
        completed = completed.groupby(level=1, sort=False).quantile(0.5, interpolation="lower")
    else:
        completed.insert(0, "draw", completed.index.get_level_values(0))
    _write(options, completed)


def _summary(options: argparse.Namespace) -> None:
    flow = _loaded(options)
    print(flow.summary(None if options.table is None else _points(options, flow, flow.columns)))
