"""A control for tests of the solver: the flow of a network that has forgotten what it learned."""

from __future__ import annotations

import copy

import torch

from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.seeding import derive_seed


def shuffle_weights(flow: Flow, seed: int) -> Flow:
    """A flow whose weights are those of another in random order, within each tensor: as large, and without meaning.

    It is as invertible as the other, and keeps all that an exact solution of any differential equation keeps.
    """
    shuffled = copy.copy(flow)
    denoiser = shuffled.denoiser = copy.deepcopy(flow.denoiser)
    assert isinstance(denoiser, NetworkDenoiser)
    generator = torch.Generator().manual_seed(derive_seed("shuffled weights", seed))
    with torch.no_grad():
        for weights in denoiser.network.parameters():
            order = torch.randperm(weights.numel(), generator=generator).to(weights.device)
            weights.copy_(weights.flatten()[order].view_as(weights))
    return shuffled
