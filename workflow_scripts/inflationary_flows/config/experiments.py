"""The part of the configuration that sets up experiments, as typed models; those on inference are in `inference`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from inflationary_flows.config.fields import (
    Count,
    Duration,
    Fraction,
    Memory,
    Name,
    Number,
    PositiveNumber,
    PresetName,
    Section,
    Seed,
    SolverName,
)
from inflationary_flows.config.images import ImageExperiment
from inflationary_flows.config.inference import (
    Coverage,
    Hmc,
    Identifiability,
    Propagation,
    Residuals,
    SamplerEfficiency,
    Sbc,
    Tarp,
)


class FlowQuality(Section):
    """Generated against fresh points."""

    samples: Annotated[int, Field(ge=10)] = Field(
        10_000, description="Points a side (or as many as the test split has)."
    )
    seed: Seed = Field(0, description="Seed of latents, projections and classifier.")
    projections: Count = Field(200, description="Directions of the sliced Wasserstein distance.")
    energy_splits: Count = Field(200, description="Random splits behind the energy distance's floor.")
    wasserstein_splits: Count = Field(20, description="Random splits behind the sliced Wasserstein distance's floor.")
    neighbours: Count = Field(10, description="Neighbours looked at by trustworthiness.")
    neighbour_samples: Annotated[int, Field(ge=10)] = Field(2_000, description="Points looked at by trustworthiness.")


class Roundtrip(Section):
    """Data to latents and back."""

    samples: Count = Field(10_000, description="Points (or as many as the test split has).")
    paper_steps: Count = Field(700, description="Scaled Euler steps of the paper's setting.")


_COMPARED_STEPS: dict[SolverName, list[int]] = {
    "euler": [35, 70, 140],
    "heun": [17, 35, 70],
    "rk4": [8, 17, 35],
    "rk5": [6, 11, 23],
    "adams_bashforth4": [30, 65, 135],
    "adams_bashforth6": [30, 65, 95, 135],
    "euler_scaled": [140, 700],
}


class SolverComparison(Section):
    """Error against network evaluations, for all solvers."""

    samples: Count = Field(1_000, description="Points (or as many as the test split has).")
    seed: Seed = Field(0, description="Seed of the latents.")
    reference_steps: Count = Field(400, description="Steps of the fine reference.")
    steps: dict[SolverName, Annotated[list[Count], Field(min_length=1)]] = Field(
        default_factory=lambda: dict(_COMPARED_STEPS),
        description="Numbers of steps tried, by solver.",
    )
    tolerances: list[PositiveNumber] = Field(
        default_factory=lambda: [1e-3, 1e-5], description="Tolerances tried with dopri5."
    )


class Snapshots(Section):
    """What figures 2, 3 and the digits show."""

    samples: Count = Field(1_500, description="Points shown.")
    frames: Annotated[int, Field(ge=2)] = Field(5, description="Times shown.")
    seed: Seed = Field(0, description="Seed of the latents.")


# Many viewers play frames that are shorter than this at a tenth of a second.
FrameSeconds = Annotated[Number, Field(ge=0.02)]


class Animations(Section):
    """Data that inflate to latents and are generated back."""

    points: Count = Field(500, description="Points drawn, of those of `snapshots`.")
    pictures: Count = Field(25, description="Images drawn, of data sets of images.")
    frames: Annotated[int, Field(ge=2)] = Field(24, description="Frames each way.")
    frame_seconds: FrameSeconds = Field(
        0.08, description="How long a frame lasts; GIF counts in hundredths of a second."
    )
    hold_seconds: FrameSeconds = Field(0.9, description="How long the first and the last frame of each way last.")
    seed: Seed = Field(0, description="Seed of the latents, and of the choice of images.")


class PrOverTime(Section):
    """Participation ratio over time."""

    points: Annotated[int, Field(ge=2)] = Field(200, description="Times.")


class Scaling(Section):
    """Seconds and memory of the mathematics against numbers of points and dimensions."""

    points: Annotated[list[Count], Field(min_length=1)] = Field(
        default_factory=lambda: [1_000, 10_000, 100_000, 1_000_000],
        description="Numbers of points.",
    )
    dimensions: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)] = Field(
        default_factory=lambda: [2, 8, 64, 512, 3_072], description="Dimensions D."
    )
    steps: Count = Field(16, description="Solver steps.")


class ScalingStudy(Section):
    """What is lost by reducing dimensions, where a coordinate has other scales."""

    datasets: list[str] = Field(
        default_factory=list, description="Data sets to do it with, by each of their schedules that reduces dimensions."
    )
    samples: Annotated[int, Field(ge=10)] = Field(10_000, description="Points (or as many as the test split has).")
    seed: Seed = Field(0, description="Seed of the compressed latents that are drawn anew.")


class Marginals(Section):
    """The same marginals by SDE, Fokker-Planck equation and pfODE, of a Gaussian mixture on the line (figure 1)."""

    means: Annotated[list[Number], Field(min_length=1)] = Field(
        default_factory=lambda: [-1.3, 0.0, 1.2], description="Means of the components, data units."
    )
    stds: Annotated[list[PositiveNumber], Field(min_length=1)] = Field(
        default_factory=lambda: [0.15, 0.1, 0.25], description="Their standard deviations."
    )
    weights: Annotated[list[PositiveNumber], Field(min_length=1)] = Field(
        default_factory=lambda: [0.35, 0.2, 0.45], description="Their weights; they add up to 1."
    )
    kernel: Literal["floor", "proportional"] = Field("floor", description="Family of kernels.")
    gamma0: Fraction = Field(1e-3, description="Kernel variance at the first time, as a share of the data's.")
    signal_left: Fraction = Field(1e-2, description="The data's variance as a share of the last kernel's.")
    paths: Count = Field(40, description="Paths and lines that are drawn.")
    samples: Annotated[int, Field(ge=10)] = Field(20_000, description="Points that the table is measured with.")
    times: Annotated[int, Field(ge=2)] = Field(241, description="Times at which all three are drawn.")
    checks: Annotated[int, Field(ge=2)] = Field(13, description="Times of the table, among these.")
    sde_steps: Count = Field(5, description="Euler-Maruyama steps between two times.")
    cells: Annotated[int, Field(ge=10)] = Field(600, description="Cells of the Fokker-Planck equation's grid.")
    grid_steps: Count = Field(2, description="Its steps between two times.")
    solver: SolverName = Field("adams_bashforth6", description="Solver of the pfODE.")
    solver_steps: Count = Field(240, description="Its steps, over all times.")
    seed: Seed = Field(0, description="Seed of points and of the SDE's noise.")


def _speed_presets() -> list[PresetName]:
    return ["ddpmpp", "small_32"]


class ImageSpeed(Section):
    """Speed of the image path beside the bare network, at 32x32x3."""

    presets: Annotated[list[PresetName], Field(min_length=1)] = Field(
        default_factory=_speed_presets, description="Sizes of the network."
    )
    batch_size: Count = Field(8, description="Images at once.")
    repeats: Count = Field(5, description="Turns of each side.")
    threads: Count = Field(1, description="Threads.")
    gpu: Annotated[int, Field(ge=0, le=1)] = Field(0, description="GPUs.")
    runtime: Duration = Field("1h", description="Time limit. Grows with each attempt.")
    mem: Memory = Field("8GB", description="Memory, likewise.")


class Experiments(Section):
    """Settings of the experiments; those that list data sets run for these, complexity on demand."""

    flow_quality: FlowQuality = Field(default_factory=FlowQuality, description="Generated against fresh points.")
    roundtrip: Roundtrip = Field(default_factory=Roundtrip, description="Data to latents and back.")
    solver_comparison: SolverComparison = Field(
        default_factory=SolverComparison, description="Error against evaluations, for all solvers."
    )
    snapshots: Snapshots = Field(default_factory=Snapshots, description="Points in the figures.")
    animations: Animations = Field(
        default_factory=Animations, description="Inflation and generation of toys and digits as GIF."
    )
    pr_over_time: PrOverTime = Field(default_factory=PrOverTime, description="Participation ratio over time.")
    complexity: Scaling = Field(
        default_factory=Scaling, description="Time and memory against size (target `complexity`)."
    )
    thin_coordinate_study: ScalingStudy = Field(
        default_factory=ScalingStudy, description="What is lost by reducing thin and wide coordinates."
    )
    marginals: Marginals = Field(
        default_factory=Marginals, description="The same marginals by SDE, Fokker-Planck equation and pfODE (figure 1)."
    )
    propagation: Propagation = Field(
        default_factory=Propagation, description="Uncertainty of examples, carried to the latents."
    )
    hmc: Hmc = Field(default_factory=Hmc, description="Posterior of a latent mixture's weights (figure 4).")
    sampler_efficiency: SamplerEfficiency = Field(
        default_factory=SamplerEfficiency,
        description="Effective samples a second, for the data sets of hmc (target `sampler_efficiency`).",
    )
    sbc: Sbc = Field(
        default_factory=Sbc, description="Simulation-based calibration of the same, for the data sets of hmc."
    )
    tarp: Tarp = Field(default_factory=Tarp, description="Coverage of posteriors under the flow as prior.")
    identifiability: Identifiability = Field(
        default_factory=Identifiability, description="Latents under other seeds and architectures."
    )
    shell_retention: Coverage = Field(
        default_factory=Coverage, description="Shells of latents carried through the flow."
    )
    residuals: Residuals = Field(default_factory=Residuals, description="Auto-correlation of denoising residuals.")
    images: dict[Name, ImageExperiment] = Field(
        default_factory=dict, description="Generated images, Frechet distances and round trips, by data set."
    )
    image_speed: ImageSpeed = Field(
        default_factory=ImageSpeed, description="The image path beside the bare network (target `image_speed`)."
    )
