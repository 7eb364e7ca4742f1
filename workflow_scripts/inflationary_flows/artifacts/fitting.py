"""Fits a flow to a table of the caller: split, network and training chosen from its size, unless said otherwise."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from numbers import Real
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from inflationary_flows.artifacts.networks import versions
from inflationary_flows.artifacts.schedule_choice import KeptDims, choose_kernels, choose_prior
from inflationary_flows.checkpoint import Checkpoint, run_digest
from inflationary_flows.data.cuts import groups_of_copies, require_rows, shuffled
from inflationary_flows.data.splits import SPLITS
from inflationary_flows.data.tables import require_varying
from inflationary_flows.errors import ArtifactError, DataError, shorten
from inflationary_flows.files.files import path_of
from inflationary_flows.files.tensors import sha256_of_array
from inflationary_flows.mathematics.columns import ColumnTransforms, column_scale, make_transforms
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings, require_device, require_solver
from inflationary_flows.mathematics.points import checked, column_names, names_of, real, whole
from inflationary_flows.mathematics.prior import CompressedPrior, require_prior
from inflationary_flows.mathematics.schedules import ScheduleSettings
from inflationary_flows.metrics.summary import summarise_flow
from inflationary_flows.networks.kernel_range import KernelRange
from inflationary_flows.runtime.interruption import Interruption
from inflationary_flows.runtime.locks import Lock
from inflationary_flows.runtime.states import StateFile
from inflationary_flows.training.assembly import assemble
from inflationary_flows.training.content import rows_held
from inflationary_flows.training.fit import fit
from inflationary_flows.training.kernels import kernels_from
from inflationary_flows.training.recipe import choose_network, choose_training

logger = logging.getLogger(__name__)

# Rows that recur this often on average are no copies, but values of few.
_RECURRING = 3
# Share of the largest variance below which a direction is none of the data's own.
_DEPENDENT = 1e-8
# Rows that the flow is chosen and judged on: two have no spread of their spread.
_LEAST_ROWS = 3
# Seconds between two saved states.
_SAVE_SECONDS = 20.0


def read_table(table: Any, columns: Sequence[str] | Literal["auto"] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Points of the caller's table, shape (n, D), float64, and the names of its columns, if they have names.

    Raises:
        DataError: if it holds anything but rows of finite numbers, a name stands twice, or a column is missing.
    """
    if isinstance(table, str | os.PathLike):
        hint = "read the file first, a csv by pandas.read_csv"
        raise DataError("table", "rows of numbers, such as a data frame", shorten(table), hint)
    names = names_of(table, "table")
    if columns is not None and not isinstance(columns, str):
        if isinstance(columns, set | frozenset) or not isinstance(columns, Iterable):
            raise DataError("columns", "a list of names of columns", shorten(columns), "their order is the flow's")
        columns = list(columns)
        if not names or not columns:
            hint = "pass a list of names and a data frame, or choose the columns of the array"
            raise DataError("columns", "names of columns of a data frame", shorten(columns), hint)
        missing = [name for name in columns if name not in names]
        if missing or len(set(columns)) < len(columns):
            got = shorten(missing[0]) if missing else "a name twice"
            raise DataError("columns", f"names of {', '.join(names)}"[:300], got, "check the spelling")
        table, names = table[columns], tuple(columns)
    hint = "of rows with holes: fit the others, Flow.fit(df.dropna()), then fill the holes, flow.impute(df)"
    return checked(table, len(names) or None, "table", columns=names, hint=hint).numpy(), names


def choose_device(device: str | None) -> str:
    """The caller's device, or a GPU if there is one; DataError if there is no such device."""
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device is None else device
    require_device(chosen)
    return str(chosen)


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed while a block runs; a second one ends it as usual.  Only main threads get signals."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    with Interruption(signals=(signal.SIGINT,)) as interruption:
        yield lambda: interruption.reason() is not None


