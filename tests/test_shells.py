"""Shells keep their topology: winding numbers decide what is inside, also where a shell is folded."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.path import Path as Polygon
from scipy import stats
from scipy.spatial import Delaunay

from inflationary_flows.errors import DataError
from inflationary_flows.experiments.roundtrip.measure import measure_roundtrip
from inflationary_flows.experiments.shell_retention.measure import STAGES, measure_retention
from inflationary_flows.experiments.shell_retention.measure import measure as measure_shells
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.metrics.controls import shuffle_weights
from inflationary_flows.metrics.shells import Shell, icosahedron, sphere, subdivided, winding_number
from inflationary_flows.networks.build import build_network
from oracles import PRP, PRR, GaussianCase, mixture_flow

# A horseshoe: its gap lies in the convex hull, but not inside.
HORSESHOE = np.array([[0, 0], [4, 0], [4, 3], [3, 3], [3, 1], [1, 1], [1, 3], [0, 3]], dtype=float)
GAP = np.array([[2.0, 2.0], [1.5, 1.2], [2.9, 2.9]])
FLESH = np.array([[0.5, 2.0], [2.0, 0.5], [3.5, 2.5]])


def in_hull(vertices: np.ndarray, points: np.ndarray) -> np.ndarray:
    return Delaunay(vertices).find_simplex(points) >= 0


class TestWindingNumber:
    def test_the_gap_of_a_folded_curve_is_outside_where_the_convex_hull_says_inside(self) -> None:
        assert in_hull(HORSESHOE, GAP).all()
        assert (winding_number(HORSESHOE, GAP) == 0).all()
        assert (winding_number(HORSESHOE, FLESH) == 1).all()

    def test_the_direction_is_the_sign_and_every_turn_counts(self) -> None:
        assert (winding_number(HORSESHOE[::-1], FLESH) == -1).all()
        angle = 2 * np.pi * 3 * np.arange(300) / 300
        thrice = np.stack([np.cos(angle), np.sin(angle)], 1) * (1 + 0.1 * np.sin(angle / 3))[:, None]
        assert winding_number(thrice, np.zeros((1, 2)))[0] == 3

    def test_simple_polygons_agree_with_another_implementation(self) -> None:
        rng = np.random.default_rng(0)
        angle = np.sort(rng.uniform(0, 2 * np.pi, 60))
        star = np.stack([np.cos(angle), np.sin(angle)], 1) * rng.uniform(0.3, 1, 60)[:, None]
        points = rng.uniform(-1, 1, (3000, 2))
        np.testing.assert_array_equal(winding_number(star, points) != 0, Polygon(star).contains_points(points))

    def test_points_at_the_height_of_a_vertex_are_counted_once(self) -> None:
        diamond = np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
        points = np.array([[0.0, 0.0], [-2.0, 0.0], [2.0, 0.0], [-2.0, 1.0], [-2.0, -1.0]])
        assert winding_number(diamond, points).tolist() == [1, 0, 0, 0, 0]


class TestSphere:
    def test_an_icosphere_is_closed_and_looks_outwards(self) -> None:
        points, triangles = subdivided(*icosahedron())
        assert points.shape == (42, 3)
        assert triangles.shape == (80, 3)
        np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1)
        edges = triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
        # Every edge has two triangles, which run along it in opposite directions.
        assert {tuple(edge) for edge in edges} == {tuple(edge[::-1]) for edge in edges}
        assert len(points) - len(edges) // 2 + len(triangles) == 2
        assert (np.linalg.det(points[triangles]) > 0).all()

    @pytest.mark.parametrize("dimension", [2, 3])
    def test_it_holds_what_is_nearer_than_its_radius(self, dimension: int) -> None:
        shell = sphere(dimension, 2.0, 600)
        points = np.random.default_rng(1).uniform(-3, 3, (4000, dimension))
        distance = np.linalg.norm(points, axis=1)
        # Chords and facets lie a little below the sphere.
        clear = np.abs(distance - 2) > 0.03
        np.testing.assert_array_equal(shell.contains(points[clear]), distance[clear] < 2)

    def test_a_bent_ball_in_three_dimensions_keeps_its_hollow_outside(self) -> None:
        shell = sphere(3, 1.0, 600)

        def bend(points: np.ndarray) -> np.ndarray:
            x, y, z = points.T
            return np.stack([x, y, z + 2.0 * x**2], 1)

        inside = 0.9 * np.random.default_rng(0).uniform(-0.5, 0.5, (200, 3))
        bent = shell.moved(bend(shell.vertices))
        assert bent.contains(bend(inside)).all()
        hollow = np.array([[0.0, 0.0, 1.4], [0.1, 0.0, 1.5]])
        assert in_hull(bent.vertices, hollow).all()
        assert not bent.contains(hollow).any()

    def test_other_dimensions_have_no_shells(self) -> None:
        with pytest.raises(DataError, match="2 or 3 dimensions"):
            sphere(4, 1.0, 100)

    def test_moving_vertices_keeps_the_topology(self) -> None:
        shell = sphere(2, 1.0, 8)
        moved = shell.moved(shell.vertices + 5)
        assert isinstance(moved, Shell)
        assert moved.faces is shell.faces
        assert moved.contains(np.array([[5.0, 5.0], [0.0, 0.0]])).tolist() == [True, False]


class TestCoverage:
    @pytest.mark.parametrize("settings", [PRP, PRR], ids=["PRP", "PRR"])
    def test_an_exact_flow_of_gaussian_data_preserves_every_count_exactly(self, settings: dict) -> None:
        flow = GaussianCase(settings).flow
        rows, _ = measure_retention(flow, latents=2000, radii=[0.5, 1.5, 3.0], vertices=100, seed=0, steps=16)
        for radius in (0.5, 1.5, 3.0):
            counts = {row["percent_inside"] for row in rows if row["radius"] == radius}
            assert len(counts) == 1

    def test_before_generation_the_share_is_that_of_the_chi_distribution(self) -> None:
        flow, _ = mixture_flow(PRP)
        rows, _ = measure_retention(flow, latents=5000, radii=[0.5, 1.0, 2.0], vertices=500, seed=0, steps=4)
        for row in rows:
            if row["stage"] == "before":
                share = stats.chi2.cdf(row["radius"] ** 2, 2)
                assert abs(row["percent_inside"] / 100 - share) < 4 * np.sqrt(share * (1 - share) / 5000) + 1e-3

    def test_finer_shells_of_a_curved_flow_lose_fewer_points(self) -> None:
        flow, _ = mixture_flow(PRP)

        def change(vertices: int) -> float:
            rows, _ = measure_retention(flow, latents=3000, radii=[1.0, 2.0], vertices=vertices, seed=0, steps=24)
            at = {(row["radius"], row["stage"]): row["percent_inside"] for row in rows}
            return float(np.mean([abs(at[radius, "generated"] - at[radius, "before"]) for radius in (1.0, 2.0)]))

        fine, coarse = change(400), change(12)
        assert fine < 0.1
        assert coarse > 5 * fine

    def test_a_network_that_learned_nothing_keeps_counts_and_returns_as_well(self) -> None:
        """Why shells and round trips are tests of the solver."""
        points = np.random.default_rng(0).normal(size=(400, 2)) * [2.0, 1.0]
        basis = Eigenbasis.fit(points)
        network = build_network({"kind": "mlp", "width": 16, "blocks": 1, "frequencies": 4}, 2, seed=0).double()
        with torch.no_grad():
            network.last.weight.normal_(std=0.3, generator=torch.Generator().manual_seed(0))
        denoiser = NetworkDenoiser(make_schedule(basis.eigenvalues, signal_left=1e-2), network, basis, "eigen")
        flow = Flow(denoiser, basis, solver=SolverSettings("rk4", 40))
        shuffled = shuffle_weights(flow, 0)
        kept = {name: value.clone() for name, value in network.state_dict().items()}
        latents = flow.sample_latents(400, 0).numpy()
        assert np.sqrt(np.square(flow.generate(latents) - shuffled.generate(latents)).mean()) > 0.2
        for name, value in shuffled.denoiser.network.state_dict().items():
            assert torch.equal(value.flatten().sort().values, kept[name].flatten().sort().values)
        settings = {"latents": 1000, "radii": [1.0, 2.0], "vertices": 200, "seed": 0}
        table = pd.DataFrame(measure_shells(flow, **settings).tables["shell_retention"])
        inside = table.pivot_table(index=["weights", "radius"], columns="stage", values="percent_inside")
        assert set(table["weights"]) == {"learned", "shuffled"}
        assert (inside.sub(inside["before"], axis=0).abs() < 0.5).all(axis=None)
        returned = [row["mse"] for of in (flow, shuffled) for row in measure_roundtrip(of, points, paper_steps=1)[:1]]
        assert max(returned) < 1e-6

    def test_what_is_drawn_has_every_stage(self) -> None:
        flow, _ = mixture_flow(PRP)
        rows, drawn = measure_retention(flow, latents=50, radii=[1.0, 2.0], vertices=20, seed=0, steps=40)
        assert len(rows) == 2 * len(STAGES)
        for stage in STAGES:
            assert drawn[f"{stage}_points"].shape == (50, 2)
            assert drawn[f"{stage}_shells"].shape == (2, 20, 2)
        np.testing.assert_allclose(drawn["returned_shells"], drawn["before_shells"], atol=0.05)
