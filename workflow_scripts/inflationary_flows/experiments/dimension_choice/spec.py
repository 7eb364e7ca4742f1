"""What is measured and shown of the number of kept dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table
from inflationary_flows.fields import Count, DatasetName, NonNegativeNumber, Section, Seed, Unique, VariantName
from inflationary_flows.networks.kernel_range import KernelRange
from inflationary_flows.requirements import listing

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study

# Numbers of dimensions that are looked at where the configuration names none.
_LOOKED_AT = 9


class DimensionChoice(Section):
    """Flows of all numbers of kept dimensions, by one network; made wherever a network knows a range of schedules."""

    variants: dict[DatasetName, VariantName] = Field(
        default_factory=dict,
        description="Variant whose network knows a range of schedules, by data set. Data sets whose own network does "
        "need none, but for large images.",
    )
    dimensions: dict[DatasetName, Annotated[list[Count], Field(min_length=1), Unique("dimension")]] = Field(
        default_factory=dict,
        description="Numbers of kept dimensions, by data set; by default about nine of those that the network knows, "
        "even in their logarithms. All kept is always among them.",
    )
    gaps: dict[DatasetName, Annotated[list[NonNegativeNumber], Unique("gap")]] = Field(
        default_factory=dict,
        description="Constant gaps beside orig, by data set; by default the least and the largest that the network "
        "knows, if it knows some.",
    )
    samples: Annotated[Count, Field(ge=10)] = Field(
        1_000, description="Held-out rows (or as many as there are), and generated ones."
    )
    density_samples: Annotated[Count, Field(ge=2)] = Field(
        200, description="Of these, rows of the log-likelihood: the first ones."
    )
    reconstructed: Annotated[Count, Field(ge=2)] = Field(
        200, description="Of these, rows that are reconstructed, and carried to latents and back: the first ones."
    )
    steps: Count | None = Field(
        None, description="Solver steps of log-likelihoods and generated rows; by default the flow's own."
    )
    compressed_prior: Literal["gaussian", "empirical"] = Field(
        "gaussian", description="How compressed latents are drawn, for all flows alike."
    )
    seed: Seed = Field(0, description="Seed of noise, latents and probes.")

    def check(self, where: str, study: Study) -> None:
        """Networks know a range, and the numbers lie in it."""
        for name, variant in self.variants.items():
            if study.range_of(name, variant) is None:
                network = study.config.variants[variant].network or study.config.datasets[name].network
                expected = "a variant whose network knows a range of schedules"
                got = f'"{variant}", whose network "{network}" has none'
                hint = f"set schedules: any in networks.{network}, or name another variant."
                raise ConfigError(f"{where}.variants.{name}", expected, got, hint)
        members = members_by_dataset(study, self.variants)
        for key in ("dimensions", "gaps"):
            for name in getattr(self, key):
                if name not in members:
                    expected = (
                        f"a data set with a network of a range of schedules: {listing(members) or 'none has one'}"
                    )
                    hint = f"set schedules: any in networks.{study.config.datasets[name].network}, or name a variant."
                    raise ConfigError(f"{where}.{key}.{name}", expected, f"{name}, whose network has none", hint)
        for name, member in members.items():
            known = range_of(study, name, member)
            if not known_schedules(study, name, known):
                expected = f"a data set with a schedule that the network knows (kernel {known.kernels[0]})"
                got = f"{name} with {listing(study.config.datasets[name].schedules)}"
                raise ConfigError(
                    f"{where}.variants.{name}", expected, got, "list another schedule, or widen the range."
                )
            low = known.kept_dims[0]
            asked = [(f"dimensions.{name}", {"kept_dims": d}) for d in self.dimensions.get(name, ())]
            asked += [(f"gaps.{name}", _constant(low, gap)) for gap in self.gaps.get(name, ())]
            for place, schedule in asked:
                problem = known.problem({"kernel": known.kernels[0], **schedule})
                if problem is not None:
                    _, expected, got = problem
                    raise ConfigError(f"{where}.{place}", expected, got, "leave it out, or widen the network's range.")


def _constant(kept: int, gap: float) -> dict[str, Any]:
    return {"kept_dims": kept, "gap": "constant", "inflation_gap": gap}


def members_by_dataset(study: Study, variants: dict[str, str]) -> dict[str, str]:
    """Seeds, with their variants, of networks that know a range, by data set; of large images those of variants alone."""
    first = study.seeds[0]
    own = {name: first for name in study.point_sets if study.range_of(name) is not None}
    return dict(sorted({**own, **{name: f"{first}-{variant}" for name, variant in variants.items()}}.items()))


def _members(study: Study) -> dict[str, str]:
    return members_by_dataset(study, study.experiments["dimension_choice"]["variants"])


def range_of(study: Study, dataset: str, member: str) -> KernelRange:
    """The range that a network knows."""
    known = study.range_of(dataset, member.partition("-")[2] or None)
    assert known is not None
    return known


def known_schedules(study: Study, dataset: str, known: KernelRange) -> dict[str, dict[str, Any]]:
    """Arguments of those schedules of a data set that have the first kernel of a range and lie in it, by name."""
    found = {name: study.schedule(name, dataset) for name in sorted(study.config.datasets[dataset].schedules)}
    kernel = known.kernels[0]
    return {name: one for name, one in found.items() if one["kernel"] == kernel and known.problem(one) is None}


def compared(study: Study) -> list[FlowName]:
    """A flow of each network that knows a range, and those of networks of their own, which the data set has anyway."""
    flows: list[FlowName] = []
    for dataset, member in _members(study).items():
        schedules = list(known_schedules(study, dataset, range_of(study, dataset, member)))
        flows.append((dataset, schedules[0], member))
        own = [(dataset, schedule, study.seeds[0]) for schedule in schedules]
        flows += [flow for flow in own if study.trained_as(flow) == flow]
    return flows


def looked_at(low: int, high: int) -> list[int]:
    """Whole numbers from the least to the most, even in their logarithms."""
    steps = [low * (high / low) ** (place / (_LOOKED_AT - 1)) for place in range(_LOOKED_AT)]
    return sorted({round(step) for step in steps})


def params(study: Study, dataset: str) -> dict[str, Any]:
    """Own settings of a data set, the schedules of its flows, and the classifier of digits."""
    settings, member = dict(study.experiments["dimension_choice"]), _members(study)[dataset]
    del settings["variants"]
    known = range_of(study, dataset, member)
    settings.setdefault("steps", None)
    dimensions, gaps = settings.pop("dimensions").get(dataset), settings.pop("gaps").get(dataset)
    kernel = known.kernels[0]
    constant = list(gaps if gaps is not None else dict.fromkeys(known.inflation_gap or ()))
    reducing = [(d, gap) for gap in [None, *constant] for d in dimensions or looked_at(*known.kept_dims)]
    own = known_schedules(study, dataset, known)
    # What is known of images, whatever the schedule.
    smallest = {key: value for key, value in next(iter(own.values())).items() if key == "least_variance"}
    schedules = [known.arguments(kernel, d, gap) | smallest for d, gap in [(None, None), *reducing]]
    digits = study.kind_of(dataset) == "digits"
    return settings | {
        "shared": member,
        "schedules": schedules,
        "own": own,
        "training_steps": {name: study.steps_of(dataset, name) for name in dict.fromkeys([member, study.seeds[0]])},
        "classifier": study.resolved["extractors"]["digits_classifier"] if digits else None,
    }


EXPERIMENT = Experiment(
    settings=DimensionChoice,
    measurement=Measurement(
        minutes=0.4,
        environment="images",
        flows=compared,
        each_flow=False,
        needs=("splits",),
        params=params,
    ),
    stage="metrics",
    of_tables=True,
    shown=(
        Figure(
            "dimension_choice",
            "B33",
            "How many dimensions to keep",
            "Choosing dimensions",
            """
            Flows that keep d of D dimensions, all by one network that was trained once, against d; the last point keeps
            all. Colours are inflation gaps. Open diamonds are flows whose networks were trained for their schedule alone.
            Left to right: log-likelihood of held-out rows minus that of the flow that keeps all, with two standard errors,
            and in grey that of a Gaussian; energy distance of generated rows to held-out ones (dotted: that of training rows);
            of digits the Frechet distance to the training digits (dotted: that of held-out ones); error of rows
            reconstructed from d kept latents alone (dashed: from d principal components, the linear best); and error
            of a round trip by all latents, which is the solver's.
            """,
        ),
        Table(
            "dimension_choice",
            "B34",
            "How many dimensions to keep",
            "Choosing dimensions",
            """
            Flows of several numbers of kept dimensions and gaps by one network, and flows of networks that were trained
            for one schedule. Likelihood of held-out rows, distances of generated rows, reconstruction from kept latents
            alone, round trips, and cost.
            """,
            columns={
                "dataset": "data set",
                "network": "`shared`: one network for all; `own`: trained for this schedule",
                "schedule": "schedule of a network of its own",
                "seed": "training seed, with the variant of the network",
                "kept_dims": "kept dimensions d; D if all are kept",
                "gap": "`none` if all are kept, `orig`, or the number of a constant gap",
                "metric": "see below",
                "value": "its value",
                "error": "its standard error, if known",
                "reference": "what it is compared with",
                "n": "rows",
            },
            notes="""
            | metric | what | reference |
            |---|---|---|
            | `log_likelihood` | mean log density of held-out rows with the first noise, nats a row | that of the Gaussian of the data |
            | `over_all_kept` | mean difference, row by row, to the shared network's flow that keeps all | 0 |
            | `over_shared` | of networks of their own: the same difference to the shared network's flow of the same d and gap | 0 |
            | `energy_distance` | unbiased energy distance of generated to held-out rows, as many of each, standardised | that of training to held-out rows |
            | `frechet` | of digits: squared Frechet distance of generated to training digits, features of the classifier of digits | that of held-out digits |
            | `reconstruction` | root mean square error of rows from kept latents alone, compressed ones zero, in standard deviations of columns or in pixels | that of d principal components |
            | `round_trip` | root mean square error of rows that were carried to latents and back, likewise | 0 |
            | `evaluations` | evaluations of the network for a generated row | |
            | `training_steps` | optimiser steps of its network, on `n` training rows; those of the shared one serve all of its flows | |

            Held-out rows are the test split, and after it the validation split.
            """,
        ),
    ),
)
