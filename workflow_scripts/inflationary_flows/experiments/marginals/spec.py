"""What is measured and shown of the marginals in three descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table
from inflationary_flows.fields import Count, Fraction, Number, PositiveNumber, Section, Seed, SolverName
from inflationary_flows.requirements import require_mixture

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study


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
    samples: Annotated[Count, Field(ge=10)] = Field(20_000, description="Points that the table is measured with.")
    times: Annotated[Count, Field(ge=2)] = Field(241, description="Times at which all three are drawn.")
    checks: Annotated[Count, Field(ge=2)] = Field(13, description="Times of the table, among these.")
    sde_steps: Count = Field(5, description="Euler-Maruyama steps between two times.")
    cells: Annotated[Count, Field(ge=10)] = Field(600, description="Cells of the Fokker-Planck equation's grid.")
    grid_steps: Count = Field(2, description="Its steps between two times.")
    solver: SolverName = Field("adams_bashforth6", description="Solver of the pfODE.")
    solver_steps: Count = Field(240, description="Its steps, over all times.")
    seed: Seed = Field(0, description="Seed of points and of the SDE's noise.")

    def check(self, where: str, study: Study) -> None:
        """Components are complete, and the times of the table are among those drawn."""
        components = {"means": self.means, "stds": self.stds}
        require_mixture(self.weights, components, where, "numbers, one for each of the weights")
        if self.checks > self.times:
            expected = f"at most times ({self.times})"
            raise ConfigError(f"{where}.checks", expected, str(self.checks), "draw more times, or check fewer.")


EXPERIMENT = Experiment(
    settings=Marginals,
    measurement=Measurement(minutes=0.2, environment="metrics", arrays=("marginals",)),
    reads=lambda study, dataset: {"marginals": ["results/metrics/marginals.npz"]},
    stage="figures",
    shown=(
        Figure(
            "fig01",
            "1",
            "One family of densities, three descriptions",
            "The method",
            """
            The marginals of one schedule in three descriptions: sample paths of the stochastic differential equation,
            the density from the Fokker-Planck equation, and trajectories of the probability-flow ODE. Paths and
            trajectories start at the same points. Their colour is that of the mixture component that they start in. The
            sides of each panel show its first and last marginal (filled) and the densities of data and latents (lines).
            Paper: the same three descriptions. Here: the data are a Gaussian mixture on the line, whose marginals are
            known in closed form. The lower panels show the distance of each description from them, and that of a
            perfect sampler with as many points.
            """,
        ),
        Table(
            "marginals",
            "B1",
            "Distances of three descriptions to the closed form",
            "The method",
            """
            Wasserstein distances to the marginals in closed form, for sample paths, the density, and trajectories, at
            times from the first to the last. ``reference`` is the mean distance of as many independent draws of the
            exact marginal. A density has no such error.
            """,
            columns={
                "description": "`sde`, `fokker_planck` or `pfode`",
                "t": "time",
                "t_fraction": "time, from 0 at the first to 1 at the last",
                "distance": "Wasserstein-1 distance to the closed form, scaled coordinates",
                "reference": "distance that a perfect description has on average",
                "n": "points or cells",
            },
            notes="""
            The closed form is the mixture convolved with the kernel and rescaled. The distance is integrated exactly
            for points and by the trapezoidal rule for cells.

            | description | what | reference | n |
            |---|---|---|---|
            | `sde` | points carried by the forward SDE (Euler-Maruyama), from the exact first marginal | mean distance of as many independent draws of the exact marginal, in closed form | points |
            | `fokker_planck` | cell masses of the Fokker-Planck equation, from the exact ones at the first time | 0 | cells |
            | `pfode` | the same points carried by the pfODE with the exact score | as of `sde` | points |

            A single set of points scatters around the reference by about a third of it. Both samplers start from the
            same points, so their first rows are equal. The pfODE keeps the order of the points, and with it most of the
            sampling error of the start.
            """,
        ),
    ),
)
