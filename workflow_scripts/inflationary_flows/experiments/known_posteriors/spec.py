"""What is measured and shown of densities, latents and posteriors where the true ones are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from inflationary_flows.data.oracles import find_toy
from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Measurement, Table
from inflationary_flows.fields import (
    Count,
    DatasetName,
    Fraction,
    Levels,
    PositiveNumber,
    Section,
    Seed,
    Unique,
)
from inflationary_flows.requirements import key_of

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study

# Above, log-densities of flows are estimates, and so would all weights be.
_MOST_DIMENSIONS = 64


class KnownSizes(Section):
    """How many points of one data set are looked at; a log-density costs D gradients of the network a step."""

    samples: Annotated[Count, Field(ge=10)] = Field(1_000, description="Fresh points of densities and latents.")
    observations: Annotated[Count, Field(ge=20)] = Field(500, description="True points, each with its observation.")
    draws: Annotated[Count, Field(ge=4)] = Field(12, description="Draws of the posterior of each observation.")

    def check(self, where: str, study: Study) -> None:
        """The density is known, and that of flows can be computed."""
        name = key_of(where)
        if find_toy(study.settings_of(name)) is None:
            got = f"{name} of kind {study.kind_of(name)}"
            raise ConfigError(where, "a toy or a mixture, whose density is known", got, "remove it.")
        if study.dimension_of(name) > _MOST_DIMENSIONS:
            expected = f"a data set of at most {_MOST_DIMENSIONS} coordinates"
            got = f"{name} with {study.dimension_of(name)}"
            raise ConfigError(where, expected, got, "above, log-densities of flows are estimates: remove it.")
        levels = len(study.config.experiments.known_posteriors.levels)
        if self.observations <= levels + 1:
            got = str(self.observations)
            raise ConfigError(f"{where}.observations", f"more than {levels + 1}", got, "500 give a sharp test.")


class KnownPosteriors(Section):
    """Densities, latents and posteriors against the true ones, of data whose density is known."""

    datasets: dict[DatasetName, KnownSizes] = Field(
        default_factory=dict, description="Toys and mixtures to do it with, and sizes."
    )
    noise_stds: Annotated[list[PositiveNumber], Unique("noise level")] = Field(
        default_factory=lambda: [0.5], description="Noise levels of noisy points, in standard deviations of the data."
    )
    missing: Fraction = Field(0.5, description="Share of the coordinates that are missing: the first ones.")
    references: Count = Field(10, description="Random reference points of an observation.")
    levels: Levels = Field(
        default_factory=lambda: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], description="Nominal coverages."
    )
    steps: Count | None = Field(
        24, description="Solver steps: of adams_bashforth6 these err by hundredths of a nat; null: the flow's own."
    )
    seed: Seed = Field(0, description="Seed of points, noise, draws and references.")


def _params(study: Study, dataset: str) -> dict[str, Any]:
    settings = {"steps": None, **study.experiments["known_posteriors"]}
    sizes = settings.pop("datasets")[dataset]
    return {**settings, "sizes": sizes}


PRIOR = (
    "`exact` (other draws of the exact posteriors), `learned` (the flow, latents as it draws them), "
    "`learned_true_latents` (the same network, latents from their exact law), `exact_flow` (the exact denoiser, latents "
    "Gaussian: the prior gap), or `gaussian` (the Gaussian of the data, a control)"
)

EXPERIMENT = Experiment(
    settings=KnownPosteriors,
    measurement=Measurement(
        minutes=2,
        environment="metrics",
        flows=lambda study: [f for f in study.flows if f[0] in study.experiments["known_posteriors"]["datasets"]],
        needs=("mixture",),
        params=_params,
    ),
    stage="calibration",
    shown=(
        Figure(
            "known_posteriors",
            "B23",
            "Densities and posteriors where the true ones are known",
            "Calibration",
            """
            Flows of data whose density is known, against the truth, a row for each flow. Above: divergence of the exact
            density to that of the flow, errors of latents against those of the exact denoiser, and how often the best
            possible test tells a draw of the flow's posterior from one of the exact posterior. Below: how often a
            trained classifier does, and the largest deviation of coverage from its level, around reference points and
            in the order of densities. Posteriors are those of noisy points (circles) and of missing coordinates
            (squares). The Gaussian of the data is a control that has to lose. In many dimensions distances to
            references hardly see it, as densities do: coverage around references is a weak test there.
            """,
        ),
        Table(
            "known_densities",
            "B21",
            "Densities and latents where the true ones are known",
            "Calibration",
            """
            Divergence of the exact density to those of several priors, and errors of latents against those of the exact
            flow. Points are fresh ones with the first noise, which a flow is a model of.
            """,
            columns={
                **FLOW_COLUMNS,
                "prior": PRIOR,
                "divergence": "Kullback-Leibler divergence of the exact density to the prior, nats a dimension",
                "divergence_error": "its standard error",
                "latent_error": "root mean square difference to exact latents over kept directions, standard deviations",
                "latent_median": "median of absolute differences, likewise; few points near a seam weigh nothing in it",
                "latent_error_all": "root mean square over all directions",
                "n": "points",
            },
        ),
        Table(
            "known_posteriors",
            "B22",
            "Posteriors where the true ones are known",
            "Calibration",
            """
            Posteriors of points and of their latents under several priors, against the exact ones, given a noisy point
            or some of its coordinates. Draws of the exact posterior are weighed by the ratio of densities, which is
            exact for many draws and needs no chains.
            """,
            columns={
                **FLOW_COLUMNS,
                "observed": "`noise`, a point with noise of so many standard deviations of the data, or how many of its "
                "coordinates are `missing`",
                "prior": PRIOR,
                "ess_share": "effective share of weighted draws, mean over observations",
                "divergence": "divergence of the exact posterior to the prior's, nats a dimension, likewise",
                "best_accuracy": "how often the best possible classifier tells draws of both posteriors apart, likewise",
                "c2st_x": "how often a trained one tells draws of points apart, which sees observations too; one half by "
                "chance",
                "c2st_z": "the same of latents",
                "worst_x": "largest deviation of coverage from its level around random references and the centre",
                "p_value_x": "that all coverages are nominal",
                "worst_z": "the same of latents",
                "p_value_z": "likewise",
                "worst_density": "largest deviation in the orders of the exact density, and of its ratio to the prior",
                "p_value_density": "likewise",
                "n": "observations",
                "draws": "draws of each",
            },
            notes="""
            The truth has the latent that the exact flow gives it; draws have those of the flow. Distances are those of
            whitened points. Few draws make no posterior overconfident: the truth counts as one of them.

            Where `ess_share` times `draws` is small, few draws make all three numbers of weights look better than they
            are: they are bounds then.

            The ratio of densities is the order by which the best possible test decides. Rows `exact` have that of the
            Gaussian instead. The classifier sees residuals from the exact posterior mean beside the observation, and
            misses much of what the best one sees.

            `learned_true_latents` and `exact_flow` are there where directions are compressed. Elsewhere hardly a prior
            gap is left, which `known_densities.csv` shows.
            """,
        ),
    ),
)