def fit_flow(
    table: Any,
    *,
    kept_dims: KeptDims,
    schedule: str | ScheduleSettings,
    seed: int,
    validation: Any,
    test: Any,
    columns: Sequence[str] | Literal["auto"] | None,
    positive: Sequence[str],
    bounded: Mapping[str, Sequence[float | None]] | None,
    integer: Sequence[str],
    standardise: bool,
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    solver: SolverSettings | None,
    compressed_prior: CompressedPrior | None,
    device: str | None,
    callbacks: Sequence[Callable[[Mapping[str, Any]], object]],
    checkpoint: str | os.PathLike[str] | None,
    progress: bool,
) -> tuple[Flow, dict[str, Any]]:
    """Fits a flow; arguments as of `Flow.fit`.

    Returns:
        The flow, and the record of how it was made, as plain values.

    Raises:
        InflationaryFlowsError: if an argument is wrong, or training diverges.
    """
    _require_numbers(table)
    points, names = read_table(table, columns)
    dimension, seed = points.shape[1], whole(seed, "seed", 0)
    trained_on = choose_kernels(schedule, kept_dims, dimension)
    if not isinstance(standardise, bool | np.bool_):
        raise DataError("standardise", "True or False", shorten(standardise), "True is the default")
    called = names or column_names(dimension)
    transforms = make_transforms(points, called, columns, positive, bounded, integer)
    parts, split = _cut(points, validation, test, seed, names, transforms)
    train = parts["train"]
    basis = Eigenbasis.fit(train, column_scale(train, transforms) if standardise else None, transforms)
    _warn_of_dependence(basis, called)
    kernels = kernels_from(trained_on, basis.eigenvalues)
    # Of a range the first one keeps all dimensions.
    made, several = kernels.schedules[0], "range" in trained_on
    network_settings = choose_network(dimension, network) | ({"told": "angles"} if several else {})
    noiseless = any(one.leaves_noiseless for one in kernels.schedules)
    training_settings = choose_training(len(train), dimension, training, noiseless=noiseless)
    place = choose_device(device)
    integration = require_solver(SolverSettings() if solver is None else solver)
    usual = choose_prior(len(train), dimension - made.kept_dims)
    prior = require_prior(usual if compressed_prior is None else compressed_prior)
    if not isinstance(callbacks, list | tuple) or not all(map(callable, callbacks)):
        raise DataError("callbacks", "a list of functions of one row", shorten(callbacks), "such as [print]")
    kinds = transforms.as_dict(called)
    if isinstance(columns, str):
        logger.info("columns: %s", ", ".join(f"{key} {value}" for key, value in kinds.items()) or "all real")
    decisive = {
        "schedule": KernelRange.from_dict(trained_on["range"]).examples()[0] if several else trained_on["schedules"][0],
        "network": network_settings,
        "training": training_settings.as_dict(),
        "seed": seed,
        **({"kernels": trained_on} if several else {}),
    }
    kept_choice = {"chosen_prior": compressed_prior} if several and compressed_prior is not None else {}
    with ExitStack() as stack:
        kept = Checkpoint.unkept()
        if checkpoint is not None:
            digest = run_digest(split=split, standardise=bool(standardise), columns=kinds, **decisive)
            folder = _made(path_of(checkpoint, "checkpoint") / digest)
            lock = stack.enter_context(Lock(folder))
            state = StateFile(folder / "state.safetensors", lock)
            kept = Checkpoint(state, digest, seconds=_SAVE_SECONDS, stop=lock.lost)
        asked = stack.enter_context(interruptible())
        denoiser, history = fit(
            train,
            parts["validation"],
            basis,
            kernels,
            network_settings,
            training_settings,
            seed=seed,
            checkpoint=kept,
            device=place,
            end=asked,
            callbacks=callbacks,
            progress=progress,
        )
        # Ctrl-C does not cost a flow that was trained.
        flow = assemble(denoiser, train, solver=integration, compressed_prior=prior, device=place)
        flow.columns = names
        judged = "test" if len(parts["test"]) else "validation"
        summary = summarise_flow(flow, parts[judged], judged, seed, history)
        if several:
            flow.held_out = torch.from_numpy(rows_held(parts[judged]))
    record = {
        **decisive,
        **kept_choice,
        "split": split,
        "standardise": bool(standardise),
        "column_kinds": kinds,
        "history": history,
        "versions": versions(),
        "summary": summary.as_dict(),
    }
    return flow, record


