"""The frame of every job of the workflow.

It sets up a log file, a fixed number of threads, deterministic algorithms and a record of written files. A mistake of
the user, or a disk that is full or protected, gives one message instead of a traceback.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from inflationary_flows.errors import InflationaryFlowsError
from inflationary_flows.progress import Progress
from inflationary_flows.runtime import disk, host
from inflationary_flows.runtime.provenance import Recorder, recorded
from inflationary_flows.runtime.terminal import described

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Script(Protocol):
    """What a workflow manager passes to the script of a job."""

    rule: str
    log: Sequence[str]
    threads: int
    input: Sequence[str]
    output: Sequence[str]
    params: Any
    wildcards: Any
    scriptdir: str


@contextmanager
def job(script: Script) -> Iterator[logging.Logger]:
    """Runs the body of a script as a job: `with job(snakemake) as logger: ...`.

    What it says goes to the log file, warnings, errors and signs of life to standard error as well.  What the body
    writes is recorded (`runtime/provenance.py`).  A mistake of the user, or what a disk refuses, ends the process with
    exit code 1 and its message alone; any other exception leaves its traceback in the log and goes on.

    Arguments:
        script: Rule, log, threads, inputs, outputs, params and wildcards of the job.

    Raises:
        SystemExit: with code 1, in place of an `InflationaryFlowsError` or an error of the disk.
    """
    logger = logging.getLogger("inflationary_flows")
    handlers = _handlers(Path(script.log[0]), described(script.rule, dict(script.wildcards.items())))
    # Jobs share the terminal: none of them draws bars on it.
    Progress.bars = False
    for handler in handlers:
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    limit_threads(script.threads)
    if host.scheduler_job():
        logger.info("%s", host.describe())
    try:
        with recorded(_recorder(script)) as recorder:
            yield logger
            _require_sidecars(recorder, script.output)
    except InflationaryFlowsError as error:
        logger.error("%s", error)
        raise SystemExit(1) from None
    except Exception as error:
        problem = disk.as_message(error)
        if problem is None:
            handlers[0].handle(_record_of_traceback(logger))
            raise
        logger.error("%s", problem)
        raise SystemExit(1) from None
    finally:
        Progress.bars = True
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()


def _recorder(script: Script) -> Recorder:
    recorder = Recorder(
        script.rule,
        wildcards=dict(script.wildcards.items()),
        params=dict(script.params.items()),
        inputs=script.input,
        repository=Path(script.scriptdir).parent,
        threads=script.threads,
    )
    # The outputs of an earlier job have been deleted.
    recorder.expect(*script.output)
    return recorder


def _require_sidecars(recorder: Recorder, outputs: Sequence[str]) -> None:
    silent = [path for path in outputs if Path(path).exists() and Path(path) not in recorder.written]
    # Where several processes share a job, one of them writes.
    if silent and not _is_one_of_several():
        raise RuntimeError(f"{', '.join(silent)}: not written by atomic_write, so that they have no provenance")


def limit_threads(threads: int) -> None:
    """Fixes the number of threads, and makes torch deterministic if the script has imported it."""
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(threads)
    torch = sys.modules.get("torch")
    if torch is not None:
        # cuBLAS is deterministic only with a workspace of fixed size, read at its first call.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.set_num_threads(threads)
        # The same as torch.use_deterministic_algorithms(True), which imports the compiler, for two seconds.
        torch.set_deterministic_debug_mode("error")


def _is_one_of_several() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


class _LogFile(logging.FileHandler):
    """A log file that ends no job: a disk that takes no more lines stops the results too, and that is said once."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Says nothing of the disk."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def close(self) -> None:
        """Closes the file, whether or not its last lines can be written."""
        with suppress(OSError):
            super().close()


def _handlers(log: Path, name: str) -> list[logging.Handler]:
    # Processes that share a job share its log: the first appends to their parent's log, the others are silent.
    rank = os.environ.get("RANK") if _is_one_of_several() else None
    file: logging.Handler = logging.NullHandler()
    if rank in (None, "0"):
        with suppress(OSError):
            log.parent.mkdir(parents=True, exist_ok=True)
            file = _LogFile(log, mode="w" if rank is None else "a", encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    terminal = logging.StreamHandler(sys.stderr)
    terminal.addFilter(lambda record: record.levelno >= logging.WARNING or hasattr(record, "progress"))
    terminal.setFormatter(_OnTerminal(name))
    return [file, terminal]


class _OnTerminal(logging.Formatter):
    """Messages; signs of life and warnings, which come from several jobs at a time, with the name of the job."""

    def __init__(self, name: str) -> None:
        super().__init__("%(message)s")
        self.name = name

    def format(self, record: logging.LogRecord) -> str:
        """The text of a line."""
        text = super().format(record)
        return text if record.levelno >= logging.ERROR else f"{self.name}: {text}"


def _record_of_traceback(logger: logging.Logger) -> logging.LogRecord:
    return logger.makeRecord(logger.name, logging.ERROR, __file__, 0, "the job failed", (), sys.exc_info())
