"""Choosing dimensions by one network: closed forms of Gaussian data, an impostor, and what is looked at by default."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from torch import Tensor, nn

from conftest import run_workflow
from inflationary_flows.config import load_config
from inflationary_flows.config.study import Study
from inflationary_flows.data.splits import Splits
from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments import layout
from inflationary_flows.experiments.dimension_choice.figure import draw_dimension_choice
from inflationary_flows.experiments.dimension_choice.measure import gap_of, measure
from inflationary_flows.experiments.dimension_choice.spec import EXPERIMENT, compared, looked_at, params
from inflationary_flows.experiments.registry import experiments
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.plotting.material import Material
from inflationary_flows.training.assembly import with_schedule
from repository import REPOSITORY

ALL: dict[str, Any] = {"kernel": "floor", "signal_left": 1e-2}
SOME: dict[str, Any] = {"kernel": "floor", "kept_dims": 2, "signal_left": 1e-4}
GAP: dict[str, Any] = {**SOME, "gap": "constant", "inflation_gap": 1.02}
TABLE = str(REPOSITORY / "tests/data/own_table.csv")
OWN: dict[str, Any] = {
    "datasets": {"mine": {"kind": "csv", "path": TABLE, "schedules": ["prp", "prr2"]}},
    "schedules": {"prp": {"signal_left": 1e-2}, "prr2": {"kept_dims": 2, "signal_left": 1e-4}},
    "networks": {"toy": {"kind": "mlp", "width": 16, "blocks": 1, "schedules": "any"}},
    "training": {"toy": {"steps": 20, "warmup_steps": 2}},
    "solver": {"method": "rk4", "steps": 8},
}
NETWORKS: dict[str, Any] = {"toy": {"kind": "mlp", "width": 16, "blocks": 1}}
TOY_ANY: dict[str, Any] = {"kind": "mlp", "width": 16, "blocks": 1, "schedules": {"inflation_gap": [0.5, 1.1]}}


class Constant(nn.Module):
    """F is the same everywhere: at zero that of Gaussian data, whose flow is linear."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, y: Tensor, told: Tensor) -> Tensor:
        """Keeps the shape and the graph of y."""
        return self.value + 0 * y


def linear_flow(basis: Eigenbasis, schedule: dict[str, Any], value: float = 0.0) -> Flow:
    made = make_schedule(basis.eigenvalues, **schedule)
    denoiser = NetworkDenoiser(made, Constant(value), basis, "eigen", "angles")
    return Flow(denoiser, basis, solver=SolverSettings("rk4", 12))


def gaussian_rows() -> np.ndarray:
    rng = np.random.default_rng(0)
    turned = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    return (rng.standard_normal((900, 4)) * [2.0, 1.0, 0.4, 0.1]) @ turned


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """What is measured of Gaussian data, by a network that is right and one of its own that is not."""
    rows = gaussian_rows()
    none = np.zeros(0)
    splits = Splits(rows[:700], rows[700:800], rows[800:], none, none, none, np.ones(4))
    basis = Eigenbasis.fit(splits.train)
    flows = {("prp", "0-any"): linear_flow(basis, ALL), ("prr2", "0"): linear_flow(basis, SOME, 0.8)}
    measured = measure(
        flows,
        splits=splits,
        shared="0-any",
        schedules=[ALL, {**SOME, "kept_dims": 1}, SOME, GAP],
        own={"prr2": SOME},
        training_steps={"0-any": 30, "0": 20},
        samples=150,
        density_samples=60,
        reconstructed=40,
        steps=None,
        compressed_prior="gaussian",
        seed=0,
    )
    return pd.DataFrame([{"dataset": "mine", **row} for row in measured.tables["dimension_choice"]])


def of(table: pd.DataFrame, metric: str, network: str = "shared") -> pd.DataFrame:
    return table[(table["metric"] == metric) & (table["network"] == network)].set_index(["kept_dims", "gap"])


def test_gaussian_data_have_one_likelihood_whatever_is_kept(table: pd.DataFrame) -> None:
    likelihood = of(table, "log_likelihood")
    np.testing.assert_allclose(likelihood["value"], likelihood["reference"], atol=1e-5)
    np.testing.assert_allclose(of(table, "over_all_kept")["value"], 0, atol=1e-5)


