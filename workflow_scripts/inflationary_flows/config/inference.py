"""The part of the configuration that sets up experiments on inference and calibration, as typed models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from inflationary_flows.config.fields import (
    Count,
    Duration,
    Fraction,
    Memory,
    Name,
    NonNegativeNumber,
    Number,
    PositiveNumber,
    Section,
    Seed,
    SolverName,
    Text,
)

Levels = Annotated[list[Fraction], Field(min_length=1)]


class Examples(Section):
    """Points of one data set whose uncertainty is propagated."""

    indices: list[Annotated[int, Field(ge=0)]] = Field(
        default_factory=list, description="Rows of the test split, from 0."
    )
    file: Text | None = Field(None, description="csv or npz with points of your own, a row each, in data units.")


class Propagation(Section):
    """A Gaussian ball around an example, carried to the latents."""

    examples: dict[Name, Examples] = Field(default_factory=dict, description="Examples by data set.")
    noise_std: PositiveNumber = Field(0.1, description="Standard deviation of the ball, data units.")
    samples: Annotated[int, Field(ge=10)] = Field(4_000, description="Points of a ball.")
    frames: Annotated[int, Field(ge=2)] = Field(4, description="Times shown.")
    levels: Levels = Field(default_factory=lambda: [0.5, 0.9], description="Credible levels.")
    seed: Seed = Field(0, description="Seed of the balls.")


class Mixture(Section):
    """A Gaussian mixture of latents, in units of their standard deviation."""

    weights: Annotated[list[PositiveNumber], Field(min_length=2)] = Field(
        default_factory=lambda: [0.5, 0.25, 0.25], description="True weights of the components; they add up to 1."
    )
    means: list[list[Number]] = Field(
        default_factory=lambda: [[0.0, 0.0], [-0.05, 0.0], [0.05, 0.0]], description="Means, one list a component."
    )
    stds: list[list[PositiveNumber]] = Field(
        default_factory=lambda: [[0.75, 0.75], [0.1, 1.0], [1.0, 0.1]],
        description="Standard deviations, one list a component.",
    )


class Gate(Section):
    """What a posterior has to fulfil before it is reported."""

    rhat: Annotated[float, Field(gt=1)] = Field(1.01, description="Largest rank-normalised R-hat of a weight.")
    ess: PositiveNumber = Field(400.0, description="Smallest bulk and tail effective sample size of a weight.")
    bfmi: NonNegativeNumber = Field(0.3, description="Smallest BFMI of a chain.")
    divergences: Annotated[int, Field(ge=0)] = Field(0, description="Most divergent trajectories.")


class Sampling(Section):
    """How the chains of one sampler move."""

    max_tree_depth: Annotated[int, Field(ge=1, le=15)] = Field(8, description="Most doublings of a trajectory.")
    target_acceptance: Fraction = Field(0.8, description="Acceptance probability that the step size aims at.")


class JointSampling(Sampling):
    """NUTS over weights and latents together."""

    observations: Count = Field(32, description="Observations used, the first ones.")
    warmup: Count = Field(60, description="Iterations that adapt and are not kept.")
    draws: Count = Field(600, description="Iterations kept, a chain.")
    # Above this, steps become short for the sake of rare walls in the density.
    target_acceptance: Fraction = Field(0.65, description="Acceptance probability that the step size aims at.")
    # Scales that are learned in a short warm-up leave the step size too little time to settle.
    adapt_mass: bool = Field(
        False, description="Whether warm-up learns a scale for each coordinate; whitened ones have unit scale already."
    )
    coordinates: Literal["latent", "whitened", "data"] = Field(
        "data",
        description="What moves: latents as they are, latents whitened by the linearised posterior, or clean points "
        "whitened by it (for data of few dimensions).",
    )
    solver: SolverName = Field("adams_bashforth4", description="Solver inside of the sampler.")
    steps: Count = Field(20, description="Its steps.")
    runtime: Duration = Field("12h", description="Time limit of a chain.")
    mem: Memory = Field("4GB", description="Memory of a chain.")


class CollapsedSampling(Sampling):
    """NUTS over the weights, the latents integrated out."""

    observations: Count = Field(2_000, description="Observations used, the first ones.")
    warmup: Count = Field(300, description="Iterations that adapt and are not kept.")
    draws: Count = Field(1_000, description="Iterations kept, a chain.")


class Hmc(Section):
    """Weights of a latent mixture from noisy data (figure 4), by a joint and a collapsed sampler."""

    datasets: list[str] = Field(default_factory=list, description="Data sets to do it with.")
    mixture: Mixture = Field(default_factory=Mixture, description="The mixture the observations come from.")
    noise_std: PositiveNumber = Field(0.1, description="Standard deviation of the observations' noise, data units.")
    observations: Count = Field(2_000, description="Observations drawn.")
    chains: Annotated[int, Field(ge=2)] = Field(4, description="Chains of a sampler.")
    joint: JointSampling = Field(
        default_factory=JointSampling,
        description="NUTS over weights and latents; one job a chain.",
    )
    collapsed: CollapsedSampling = Field(
        default_factory=CollapsedSampling,
        description="NUTS over the weights, the latents integrated out; run for the joint sampler's observations too.",
    )
    particles: Annotated[int, Field(ge=16)] = Field(
        128, description="Importance samples of an observation; some get more."
    )
    solver: SolverName = Field("adams_bashforth6", description="Solver inside of the samplers.")
    steps: Count = Field(40, description="Its steps.")
    convergence_steps: Annotated[list[Count], Field(min_length=1)] = Field(
        default_factory=lambda: [10, 14, 20, 30, 40, 60], description="Steps tried in the table of convergence."
    )
    convergence_samples: Count = Field(256, description="Observations it looks at, the first ones.")
    checkpointed: bool = Field(
        False, description="Compute hidden layers again in the backward pass: less memory, a third more time."
    )
    gate: Gate = Field(default_factory=Gate, description="What posteriors have to fulfil.")
    seed: Seed = Field(0, description="Seed of observations, particles and chains.")


class SamplerEfficiency(Section):
    """Effective samples a second against the paper's setting, with few observations."""

    observations: Count = Field(4, description="Observations.")
    paper_steps: Count = Field(700, description="Scaled Euler steps of the paper's setting.")
    warmup: Count = Field(10, description="Its iterations that adapt.")
    draws: Annotated[int, Field(ge=4)] = Field(30, description="Its iterations kept.")
    step_size: PositiveNumber = Field(0.01, description="Its first step size.")
    target_acceptance: Fraction = Field(0.8, description="Its acceptance probability.")
    max_tree_depth: Annotated[int, Field(ge=1, le=15)] = Field(10, description="Its most doublings of a trajectory.")


