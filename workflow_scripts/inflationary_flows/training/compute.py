"""Evaluation of the network in training: precision, compilation, and the processes that share a batch.

A batch is cut into equal parts, numbered through all processes; a process takes its own, one after the other, and
gradients are averaged.  The rows of a part depend on its number alone, so that one process and several compute the same
sums.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from inflationary_flows.errors import TrainingError

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]

_AUTOCAST: dict[str, torch.dtype] = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


@dataclass(frozen=True)
class Processes:
    """The processes that share each batch.

    Attributes:
        rank: Number of this one, from 0.
        size: Their number.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes what the run makes."""
        return self.rank == 0

    @contextlib.contextmanager
    def first_before_others(self) -> Iterator[None]:
        """A block that the others enter when the first process has left it."""
        if self.size > 1 and not self.first:
            torch.distributed.barrier()
        yield
        if self.size > 1 and self.first:
            torch.distributed.barrier()


def launched() -> bool:
    """Whether torchrun started this process as one of several."""
    return "TORCHELASTIC_RUN_ID" in os.environ


@contextlib.contextmanager
def join_processes(device: str) -> Iterator[tuple[Processes, str]]:
    """Joins the processes that torchrun started, if it did, for the duration of a block.

    Arguments:
        device: `cuda` or `cpu`.

    Yields:
        The group, and the device of this process: the GPU of its number.
    """
    if not launched():
        yield Processes(), device
        return
    cuda = device.startswith("cuda")
    if cuda:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Processes(torch.distributed.get_rank(), torch.distributed.get_world_size()), device
    finally:
        torch.distributed.destroy_process_group()


def run_in_processes(count: int) -> int:
    """Runs this program once more, in several processes on this machine, under torchrun.

    Schedulers send a signal to all processes of a job: this one waits for the others, which know how to stop.

    Arguments:
        count: Number of processes.

    Returns:
        Their exit code.
    """
    import subprocess

    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    # A function, because child processes would inherit SIG_IGN.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return subprocess.run([*command, *sys.argv], check=False).returncode
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Compute:
    """Evaluates and differentiates a network as the settings of a run ask.

    Arguments:
        network: Module, on its device.
        precision: Precision of the network's layers; weights, rotations and losses stay in float32.
        tf32: Whether the network's matrix products and convolutions may use TF32.
        compiled: Whether to compile the network.
        processes: Processes that share a batch.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        precision: Precision = "32-true",
        tf32: bool = False,
        compiled: bool = False,
        processes: Processes | None = None,
    ) -> None:
        self.processes = processes or Processes()
        parameter = next(network.parameters())
        self.network = network
        self.scaler = torch.amp.GradScaler(parameter.device.type, enabled=precision == "16-mixed")
        # DDP wraps the network, and what is compiled wraps both: the order that torch recommends.
        trained: nn.Module = network
        if self.processes.size > 1:
            devices = [parameter.device] if parameter.device.type == "cuda" else None
            trained = DistributedDataParallel(network, device_ids=devices, broadcast_buffers=False)
        self._shared = trained if isinstance(trained, DistributedDataParallel) else None
        self.module = MixedPrecision(trained, precision, tf32, compiled)

    def accumulating(self, last: bool) -> AbstractContextManager[None]:
        """The block of a backward pass; processes average their gradients in the last one of a step."""
        if self._shared is None or last:
            return contextlib.nullcontext()
        return self._shared.no_sync()

    def parts(self, batch_size: int, accumulate: int) -> Iterator[tuple[int, slice]]:
        """Numbers and rows of the parts of a batch that this process takes.

        Raises:
            TrainingError: if the batch cannot be cut into equal parts.
        """
        count = self.processes.size * accumulate
        if batch_size % count:
            raise TrainingError(
                "training.batch_size",
                f"a multiple of {count} ({self.processes.size} processes times accumulate {accumulate})",
                str(batch_size),
                "change batch_size or accumulate",
            )
        rows = batch_size // count
        for part in range(accumulate):
            number = part * self.processes.size + self.processes.rank
            yield number, slice(number * rows, (number + 1) * rows)

    def any(self, flag: bool) -> bool:
        """Whether a flag is set in any of the processes."""
        if self.processes.size == 1:
            return flag
        return self.average(torch.tensor(float(flag), device=next(self.network.parameters()).device)) > 0

    def average(self, value: Tensor) -> float:
        """Mean of a number over all processes."""
        if self.processes.size > 1:
            value = value.detach().clone()
            torch.distributed.all_reduce(value)
            value /= self.processes.size
        return float(value.detach())


class MixedPrecision(nn.Module):
    """A network whose layers run in lower precision; points come and go in float32.

    Arguments:
        network: Module of points, clock positions and perhaps labels.
        precision, tf32, compiled: As of `Compute`.
    """

    def __init__(
        self, network: nn.Module, precision: Precision = "32-true", tf32: bool = False, compiled: bool = False
    ) -> None:
        super().__init__()
        self.network = network
        if compiled:
            # The compiler has a setting of its own, which a job leaves alone.
            torch.use_deterministic_algorithms(torch.are_deterministic_algorithms_enabled())
        self.evaluate: Callable[..., Tensor] = torch.compile(network) if compiled else network
        self.dtype = _AUTOCAST.get(precision)
        self.tf32 = tf32

    def forward(self, y: Tensor, *further: Tensor) -> Tensor:
        """Points (n, D) and further inputs of the network to outputs (n, D)."""
        with autocast(y.device, self.dtype), tensor_cores(self.tf32):
            return self.evaluate(y, *further).to(y)


def autocast(device: torch.device, dtype: torch.dtype | None) -> AbstractContextManager[object]:
    """Automatic mixed precision of a type, or nothing."""
    return torch.autocast(device.type, dtype) if dtype is not None else contextlib.nullcontext()


@contextlib.contextmanager
def tensor_cores(enabled: bool) -> Iterator[None]:
    """Allows TF32 inside of a block, or forbids it: cuDNN's own default would allow it for convolutions."""
    matmul, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, convolutions.allow_tf32
    matmul.allow_tf32, convolutions.allow_tf32 = enabled, enabled
    try:
        yield
    finally:
        matmul.allow_tf32, convolutions.allow_tf32 = before
