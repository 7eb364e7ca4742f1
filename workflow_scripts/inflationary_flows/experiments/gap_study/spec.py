"""What is measured and shown of the inflation gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Measurement, Table
from inflationary_flows.fields import Count, DatasetName, ScheduleName, Section, Seed, Unique
from inflationary_flows.requirements import require_fit

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


class GapStudy(Section):
    """The prior gap and errors of log-densities of digits against inflation gap and kept dimensions."""

    flows: dict[DatasetName, Annotated[list[ScheduleName], Field(min_length=1), Unique("schedule")]] = Field(
        default_factory=dict,
        description="Schedules to do it with, by data set of digits; they need not be among its own.",
    )
    samples: Annotated[Count, Field(ge=10)] = Field(
        540, description="Held-out digits (or as many as validation and test split have)."
    )
    sets: Count = Field(3, description="Sets of generated digits, each as large as the held-out one.")
    density_samples: Annotated[Count, Field(ge=2)] = Field(62, description="Held-out digits of the log-likelihood.")
    reference_samples: Annotated[Count, Field(ge=2)] = Field(
        10, description="Of these, digits whose log-density is compared with that of a finer integration."
    )
    reference_steps: Count = Field(190, description="Solver steps of this one.")
    roundtrip: Count = Field(100, description="Digits carried to latents and back.")
    paper_steps: Count = Field(256, description="Steps of the paper's solver, Heun in scaled coordinates.")
    seed: Seed = Field(0, description="Seed of latents, noise and the choice of digits.")

    def check(self, where: str, study: Study) -> None:
        """Data sets are digits, whose classifier tells how far images are apart, and schedules fit them."""
        for name, schedules in self.flows.items():
            if study.kind_of(name) != "digits":
                expected = "a data set of kind digits, of which there is a classifier"
                raise ConfigError(f"{where}.flows", expected, f"{name} of kind {study.kind_of(name)}", "remove it.")
            for schedule in schedules:
                kept = study.config.schedules[schedule].kept_dims
                require_fit(kept, schedule, name, study.dimension_of(name))


def studied(study: Study) -> list[FlowName]:
    """Flows of all seeds."""
    chosen = sorted(study.experiments["gap_study"]["flows"].items())
    return [
        (name, schedule, seed) for name, schedules in chosen for schedule in sorted(schedules) for seed in study.seeds
    ]


def params(study: Study, dataset: str) -> dict[str, Any]:
    """Own settings, and those of the classifier of digits."""
    own = {name: value for name, value in study.experiments["gap_study"].items() if name != "flows"}
    return own | {"classifier": study.resolved["extractors"]["digits_classifier"]}


EXPERIMENT = Experiment(
    settings=GapStudy,
    measurement=Measurement(
        minutes=0.5,
        environment="images",
        flows=studied,
        each_flow=False,
        needs=("splits", "published"),
        params=params,
    ),
    stage="metrics",
    shown=(
        Figure(
            "gap_study",
            "B25",
            "What a wider inflation gap costs",
            "Comparison with the paper",
            """
            Flows of digits against the inflation gap, a line for each number of kept dimensions; dashed lines are the
            flow that keeps all. The narrowest gaps are those of schedules that compress by the number of dimensions.
            Above: Frechet distance of generated digits to the training digits, from the Gaussian prior (filled) and
            from latents of the true distribution at the end of time (open), between which lies the prior gap; distance
            of compressed latents to the Gaussian, of inflated digits (filled) and of exact draws (open); gain in
            log-likelihood of held-out digits over the Gaussian of the data. Below: error of log-densities by the solver
            alone; error of a round trip by our solver (filled) and by the paper's (open). Grey crosses are the paper's
            FID and round-trip error of another, larger data set, scaled to begin where ours do: only their direction
            can be compared.
            """,
        ),
        Table(
            "gap_study",
            "B24",
            "What a wider inflation gap costs",
            "Comparison with the paper",
            """
            Digits generated from the Gaussian prior and from latents of the true distribution at the end of time,
            latents beside the Gaussian, log-likelihoods, and errors of the solver, against inflation gap and kept
            dimensions. Published values stand beside flows of the same gap and kept dimensions.
            """,
            columns={
                **FLOW_COLUMNS,
                "kept_dims": "kept dimensions d",
                "inflation_gap": "compressed directions have the exponent 1 minus this, kept ones 2; empty if all are kept",
                "metric": "see below",
                "value": "its value",
                "error": "its standard error, if known",
                "reference": "value of a perfect flow: a floor or an ideal value",
                "n": "held-out digits",
                "published": "the paper's value for the same d and gap, of AFHQv2 at 32x32 (table 3): FID, or wrapped round-trip error",
            },
            notes="""
            | metric | what | reference |
            |---|---|---|
            | `frechet_prior`, `frechet_true_pt` | squared Frechet distance to the training digits, features of the classifier of digits, sets as large as the held-out one; their difference is the prior gap | that of held-out digits |
            | `energy_prior`, `energy_true_pt` | unbiased energy distance to the training digits, pixels | likewise |
            | `latent_kept`, `latent_compressed` | energy distance of a whitened coordinate of inflated held-out digits to the standard normal, averaged over kept and compressed directions | its 95 % point of Gaussian sets |
            | `latent_kept_exact`, `latent_compressed_exact` | the same of exact draws from p_T, which know no network | likewise |
            | `latent_cov_error`, `latent_kurtosis` | as in `flow_quality.csv` | likewise |
            | `log_likelihood` | mean log-density of held-out digits with the first kernel's noise, the same for all flows, nats | that of the Gaussian of the data |
            | `log_density_error` | root mean square difference to the log-densities of a finer integration in double precision, nats | 0 |
            | `roundtrip_own`, `roundtrip_paper` | mean squared error of a round trip by the flow's own solver and by the paper's, grey levels squared | 0 |
            | `roundtrip_own_wrapped`, `roundtrip_paper_wrapped` | the same as published: 8-bit differences modulo 256 | 0 |
            """,
        ),
    ),
)
