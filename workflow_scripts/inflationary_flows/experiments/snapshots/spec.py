"""What is measured and shown of toys and digits along the flow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement
from inflationary_flows.experiments.thin_coordinate_study.spec import studied_in_figures
from inflationary_flows.fields import Count, Section, Seed

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


class Snapshots(Section):
    """What figures 2, 3 and the digits show."""

    samples: Count = Field(1_500, description="Points shown.")
    frames: Annotated[Count, Field(ge=2)] = Field(5, description="Times shown.")
    seed: Seed = Field(0, description="Seed of the latents.")


def toys(study: Study, reducing: bool) -> list[FlowName]:
    """Flows of toys and tables that can be drawn; embedded toys and those with a thin coordinate have own figures."""
    return [
        flow
        for flow in study.first_seed(study.flows)
        if study.dimension_of(flow[0]) in (2, 3)
        and not study.kind_of(flow[0]).startswith(("embedded", "alt_"))
        and study.is_reducing(flow[1]) == reducing
    ]


def drawn(study: Study) -> list[FlowName]:
    """Toys of figure 2: of two kernels of a data set that of the published figures alone."""
    flows = toys(study, reducing=False)
    kernels = {flow: study.schedule(flow[1])["kernel"] for flow in flows}
    published = {flow[0] for flow in flows if kernels[flow] == "floor"}
    return [flow for flow in flows if kernels[flow] == "floor" or flow[0] not in published]


def embedded(study: Study) -> list[FlowName]:
    """Flows of embedded toys."""
    return [flow for flow in study.first_seed(study.flows) if study.kind_of(flow[0]) == "embedded"]


def digits(study: Study) -> list[FlowName]:
    """Flows of the digits."""
    return [flow for flow in study.first_seed(study.flows) if study.kind_of(flow[0]) == "digits"]


def traced(study: Study) -> list[FlowName]:
    """All flows of which figures and animations show points."""
    shown = [*toys(study, False), *toys(study, True), *embedded(study), *studied_in_figures(study), *digits(study)]
    return sorted(set(shown))


def traced_params(study: Study, dataset: str) -> dict[str, Any]:
    """Settings of snapshots, and those of animations that decide what is traced."""
    animations = study.experiments["animations"]
    return study.experiments["snapshots"] | {
        "animation_frames": animations["frames"],
        "animation_seed": animations["seed"],
        "pictures": animations["pictures"],
    }


def snapshot_files(flows: Sequence[FlowName]) -> list[str]:
    """Files of snapshots of flows, one a data set."""
    return [f"results/metrics/{dataset}/snapshots.npz" for dataset in dict.fromkeys(flow[0] for flow in flows)]


EXPERIMENT = Experiment(
    settings=Snapshots,
    measurement=Measurement(
        minutes=0.4,
        environment="images",
        flows=traced,
        needs=("splits",),
        params=traced_params,
        tables=("pr_of_points",),
        arrays=("snapshots", "animation"),
    ),
    reads=lambda study, dataset: {"snapshots": snapshot_files(traced(study))},
    drawing=lambda study, dataset: {
        "flows": traced(study),
        "preserved": drawn(study),
        "reduced": toys(study, reducing=True),
        "embedded": embedded(study),
        "digits": digits(study),
    },
    stage="figures",
    shown=(
        Figure(
            "fig02",
            "2",
            "Toys whose dimensions are preserved",
            "Toys",
            """
            Toys under schedules that preserve the participation ratio, one row each. Data inflate to latents (left),
            and latents from the prior are generated back (right). Points are in scaled coordinates of the eigenbasis.
            Colours mark neighbourhoods; on the way back, a latent has the colour of the nearest inflated point. The
            number above each column is the share of noise in the variance of the fastest direction. Paper: five toys,
            integrated by Euler steps in scaled coordinates. Here: all sets of the configuration that can be drawn,
            integrated by its solver, with latents from the exact covariance.
            """,
            exists=lambda study: bool(toys(study, reducing=False)),
        ),
        Figure(
            "fig03",
            "3",
            "Toys whose dimensions are reduced",
            "Toys",
            """
            As figure 2, under schedules that reduce dimensions. Kept directions become Gaussian, and the others shrink
            to a thin residue that generation needs. Circles and swirl generated from PRR show spikes and stray points,
            because compressed directions are drawn from their Gaussian prior, as in the paper; the last column shows
            points generated with compressed directions resampled from inflated training data instead, the default. Paper: five toys, those in the plane
            reduced to one dimension and those in space to two; the authors' code sets a small variance of compressed
            latents by hand for each set. Here: all sets of the configuration that can be drawn, reduced to as many
            directions as their schedules keep. The variances of compressed latents are exact, unless the schedule says
            otherwise.
            """,
            exists=lambda study: bool(toys(study, reducing=True)),
        ),
        Figure(
            "embedded_toys",
            "A2",
            "Toys embedded in more dimensions",
            "Toys",
            """
            Toys from the plane or from space, embedded in more dimensions by a random orthonormal map. Data inflate to
            latents (left), and latents from the prior are generated back (right). Points are in scaled coordinates of
            the eigenbasis, of which the first three are drawn. Colours are as in figure 2. Paper: 2-D toys in three
            dimensions or more, reduced. Here: the embedded sets of the configuration, under each of their schedules.
            """,
            exists=lambda study: bool(embedded(study)),
        ),
        Figure(
            "digits_samples",
            "B10",
            "Digits from the prior and from the true latents",
            "Images",
            """
            Held-out digits (left), and digits that each flow generates. The upper ones start from latents of the prior.
            The lower ones start from the true distribution at the end of time, which is held-out digits with the noise
            of the kernel. Errors in the lower ones are errors of the flow itself. Errors in the upper ones alone come
            from the gap between prior and true latents.
            """,
            exists=lambda study: bool(digits(study)),
        ),
        Figure(
            "digits_roundtrip",
            "B11",
            "Digits before and after a round trip",
            "Images",
            """
            Digits, their reconstructions from latents, and the difference, which has a colour scale of its own. The
            flow is invertible, so only the error of the solver remains, also where few directions are kept.
            """,
            exists=lambda study: bool(digits(study)),
        ),
    ),
)
