"""The posterior of the weights of a latent mixture: settings, tables and figure 4.

Its equation is in `inference/collapsed.py`, that of the joint sampler in `inference/particle_gibbs.py`; the rules of
`rules/inference.smk` run both, from observations to tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Table
from inflationary_flows.fields import (
    Count,
    DatasetNames,
    Duration,
    Fraction,
    Jobs,
    Memory,
    NonNegativeNumber,
    Number,
    PositiveNumber,
    Section,
    Seed,
    SolverName,
    Whole,
)
from inflationary_flows.inference.gate import ENOUGH_DRAWS, MOST_RHAT
from inflationary_flows.requirements import require_mixture

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


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

    def check(self, where: str, study: Study) -> None:
        """Components are complete."""
        components = {"means": self.means, "stds": self.stds}
        require_mixture(self.weights, components, where, "lists, one a component")


class Gate(Section):
    """What a posterior has to fulfil before it is reported."""

    rhat: Annotated[Number, Field(gt=1)] = Field(
        MOST_RHAT, description="Largest rank-normalised R-hat of a weight or a latent."
    )
    ess: PositiveNumber = Field(
        ENOUGH_DRAWS,
        description="Smallest bulk effective sample size of a weight or a latent, and tail one of a weight.",
    )
    bfmi: NonNegativeNumber = Field(0.3, description="Smallest BFMI of a chain.")
    divergences: Whole = Field(0, description="Most divergent trajectories.")


class JointSampling(Section):
    """Particle Gibbs over weights and latents together."""

    observations: Count = Field(32, description="Observations used, the first ones.")
    warmup: Count = Field(50, description="Iterations that are not kept.")
    draws: Count = Field(1_000, description="Iterations kept, a chain.")
    particles: Annotated[Count, Field(ge=2)] = Field(64, description="Particles of each latent.")
    renewed: Count = Field(
        2, description="Particles of each latent that an iteration draws anew; they are what the sampler costs."
    )
    threads: Count = Field(1, description="Threads of the chains of a flow; of use from hundreds of observations on.")
    runtime: Duration = Field(
        "12h", description="Time limit of the chains of a flow, which run side by side in one job."
    )
    mem: Memory = Field("4GB", description="Memory of them together.")


class CollapsedSampling(Section):
    """NUTS over the weights, the latents integrated out."""

    observations: Count = Field(2_000, description="Observations used, the first ones.")
    warmup: Count = Field(300, description="Iterations that adapt and are not kept.")
    draws: Count = Field(1_000, description="Iterations kept, a chain.")
    max_tree_depth: Annotated[Count, Field(ge=1, le=15)] = Field(8, description="Most doublings of a trajectory.")
    target_acceptance: Fraction = Field(0.8, description="Acceptance probability that the step size aims at.")


class Hmc(Section):
    """Weights of a latent mixture from noisy data (figure 4), by a joint and a collapsed sampler."""

    datasets: DatasetNames = Field(default_factory=list, description="Data sets to do it with.")
    mixture: Mixture = Field(default_factory=Mixture, description="The mixture the observations come from.")
    noise_std: PositiveNumber = Field(0.1, description="Standard deviation of the observations' noise, data units.")
    observations: Count = Field(2_000, description="Observations drawn.")
    chains: Annotated[Jobs, Field(ge=2)] = Field(4, description="Chains of a sampler.")
    joint: JointSampling = Field(
        default_factory=JointSampling,
        description="Particle Gibbs over weights and latents; all chains of a flow side by side.",
    )
    collapsed: CollapsedSampling = Field(
        default_factory=CollapsedSampling,
        description="NUTS over the weights, the latents integrated out; run for the joint sampler's observations too.",
    )
    particles: Annotated[Count, Field(ge=16)] = Field(
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

    def check(self, where: str, study: Study) -> None:
        """The mixture has the dimension of the data, samplers draw enough, and solvers have fixed steps."""
        for key, rows in {"means": self.mixture.means, "stds": self.mixture.stds}.items():
            widths = sorted({len(row) for row in rows})
            for name in self.datasets:
                if widths != [study.dimension_of(name)]:
                    raise ConfigError(
                        f"{where}.mixture.{key}",
                        f'{study.dimension_of(name)} numbers a component (data set "{name}")',
                        f"{widths}",
                        "describe the mixture in as many dimensions, or list another data set.",
                    )
        samplers: dict[str, JointSampling | CollapsedSampling] = {"joint": self.joint, "collapsed": self.collapsed}
        for sampler, sampling in samplers.items():
            if sampling.observations > self.observations:
                raise ConfigError(
                    f"{where}.{sampler}.observations",
                    f"at most observations ({self.observations})",
                    str(sampling.observations),
                    "draw more observations, or use fewer.",
                )
            if self.chains * sampling.draws < self.gate.ess:
                raise ConfigError(
                    f"{where}.{sampler}.draws",
                    f"at least {-(-int(self.gate.ess) // self.chains)} draws a chain, "
                    f"for an effective sample size of {self.gate.ess:g} from {self.chains} chains",
                    str(sampling.draws),
                    "draw more, or lower gate.ess.",
                )
        if self.joint.renewed >= self.joint.particles:
            raise ConfigError(
                f"{where}.joint.renewed",
                f"fewer than joint.particles ({self.joint.particles})",
                str(self.joint.renewed),
                "2 are enough.",
            )
        if self.solver in ("dopri5", "euler_scaled", "heun_scaled"):
            expected = "a fixed-step solver in whitened coordinates"
            raise ConfigError(f"{where}.solver", expected, self.solver, "adams_bashforth6 is precise and cheap.")


def sampled(study: Study) -> list[FlowName]:
    """Flows through which the weights are inferred."""
    return [flow for flow in study.flows if flow[0] in study.experiments["hmc"]["datasets"]]


def shown(study: Study) -> list[FlowName]:
    """Those of them that figures show."""
    return study.first_seed(sampled(study))


def posteriors(study: Study) -> list[str]:
    """Each sampler with its number of observations; the collapsed one also sees what the joint one does."""
    hmc = study.experiments["hmc"]
    both, all_of_them = hmc["joint"]["observations"], hmc["collapsed"]["observations"]
    pairs = sorted({("joint", both), ("collapsed", both), ("collapsed", all_of_them)})
    return [f"{sampler}_n{n}" for sampler, n in pairs]


def folders(study: Study, flows: Sequence[FlowName], results: str = "inference") -> list[str]:
    """Folders of flows below `results/inference` or `results/metrics`."""
    return [f"results/{results}/{dataset}/{schedule}/seed{seed}/" for dataset, schedule, seed in flows]


def draws(study: Study, posterior: str, all_seeds: bool = False) -> list[str]:
    """Files of the chains of one posterior."""
    flows = sampled(study) if all_seeds else shown(study)
    return [f"{folder}{posterior}/posterior.nc" for folder in folders(study, flows)]


def parts(study: Study) -> dict[str, list[str]]:
    """Small tables of the weights, of particles, of solver steps, and of the diagnostics of all posteriors."""
    flows = sampled(study)
    files = {"hmc_particles": [f"{folder}hmc_particles.csv" for folder in folders(study, flows, "metrics")]}
    for name in ("hmc_weights", "hmc_convergence", "hmc_diagnostics"):
        files[name] = [f"results/metrics/{dataset}/{name}.csv" for dataset in dict.fromkeys(flow[0] for flow in flows)]
    return files


def intermediates(study: Study) -> list[str]:
    """Files between flows and tables: the target makes them again where they are missing."""
    names = ["observations.safetensors", "laplace.safetensors", "evidence.safetensors"]
    names += [f"{posterior}/posterior.nc" for posterior in posteriors(study)]
    return [f"{folder}{name}" for folder in folders(study, sampled(study)) for name in names]


def tried_steps(study: Study) -> list[int]:
    """Numbers of steps in the table of convergence, the configured one among them."""
    hmc = study.experiments["hmc"]
    return sorted({*hmc["convergence_steps"], hmc["steps"]})


EXPERIMENT = Experiment(
    settings=Hmc,
    parts=parts,
    reads=lambda study, dataset: {
        "posteriors": draws(study, f"collapsed_n{study.experiments['hmc']['collapsed']['observations']}"),
        "joint": draws(study, f"joint_n{study.experiments['hmc']['joint']['observations']}"),
        "collapsed": draws(study, f"collapsed_n{study.experiments['hmc']['joint']['observations']}"),
        "observations": [f"{folder}observations.safetensors" for folder in folders(study, shown(study))],
        "traces": [path for posterior in posteriors(study) for path in draws(study, posterior, all_seeds=True)],
    },
    drawing=lambda study, dataset: {
        "flows": shown(study),
        "truth": study.experiments["hmc"]["mixture"]["weights"],
        "observations": study.experiments["hmc"]["joint"]["observations"],
        "traces": [
            [dataset, schedule, *posterior.split("_n")]
            for posterior in posteriors(study)
            for dataset, schedule, _ in sampled(study)
        ],
    },
    when=lambda study: bool(sampled(study)),
    environment="inference",
    stage="inference",
    shown=(
        Figure(
            "fig04",
            "4",
            "Posterior of the weights of a latent mixture",
            "Inference",
            """
            A: latents of a Gaussian mixture (ellipses of two standard deviations), points that the flow generates from
            them, and noisy observations. The rows below show, for each schedule, the joint posteriors of the weights
            given the observations alone, with the truth (star) and the posterior mean (dot). Paper: the same for
            circles, by NUTS over the weights and all latents; the authors' chains start at the truth, and their weights
            have no proper prior. Here: importance sampling with the flow integrates every latent out, and NUTS runs on
            the weights alone from random positions. The prior is uniform on the simplex, and posteriors whose chains
            have not converged are refused. The number of observations n of the joint sampler is given in the figure of
            both samplers; its configuration key is ``experiments.hmc.joint.observations``.
            """,
        ),
        Figure(
            "hmc_samplers",
            "B3",
            "Two samplers on the same observations",
            "Inference",
            """
            Posteriors of the weights by two samplers on the same observations. The joint one (lines) draws weights and
            all latents, as the paper does, but by particle Gibbs in place of NUTS. The collapsed one (filled) has
            integrated the latents out. The first is exact up to Monte Carlo error; the second errs by its integrals as
            well, which is less. So contours must agree. The star is the truth. With few observations posteriors are
            wide and need not be centred on it.
            """,
        ),
        Figure(
            "hmc_traces",
            "B4",
            "Traces and ranks of all chains",
            "Inference",
            """
            Draws of the first weight by all chains (left), and the distribution of the ranks of each chain among all
            draws (right). Chains that explore the same distribution have equal, flat histograms. A chain that lags
            behind or is stuck does not.
            """,
        ),
        Table(
            "hmc_weights",
            "B4",
            "Posteriors of the weights of a latent mixture",
            "Inference",
            """
            Posterior of each weight of the latent mixture: mean, standard deviation, quantiles, and convergence
            diagnostics of the chains. ``covered`` tells whether the truth lies between the 5 % and the 95 % quantile,
            as it does nine times in ten if posteriors are calibrated. Posteriors whose chains have not converged are
            not in this table, because their jobs fail.
            """,
            columns={
                "dataset": "data set",
                "schedule": "schedule",
                "sampler": "`joint` or `collapsed`, see below",
                "weight": "number of the weight, from 1",
                "mean": "posterior mean",
                "sd": "posterior standard deviation",
                "q05": "5 % quantile",
                "q25": "25 % quantile",
                "q75": "75 % quantile",
                "q95": "95 % quantile",
                "truth": "weight that the observations come from",
                "covered": "whether the truth lies between `q05` and `q95`",
                "rhat": "rank-normalised R-hat",
                "ess_bulk": "bulk effective sample size",
                "ess_tail": "tail effective sample size",
                "n_observations": "observations",
                "seed": "training seed",
            },
            notes="""
            The observations are noisy points generated from a Gaussian mixture of latents (figure 4 of the paper). The
            prior of its three weights is Dirichlet(1, 1, 1), uniform on the simplex. Softmax logits without a prior
            would be improper, because adding a constant to all of them changes nothing.

            - `joint`: NUTS over weights and all latents at once. It is exact for the solver's flow. Each gradient
              integrates the flow for all observations, so the cost of a draw grows with their number and with the
              length of trajectories.
            - `collapsed`: importance sampling with the flow integrates out every latent once (`hmc_particles.csv`), and
              NUTS runs on the weights alone. The cost is `particles` integrations for each observation; draws are
              nearly free.

            Both samplers run on the observations of the joint one (`figures/hmc_samplers`). The draws are netCDF files
            below `results/inference/{dataset}/{schedule}/seed{seed}/`, which `arviz.from_netcdf` reads.
            """,
        ),
        Table(
            "hmc_diagnostics",
            "B5",
            "Convergence of chains",
            "Inference",
            """
            The quantities that decide whether a posterior is reported: rank-normalised R-hat, bulk and tail effective
            sample sizes of each weight, of the joint sampler the largest R-hat and the smallest bulk size of all
            coordinates of latents, of the collapsed one divergences and the energy diagnostic BFMI, each with the bound
            that the configuration sets. Rows without a bound help to understand a failure: ``moved_mean`` is the share
            of latents that change from one draw to the next.
            """,
            columns={
                **FLOW_COLUMNS,
                "sampler": "`joint` or `collapsed`",
                "n_observations": "observations",
                "quantity": "diagnostic, with the weight that it belongs to",
                "value": "its value",
                "bound": "what the configuration demands; empty if nothing",
                "passed": "whether the value is within the bound",
            },
            notes="""
            A posterior that fails is not reported. The job stops with a message that names the quantity and what to
            change, and its chains are kept.
            """,
        ),
        Table(
            "hmc_particles",
            "B6",
            "Quality of the integration over latents",
            "Inference",
            """
            Quality of importance sampling over the latent of each observation: number of particles, the share of them
            that is effective, and Pareto-k, whose values above 0.7 are counted as unreliable. The more of these there
            are, the less the posterior of the weights can be relied on. What the errors of all integrals do to the
            posterior of the weights is the last column.
            """,
            columns={
                **FLOW_COLUMNS,
                "n": "observations",
                "particles": "mean number of particles of an observation",
                "ess_fraction_median": "median share of effective particles",
                "ess_fraction_q01": "1 % quantile of this share",
                "pareto_k_median": "median of Pareto-k",
                "pareto_k_q99": "99 % quantile of Pareto-k",
                "pareto_k_max": "largest Pareto-k",
                "unreliable": "observations with Pareto-k above 0.7 after all rounds",
                "weight_error": "largest standard error of a weight's posterior mean that these integrals cause, as a "
                "share of the posterior's standard deviation",
            },
        ),
        Table(
            "hmc_convergence",
            "B7",
            "Log likelihoods with increasing numbers of solver steps",
            "Inference",
            """
            Errors of a finite number of solver steps in generated points and in log likelihoods, relative to a finer
            solution. Solver and steps of the samplers are chosen by these.
            """,
            columns={
                **FLOW_COLUMNS,
                "solver": "solver of the samplers",
                "steps": "solver steps",
                "evaluations": "network evaluations",
                "generation_rmse": "error of generated points, data units",
                "log_likelihood_rmse": "error of the log likelihood of an observation, nats",
                "log_likelihood_max": "largest of these errors, nats",
                "n": "points",
            },
            notes="The reference has four times as many steps as the finest row.",
        ),
    ),
)
