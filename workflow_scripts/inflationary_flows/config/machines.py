"""Machines that jobs run on, and limits of jobs: nothing that a result depends on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from inflationary_flows.fields import Duration, Memory, PositiveNumber, Section


class MeasureLimits(Section):
    """Limits of a job that carries points through one flow."""

    runtime: Duration = Field("20m", description="Time limit.")
    mem: Memory = Field("4GB", description="Memory.")


class FeatureLimits(Section):
    """Limits of a job that reads the features of images."""

    runtime: Duration = Field("12h", description="Time limit.")
    mem: Memory = Field("8GB", description="Memory.")


class Limits(Section):
    """Limits of jobs that run trained networks; like those of trainings and images they grow with each attempt."""

    measure: MeasureLimits = Field(
        default_factory=MeasureLimits, description="Jobs that carry points through one flow."
    )
    features: FeatureLimits = Field(default_factory=FeatureLimits, description="Jobs that read the features of images.")


class Hardware(Section):
    """How to ask for GPUs, and sustained speeds that time limits are estimated from; they change no result."""

    gpu_model: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]+$")] | None = Field(
        None, description="Model of GPU to ask for, by its name on the cluster; any, if none is given."
    )
    gpu_request: Literal["gpu", "gres"] = Field(
        "gpu", description="How to ask for GPUs: gpu (--gpus), or gres (--gres), for clusters that know nothing else."
    )

    gpu_tflops: PositiveNumber = Field(60.0, description="Arithmetic of one GPU, in 10^12 operations a second.")
    cpu_gflops: PositiveNumber = Field(30.0, description="Arithmetic of one CPU core, in 10^9 operations a second.")
