"""A flow as a job evaluates it: on its device, in batches of a size, with or without TF32 and compilation."""

from __future__ import annotations

from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.training.compute import MixedPrecision


def accelerate(
    flow: Flow, device: str, *, batch_size: int | None = None, tf32: bool = False, compiled: bool = False
) -> Flow:
    """The same flow, faster; latents and images change by rounding at most.

    Arguments:
        flow: Trained flow.
        device: Where its network runs.
        batch_size: Points carried at once, if not as many as by default.
        tf32: Whether the network's products may round to TF32.
        compiled: Whether to compile the network.
    """
    twin = flow.to(device)
    twin.batch_size = batch_size or flow.batch_size
    denoiser = twin.denoiser
    if isinstance(denoiser, NetworkDenoiser) and (tf32 or compiled or device != "cpu"):
        twin.denoiser = denoiser.of(MixedPrecision(denoiser.network, tf32=tf32, compiled=compiled))
    return twin
