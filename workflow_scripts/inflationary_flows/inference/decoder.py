r"""The flow as a differentiable function from whitened latents to data, for samplers that need its gradient.

    x = f(y):   y(T) = y  ->  pfODE backwards  ->  y(t_min)  ->  x = mean + scale W sqrt(xi + gamma(t_min)) y(t_min)

in the whitened latents y = z / latent_std, whose prior is N(0, I).  Gradients pass through the solver's steps
(discretise, then differentiate): they are exact derivatives of the computed map, up to rounding.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from inflationary_flows.errors import DataError
from inflationary_flows.inference.jets import JetField, supports_jets
from inflationary_flows.mathematics.denoisers import Denoiser
from inflationary_flows.mathematics.eigenbasis import NO_TRANSFORMS
from inflationary_flows.mathematics.flow import ADAPTIVE, Flow
from inflationary_flows.mathematics.grids import TimeGrid
from inflationary_flows.mathematics.likelihood import jacobian_field
from inflationary_flows.mathematics.pfode import VelocityField
from inflationary_flows.mathematics.solvers import FIXED_STEP, solve


class Decoder:
    """Whitened latents to data with gradients, by a fixed-step solver.

    Arguments:
        flow: Flow; its network's weights are taken as constants.
        solver, steps: Integration other than the flow's own.
        checkpointed: Whether to use gradient checkpointing: a step stores two points instead of the network's hidden
            layers, for a third more time.

    Raises:
        DataError: for `dopri5`, whose steps depend on the whole batch: one latent would change another's density; or if
            the flow has columns of whole numbers, which have no gradients.
    """

    def __init__(
        self, flow: Flow, *, solver: str | None = None, steps: int | None = None, checkpointed: bool = False
    ) -> None:
        self.settings = flow.settings(solver, steps)
        if self.settings.method == ADAPTIVE:
            raise DataError("solver", "a fixed-step solver", ADAPTIVE, "take adams_bashforth6 or rk4 for inference")
        if flow.basis.transforms.integers:
            hint = "fit a flow that takes these columns as real numbers"
            raise DataError("inference", "a flow without columns of whole numbers", "one with them", hint)
        self.flow = copy.copy(flow)
        if checkpointed:
            self.flow.denoiser = _Checkpointed(flow.denoiser)
        # The same flow of transformed columns: whitening is linear there.
        self._linear = copy.copy(self.flow)
        self._linear.basis = replace(flow.basis, transforms=NO_TRANSFORMS)
        origin = torch.zeros(1, flow.dimension, dtype=torch.float64)
        shifts = torch.eye(flow.dimension, dtype=torch.float64)
        # The linear part of x -> y(t_min), column by column.
        self._whitening = (self._linear.whiten_data(shifts) - self._linear.whiten_data(origin)).T

    @property
    def dimension(self) -> int:
        """Number of coordinates D."""
        return self.flow.dimension

    @property
    def evaluations(self) -> int:
        """Network evaluations of one point."""
        return self.flow.evaluations(self.settings.method, self.settings.steps)

    def __call__(self, y: Tensor) -> Tensor:
        """Whitened latents, shape (n, D), to data, shape (n, D), data units, float64."""
        return self.flow.unwhiten_data(self.flow.carry(y, "generate", self.settings)[0])

    def jacobian(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Data and the derivatives J_ij = dx_i / dy_j, shapes (n, D) and (n, D, D), by D backward passes."""
        points = y.detach().requires_grad_(True)
        with torch.enable_grad():
            x = self(points)
            rows = [
                torch.autograd.grad(x[:, i].sum(), points, retain_graph=i + 1 < self.dimension)[0]
                for i in range(self.dimension)
            ]
        return x.detach(), torch.stack(rows, 1)

    def encode_with_jacobian(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data to whitened latents and the derivatives J_ij = dy_i / dx_j, differentiable themselves.

        The derivatives are those of the solver's steps, so that |det J| is exactly the change of density under them.

        Arguments:
            x: Points, shape (n, D), data units.

        Returns:
            Whitened latents, shape (n, D), and derivatives, shape (n, D, D), float64.

        Raises:
            DataError: if a point lies outside the support of a column.
        """
        transforms = self.flow.basis.transforms
        transforms.check(x, self.flow.columns)
        y, jacobian = self._encode_transformed(transforms.forward(x))
        return (y, jacobian * transforms.log_slopes(x).exp()[:, None]) if transforms else (y, jacobian)

    def _encode_transformed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As `encode_with_jacobian`, of and by transformed columns."""
        if self._jets and x.requires_grad and torch.is_grad_enabled():
            result: tuple[Tensor, Tensor] = _Encoding.apply(x, self)
            return result
        flow, dimension = self._linear, self.dimension
        y = flow.whiten_data(x).to(flow.dtype)
        matrix = torch.eye(dimension, dtype=flow.dtype).expand(len(y), -1, -1)
        velocity = VelocityField(flow.denoiser, TimeGrid(flow.schedule, self.settings.grid))
        state, _ = solve(
            jacobian_field(velocity),
            torch.cat([y, matrix.flatten(1)], 1),
            0.0,
            1.0,
            solver=FIXED_STEP[self.settings.method],
            steps=self.settings.steps,
        )
        inner = state[:, dimension:].unflatten(1, (dimension, dimension)).double()
        # dy(t_min)/dx: the whitening of the data is linear.
        return state[:, :dimension].double(), inner @ self._whitening

    @cached_property
    def _jets(self) -> JetField | None:
        """The field of second derivatives, where there is one."""
        denoiser = self.flow.denoiser
        return JetField(denoiser, TimeGrid(self.flow.schedule, self.settings.grid)) if supports_jets(denoiser) else None

    def encode_with_curvature(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Whitened latents with derivatives J_ij and H_ijk by the whitened data, which depend linearly on x.

        Columns of x are transformed. Shapes (n, D), (n, D, D) and (n, D, D, D), without gradients; for perceptrons in
        few dimensions.
        """
        assert self._jets
        start = self._jets.start(self._linear.whiten_data(x).to(self.flow.dtype))
        solver = FIXED_STEP[self.settings.method]
        jet, _ = solve(self._jets, start, 0.0, 1.0, solver=solver, steps=self.settings.steps)
        y, jacobian, hessian = self._jets.split(jet.double())
        return y, jacobian, hessian

    @torch.no_grad()
    def encode(self, x: Tensor | np.ndarray) -> Tensor:
        """Data, shape (n, D), to whitened latents, shape (n, D), by the same solver; no gradients.

        Raises:
            DataError: if a point, such as a noisy observation, lies outside the support of a column.
        """
        points = torch.as_tensor(x, dtype=torch.float64)
        self.flow.basis.transforms.check(points, self.flow.columns)
        y = self.flow.whiten_data(points)
        return self.flow.carry(y, "inflate", self.settings)[0].double()

    @torch.no_grad()
    def invert(self, x: Tensor | np.ndarray, rounds: int = 3) -> Tensor:
        """Whitened latents that this decoder takes to x, shape (n, D), also where few steps do not return."""
        x = torch.as_tensor(x, dtype=torch.float64)
        there = y = self.encode(x)
        for _ in range(rounds):
            y = y + there - self.encode(self(y))
        return y


class _Encoding(torch.autograd.Function):
    """`Decoder.encode_with_jacobian` with the derivatives of its results from second derivatives, forwards."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, decoder: Decoder) -> tuple[Tensor, Tensor]:
        """Latents and derivatives by the data."""
        y, jacobian, hessian = decoder.encode_with_curvature(x)
        ctx.save_for_backward(jacobian, hessian, decoder._whitening)
        return y, jacobian @ decoder._whitening

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, by_y: Tensor, by_jacobian: Tensor) -> tuple[Tensor, None]:
        """The chain rule."""
        jacobian, hessian, whitening = ctx.saved_tensors
        force = torch.einsum("nij,nijk->nk", by_jacobian @ whitening.T, hessian)
        return (torch.einsum("ni,nij->nj", by_y, jacobian) + force) @ whitening, None


class _Checkpointed(Denoiser):
    """A denoiser with gradient checkpointing."""

    def __init__(self, inner: Denoiser) -> None:
        super().__init__(inner.schedule)
        self.inner = inner

    def raw(self, y: Tensor, t: float | Tensor) -> Tensor:
        """F of the inner denoiser."""
        result: Tensor = checkpoint(self.inner.raw, y, t, use_reentrant=False, preserve_rng_state=False)
        return result
