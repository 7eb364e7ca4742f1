r"""What is known of a flow whose data are a mixture of Gaussians: the law of its points and of its latents, exactly.

A flow is a model of data that carry the first noise.  Data and noise are a mixture again, and so are whitened latents,
which are data with the kernel of the last time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.data.toys import Mixture
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.gaussian_mixtures import GaussianMixture
from inflationary_flows.mathematics.oracles import exact_denoiser


@dataclass(frozen=True, eq=False)
class Truth:
    """A flow, and what is known of its data.

    Attributes:
        flow: Trained flow.
        exact: The flow of the exact denoiser.
        law: Law of the data with the first noise, data units.
        latent_law: Law of whitened latents under the exact flow.
        steps: Solver steps other than the flow's own.
    """

    flow: Flow
    exact: Flow
    law: GaussianMixture
    latent_law: GaussianMixture
    steps: int | None

    @classmethod
    def of(cls, flow: Flow, mixture: Mixture, steps: int | None) -> Truth:
        """What follows from the mixture that the data are, given in data units."""
        schedule, basis = flow.schedule, flow.basis
        denoiser = exact_denoiser(schedule, basis, *mixture)
        law = denoiser.law(schedule.t_min).mapped(basis.scale[:, None] * basis.vectors, basis.mean)
        whitening = torch.diag(schedule.c_in(schedule.t_max))
        latent_law = denoiser.law(schedule.t_max).mapped(whitening, torch.zeros_like(basis.mean))
        return cls(flow, Flow(denoiser, basis, solver=flow.solver), law, latent_law, steps)

    @property
    def gaussian(self) -> GaussianMixture:
        """The Gaussian of the data with the first noise, data units: F = 0 is the flow of it."""
        schedule, basis = self.flow.schedule, self.flow.basis
        nothing = torch.zeros_like(basis.mean)
        eigen = GaussianMixture(
            nothing[None], nothing[:1], torch.diag(schedule.total_std(schedule.t_min).square())[None]
        )
        return eigen.mapped(basis.scale[:, None] * basis.vectors, basis.mean)

    def whitened(self, x: Tensor) -> Tensor:
        """Points, shape (..., D), data units, to whitened ones; the flow with F = 0 leaves these where they are."""
        return self.flow.whiten_data(x.flatten(0, -2)).view(x.shape)

    def latents(self, flow: Flow, x: Tensor) -> Tensor:
        """Whitened latents of points, shape (..., D)."""
        z = flow.inflate(x.flatten(0, -2), steps=self.steps) / flow.schedule.latent_std
        return z.view(x.shape)

    def log_ratios(self, x: Tensor, learned: Tensor, exact: Tensor) -> dict[str, np.ndarray]:
        """log p - log p_exact of all priors, at points with their whitened latents under both flows, (..., D) to (...).

        Arguments:
            x: Points, data units.
            learned: Their latents under the flow.
            exact: Those under the exact flow.
        """
        points, learned, exact = (of.flatten(0, -2) for of in (x, learned, exact))
        true = self.law.log_density(points)
        gap = self.flow.prior().log_density(learned) - self.latent_law.log_density(learned)
        network = self.flow.log_prob(points, steps=self.steps) - true
        ratios = {
            "learned": network,
            "learned_true_latents": network - gap,
            "exact_flow": self.flow.prior("gaussian").log_density(exact) - self.latent_law.log_density(exact),
            "gaussian": self.gaussian.log_density(points) - true,
        }
        return {prior: ratio.view(x.shape[:-1]).numpy() for prior, ratio in ratios.items()}
