"""What is measured and shown of the marginals in three descriptions."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table

EXPERIMENT = Experiment(
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