def _require_numbers(table: Any) -> None:
    """Raises DataError if a data frame has truth values or categories, which are numbers only by chance."""
    kinds: Any = getattr(table, "dtypes", None)
    for name, kind in kinds.items() if hasattr(table, "columns") and hasattr(kinds, "items") else ():
        if str(kind) in ("bool", "boolean", "category"):
            hint = "write 0 and 1, or ordered whole numbers, and name the column in `integer`; or leave it out"
            raise DataError(f"table, column {shorten(name)}", "numbers", f"values of type {kind}", hint)


def _warn_of_dependence(basis: Eigenbasis, names: Sequence[str]) -> None:
    """Warns of columns that follow from others: there the density of the data has no bound."""
    variances = basis.eigenvalues
    if float(variances[-1]) < _DEPENDENT * float(variances[0]):
        shares = basis.vectors[:, -1].square()
        involved = [name for name, share in zip(names, shares.tolist(), strict=True) if share > 0.05]
        logger.warning(
            "%s: one of these columns follows from the others, so that densities mean little. Hint: leave one out.",
            shorten(", ".join(involved), 200),
        )


def _made(folder: Path) -> Path:
    """A folder, made if it is missing; ArtifactError if it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        got = f"{folder.parent} ({problem.strerror})"
        raise ArtifactError("checkpoint", "a folder, there or to be made", got, "name another one") from problem
    return folder


def _cut(
    points: np.ndarray, validation: Any, test: Any, seed: int, names: Sequence[str], transforms: ColumnTransforms
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The splits of a table, and what they are, as plain values."""
    n, dimension = points.shape
    given: dict[str, np.ndarray] = {}
    shares = {"validation": 0.0, "test": 0.0}
    for name, value in (("validation", validation), ("test", test)):
        if isinstance(value, Real):
            # Of validation rows some are needed: the flow is chosen on them.
            shares[name] = real(value, name, 0.0, 1.0, "0.15 is the default", ends=name == "test")
        else:
            rows_given = checked(value, dimension, name, columns=names)
            transforms.check(rows_given, names or column_names(dimension))
            given[name] = rows_given.numpy()
    if sum(shares.values()) >= 1:
        got = f"{shares['validation']:g} and {shares['test']:g}"
        raise DataError("validation and test", "shares that leave rows to train on", got, "lower one")
    groups = groups_of_copies(points)
    distinct = len(np.unique(groups))
    # Equal rows of a continuous table are copies, which must not be held out from themselves; whole numbers recur.
    copies = not transforms.integers and n / _RECURRING <= distinct < n
    if copies:
        logger.warning("%d of %d rows are copies of others: all copies of a row come into one split", n - distinct, n)
    rows = shuffled(groups if copies else np.arange(n), shares, seed)
    needed = {name: own for name, own in rows.items() if name == "train" or shares[name] > 0}
    require_rows("table", needed, n, dimension + 1, f"add rows, or choose fewer columns (now D = {dimension}).")
    for name, share in shares.items():
        if share > 0 and len(rows[name]) < _LEAST_ROWS:
            got = f"{len(rows[name])} of {n}"
            raise DataError(name, f"a share of at least {_LEAST_ROWS} rows", got, f"add rows, or raise {name}")
    for name, own_rows in given.items():
        if len(own_rows) < _LEAST_ROWS:
            raise DataError(name, f"at least {_LEAST_ROWS} rows", str(len(own_rows)), "add rows, or give a share")
    parts = {name: given.get(name, points[rows[name]]) for name in SPLITS}
    require_varying("table, train split", parts["train"], names or column_names(dimension))
    sizes = {name: len(part) for name, part in parts.items()}
    digests = {name: sha256_of_array(part) for name, part in parts.items()}
    return parts, {"seed": seed, "shares": shares, "sizes": sizes, "sha256": digests}