class Sbc(Section):
    """Simulation-based calibration of the weights: many data sets with random true weights."""

    replicates: Annotated[int, Field(ge=20)] = Field(200, description="Data sets.")
    batches: Count = Field(2, description="Jobs they are spread over.")
    observations: Count = Field(20, description="Observations of a data set.")
    particles: Annotated[int, Field(ge=16)] = Field(64, description="Importance samples of an observation.")
    warmup: Count = Field(200, description="Iterations that adapt.")
    draws: Annotated[int, Field(ge=20)] = Field(600, description="Iterations kept, before thinning.")
    ranks: Annotated[int, Field(ge=9)] = Field(99, description="Thinned draws a rank is taken among.")
    bins: Annotated[int, Field(ge=2)] = Field(10, description="Bins of the histogram; ranks + 1 is a multiple.")
    seed: Seed = Field(1, description="Seed of weights, observations, particles and chains.")
    runtime: Duration = Field("2h", description="Time limit of one of the jobs. Grows with each attempt.")
    mem: Memory = Field("4GB", description="Memory of one of them, likewise.")


class Tarp(Section):
    """Coverage of the posterior of a clean point given a noisy one, the flow being the prior."""

    datasets: list[str] = Field(default_factory=list, description="Toys to do it with.")
    miscalibrated: str | None = Field(None, description="Variant whose flows the test has to reject; none if left out.")
    noise_stds: Annotated[list[PositiveNumber], Field(min_length=1)] = Field(
        default_factory=lambda: [0.3, 1.0, 2.0], description="Noise levels, in standard deviations of the data."
    )
    levels: Levels = Field(
        default_factory=lambda: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], description="Nominal coverages."
    )
    replicates: Annotated[int, Field(ge=20)] = Field(1_000, description="Observed points.")
    references: Count = Field(20, description="Random reference points of an observation.")
    pool: Annotated[int, Field(ge=100)] = Field(20_000, description="Samples of the prior.")
    pool_steps: Count = Field(40, description="Solver steps that make them.")
    compressed_prior: Literal["gaussian", "empirical", "zero"] = Field(
        "empirical", description="PRR: how their compressed latents are drawn."
    )
    minimum_ess: PositiveNumber = Field(
        20.0, description="Smallest effective number of pool samples of 99 % of the posteriors; fewer stop the job."
    )
    bins: Annotated[int, Field(ge=2)] = Field(10, description="Bins of the rank histograms.")
    seed: Seed = Field(0, description="Seed of points, noise, references and pool.")


class Identifiability(Section):
    """Whether networks of other seeds and architectures send points to the same latents."""

    flows: dict[Name, Annotated[list[str], Field(min_length=1)]] = Field(
        default_factory=dict, description="Schedules to do it with, by data set."
    )
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(
        default_factory=lambda: [0, 1, 2], description="Training seeds compared."
    )
    variants: list[str] = Field(default_factory=list, description="Variants compared with them, of the first seed.")
    samples: Annotated[int, Field(ge=10)] = Field(2_000, description="Held-out points.")
    seed: Seed = Field(0, description="Seed of the first kernel's noise.")


class Coverage(Section):
    """Points inside of shells of latents, before and after the flow."""

    datasets: list[str] = Field(default_factory=list, description="Data sets of two or three dimensions.")
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(
        default_factory=lambda: [0, 1, 2], description="Training seeds."
    )
    latents: Annotated[int, Field(ge=10)] = Field(20_000, description="Test points.")
    radii: Annotated[list[PositiveNumber], Field(min_length=1)] = Field(
        default_factory=lambda: [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5], description="Mahalanobis radii of the shells."
    )
    vertices: Annotated[int, Field(ge=12)] = Field(200, description="Vertices of a shell (at least, in 3-D).")
    steps: Count | None = Field(None, description="Solver steps; by default the flow's own.")
    seed: Seed = Field(0, description="Seed of the test points.")


class Residuals(Section):
    """Correlation of the denoiser's residuals between times."""

    datasets: list[str] = Field(default_factory=list, description="Data sets to do it with.")
    samples: Annotated[int, Field(ge=10)] = Field(4_000, description="Held-out points.")
    times: Annotated[int, Field(ge=2)] = Field(40, description="Times.")
    seed: Seed = Field(0, description="Seed of the noise.")