def test_kept_latents_of_gaussian_data_are_principal_components(table: pd.DataFrame) -> None:
    """The linear flow carries each direction alone, so that nothing is lost but what PCA loses."""
    error = of(table, "reconstruction")
    np.testing.assert_allclose(error["value"], error["reference"], atol=1e-6)
    assert error["value"].loc[(4, "none")] < 1e-6 < error["value"].loc[(2, "orig")] < error["value"].loc[(1, "orig")]
    assert (of(table, "round_trip")["value"] < 1e-5).all()
    rows = gaussian_rows()
    directions = np.linalg.svd(rows[:700] - rows[:700].mean(0))[2][:2]
    held_out = rows[800:840] - rows[:700].mean(0)
    left = held_out - held_out @ directions.T @ directions
    assert error["value"].loc[(2, "orig")] == pytest.approx(math.sqrt(np.square(left).mean()), rel=1e-4)


def test_a_worse_network_of_its_own_is_seen(table: pd.DataFrame) -> None:
    for metric in ("over_all_kept", "over_shared"):
        row = of(table, metric, "own").iloc[0]
        assert row["value"] < -4 * row["error"] < 0
    assert of(table, "over_shared").empty
    energy, worse = of(table, "energy_distance"), of(table, "energy_distance", "own").iloc[0]
    assert (energy["value"] < 0.02).all()
    assert worse["value"] > 2 * energy["value"].abs().max()
    assert set(of(table, "training_steps")["value"]) == {30}
    assert set(of(table, "evaluations")["value"]) == {48}


def test_the_table_is_as_it_is_documented_and_is_drawn(table: pd.DataFrame) -> None:
    assert list(table) == list(EXPERIMENT.tables[0].columns)
    assert all(f"`{metric}`" in EXPERIMENT.tables[0].notes for metric in table["metric"])
    figure = draw_dimension_choice(Material(tables={"dimension_choice": table}))
    panels = [axis for axis in figure.axes if axis.get_title()]
    # No digits, no panel of Frechet distances.
    assert len(panels) == 4
    lines = {tuple(line.get_xdata()): line for line in panels[2].lines if len(line.get_xdata()) > 2}
    places = [1, 2, 1.6 * 4]
    np.testing.assert_allclose(list(lines), [places], err_msg="all kept stand beyond the others")
    assert [text.get_text() for text in panels[0].get_xticklabels()] == ["1", "2", "all"]


def test_flows_of_another_schedule_have_the_same_weights() -> None:
    basis = Eigenbasis.fit(np.random.default_rng(0).standard_normal((50, 3)))
    flow = linear_flow(basis, ALL, 0.3)
    some = make_schedule(basis.eigenvalues, **SOME)
    twin = with_schedule(flow, some, None, "gaussian")
    assert isinstance(twin.denoiser, NetworkDenoiser)
    assert float(next(twin.denoiser.network.parameters()).detach()) == pytest.approx(0.3)
    assert (twin.schedule.kept_dims, flow.schedule.kept_dims) == (2, 3)
    assert twin.compressed_latents is None
    resampled = with_schedule(flow, some, np.random.default_rng(1).standard_normal((20, 3)), "empirical")
    assert resampled.compressed_latents is not None
    assert resampled.compressed_latents.shape == (20, 1)


def test_gaps_have_names() -> None:
    assert [gap_of(schedule) for schedule in (ALL, SOME, GAP, SOME | {"gap": "orig"})] == [
        "none",
        "orig",
        "1.02",
        "orig",
    ]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(1, 63, [1, 2, 3, 5, 8, 13, 22, 38, 63]), (1, 2, [1, 2]), (3, 3, [3]), (1, 12, [1, 2, 3, 5, 6, 9, 12])],
)
def test_about_nine_numbers_are_looked_at(low: int, high: int, expected: list[int]) -> None:
    assert looked_at(low, high) == expected


def test_a_table_whose_own_network_knows_all_needs_no_setting() -> None:
    study = Study(load_config(OWN))
    assert "dimension_choice" in [experiment.name for experiment in layout.asked_for(study)]
    # All flows are by one network: there is none of its own beside it.
    assert compared(study) == [("mine", "prp", "0")]
    found = params(study, "mine")
    kept = [(one.get("kept_dims"), one.get("inflation_gap")) for one in found["schedules"]]
    assert kept == [(None, None), (1, None), (2, None)]
    assert found["classifier"] is None
    study = Study(load_config({**OWN, "networks": {"toy": TOY_ANY}}))
    kept = [(one.get("kept_dims"), one.get("inflation_gap")) for one in params(study, "mine")["schedules"]]
    assert kept == [(None, None), *((d, gap) for gap in (None, 0.5, 1.1) for d in (1, 2))]
    # A network a schedule: nothing is made.
    study = Study(load_config({**OWN, "networks": NETWORKS}))
    assert compared(study) == []
    assert layout.parts_of(study, experiments()["dimension_choice"]) == {}


