"""What is measured and shown of generated points and of latents."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Measurement, Table, settings_of
from inflationary_flows.fields import Count, Section, Seed


class FlowQuality(Section):
    """Generated against fresh points."""

    samples: Annotated[Count, Field(ge=10)] = Field(
        10_000, description="Points a side (or as many as the test split has)."
    )
    seed: Seed = Field(0, description="Seed of latents, projections and classifier.")
    projections: Count = Field(200, description="Directions of the sliced Wasserstein distance.")
    energy_splits: Count = Field(200, description="Random splits behind the energy distance's floor.")
    wasserstein_splits: Count = Field(20, description="Random splits behind the sliced Wasserstein distance's floor.")
    neighbours: Count = Field(10, description="Neighbours looked at by trustworthiness.")
    neighbour_samples: Annotated[Count, Field(ge=10)] = Field(2_000, description="Points looked at by trustworthiness.")
    steps: Count | None = Field(None, description="Solver steps; by default the flow's own.")
    density_samples: Annotated[Count, Field(ge=2)] = Field(
        2_000, description="Held-out points of the log-likelihood; fewer where there are over two coordinates."
    )


EXPERIMENT = Experiment(
    settings=FlowQuality,
    measurement=Measurement(
        minutes=0.6,
        environment="metrics",
        flows=lambda study: study.repeated(study.point_flows),
        samples=True,
        needs=("splits", "mixture"),
        reads=lambda study, dataset: {"floor": f"results/metrics/{dataset}/two_sample_floor.csv"},
        params=settings_of(
            "flow_quality",
            "samples",
            "seed",
            "projections",
            "neighbours",
            "neighbour_samples",
            "steps",
            "density_samples",
        ),
    ),
    stage="metrics",
    shown=(
        Figure(
            "flow_quality",
            "B12",
            "Generated points against fresh ones",
            "Training and solvers",
            """
            Distance of generated points to fresh ones, one row for each flow. The panels show energy and sliced
            Wasserstein distances relative to their floor, which is the 95 % point between two fresh sets, the accuracy
            of a classifier that tells both apart, and the excess denoising error of toys. Values in the grey range
            cannot be told from those of a perfect flow. Latents come from the true distribution at the end of time (the
            error of the flow itself), from the Gaussian prior, and from a prior with resampled compressed directions
            (the prior gap).
            """,
        ),
        Table(
            "flow_quality",
            "B14",
            "Generated points against fresh ones",
            "Training and solvers",
            """
            Distances of generated to fresh points for several sources of latents, the excess denoising error, the
            distance of latents to their exact law, and the share of neighbours that stay neighbours. ``reference`` is
            the value of a perfect flow.
            """,
            columns={
                **FLOW_COLUMNS,
                "metric": "see below",
                "value": "its value",
                "reference": "value of a perfect flow: a floor or an ideal value",
                "n": "points on each side",
            },
            notes="""
            | metric | what | reference |
            |---|---|---|
            | `energy_distance_*` | unbiased energy distance of generated to fresh points, standardised coordinates | its 95 % point between two fresh sets |
            | `sliced_wasserstein_*` | sliced Wasserstein distance, likewise | likewise |
            | `c2st_accuracy_*` | accuracy of a classifier that tells generated from fresh points | one half |
            | `excess_denoising_error` | mean squared difference to the exact denoiser, target of unit variance; toys only | 0 |
            | `latent_mean_error`, `latent_cov_error` | mean and covariance of inflated held-out points, with the first kernel's noise, against the exact ones | the error expected from sampling |
            | `latent_skewness`, `latent_kurtosis` | Gaussianity of the kept directions | value of a Gaussian sample |
            | `log_likelihood`, `log_likelihood_error` | mean log-density of held-out points, nats; standard error of the difference to the reference | that of the Gaussian of the data; 0 |
            | `kl_to_flow`, `kl_to_flow_error` | Kullback-Leibler divergence of the exact density to that of the flow, nats, and its standard error; toys only | 0 |
            | `trustworthiness_forward`, `trustworthiness_backward` | neighbours that stay neighbours, data to latents and back | 1 |

            The first three exist for several sources of latents. `true_pt`: held-out data with kernel noise, the exact
            law of the latents; this is the error of the flow itself. `prior`: the Gaussian that one samples from; the
            difference to `true_pt` is the prior gap. `prior_empirical`: as `prior`, with compressed directions
            resampled from inflated training data.

            Log-densities are those of points with the first kernel's noise, which a flow is a model of, under the prior that the
            flow samples from; where it resamples compressed latents of over three directions, under the Gaussian one. The log of the job has a warning where a flow is worse than the Gaussian
            by more than two standard errors.

            Flows of other training seeds (`repeats`) are compared with the same fresh points, from the same draws of latents:
            their spread is that of training alone.

            Embedded toys lie exactly in a plane of their space. Flows start from data with the first kernel's noise, so
            generated points leave the plane by about `sqrt(gamma0)` in each direction across it, whatever the source of
            latents. Fresh points get the same noise across the plane before they are compared, because any classifier
            would tell a plane from anything else. `compressed_prior: zero` generates points in the plane.

            Image sets under `experiments.images` with more than 100 coordinates are in none of `flow_quality.csv`,
            `roundtrip.csv`, `solver_comparison.csv` and `two_sample_floor.csv`. The tables of images measure them.
            """,
        ),
    ),
)