def test_flows_of_the_default_configuration_stand_beside_those_of_their_own_networks() -> None:
    study = Study(load_config(REPOSITORY / "config.yaml"))
    own = [("digits", name, "0") for name in ("prp", "prr10", "prr2_gaussian")]
    assert compared(study) == [("digits", "prp", "0-any"), *own]
    assert {study.trained_as(flow) for flow in compared(study)} == {*own, ("digits", "shared", "0-any")}
    found = params(study, "digits")
    assert [one.get("kept_dims") for one in found["schedules"]] == [None, 1, 2, 5, 10, 20, 30, 40, 50, 63]
    assert found["training_steps"] == {"0-any": 1200, "0": 1200}
    assert found["classifier"]["seed"] == 0


WIDE = {"networks": {**NETWORKS, "wide": TOY_ANY}, "variants": {"any": {"network": "wide"}, "same": {"steps": 10}}}


@pytest.mark.parametrize(
    ("settings", "where", "expected", "got", "hint"),
    [
        (
            {"variants": {"mine": "same"}},
            "dimension_choice.variants.mine",
            "a variant whose network knows a range",
            '"same", whose network "toy" has none',
            "set schedules: any in networks.toy",
        ),
        (
            {"dimensions": {"mine": [1]}},
            "dimension_choice.dimensions.mine",
            "none has one",
            "mine, whose network has none",
            "or name a variant",
        ),
        (
            {"variants": {"mine": "any"}, "dimensions": {"mine": [1, 3]}},
            "dimension_choice.dimensions.mine",
            "a number from 1 to 2",
            "3",
            "leave it out",
        ),
        (
            {"variants": {"mine": "any"}, "gaps": {"mine": [2.0]}},
            "dimension_choice.gaps.mine",
            "a number from 0.5 to 1.1",
            "2",
            "leave it out",
        ),
        ({"variants": {"mine": "an"}}, "dimension_choice.variants.mine", "any", '"an"', 'did you mean "any"'),
    ],
)
def test_wrong_settings_say_what_is_expected(
    settings: dict[str, Any], where: str, expected: str, got: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({**OWN, **WIDE, "experiments": {"dimension_choice": settings}})
    problem = caught.value
    assert problem.where == f"experiments.{where}"
    assert expected in problem.expected
    assert got in problem.got
    assert hint in problem.hint


def test_a_variant_need_not_know_schedules_that_it_is_not_asked_for() -> None:
    schedules = {**OWN["schedules"], "proportional": {"kernel": "proportional", "signal_left": 1e-2}}
    datasets = {"mine": {**OWN["datasets"]["mine"], "schedules": ["proportional", "prr2"]}}
    content = {**OWN, **WIDE, "schedules": schedules, "datasets": datasets}
    content["experiments"] = {"dimension_choice": {"variants": {"mine": "any"}}}
    assert compared(Study(load_config(content))) == [("mine", "prr2", "0-any"), ("mine", "prr2", "0")]
    datasets["mine"]["schedules"] = ["proportional"]
    with pytest.raises(ConfigError, match="a schedule that the network knows"):
        load_config(content)


@pytest.mark.long
def test_a_table_of_the_users_is_measured_from_the_command_line(tmp_path: Path) -> None:
    settings = {"samples": 20, "density_samples": 5, "reconstructed": 5}
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump({**OWN, "experiments": {"dimension_choice": settings}}), encoding="utf-8")
    outcome = run_workflow(tmp_path, "results/figures/dimension_choice.png", config=path)
    assert outcome.code == 0, outcome.text
    assert outcome.jobs["train_network"] == 1
    table = pd.read_csv(tmp_path / "results/tables/dimension_choice.csv", keep_default_na=False, na_values=[""])
    assert set(table["network"]) == {"shared"}
    assert set(table["kept_dims"]) == {1, 2, 3}
    assert set(table["gap"]) == {"none", "orig"}
    assert table["value"].notna().all()
