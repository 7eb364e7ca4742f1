"""Where calibration begins: the exact flow passes, the Gaussian of the data and ten steps of training do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from configurations import changed
from inflationary_flows.config import load_config, training_settings
from inflationary_flows.config.study import Study
from inflationary_flows.data.oracles import draw_fresh, exact_mixture
from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import experiments
from inflationary_flows.experiments.training_length.figure import draw_training_length
from inflationary_flows.experiments.training_length.measure import measure
from inflationary_flows.experiments.training_length.spec import EXPERIMENT, params
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.oracles import exact_denoiser
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.plotting.material import Material
from inflationary_flows.training.fit import fit
from inflationary_flows.training.kernels import Kernels
from inflationary_flows.training.settings import TrainingSettings
from stores import kept

CIRCLES = {"kind": "circles", "seed": 0}
NETWORK = {"kind": "mlp", "space": "eigen", "width": 64, "blocks": 2, "frequencies": 32}
CONFIG = {
    "datasets": {"circles": {"schedules": ["prp"]}, "digits": {"schedules": ["prp"], "training": "other"}},
    "schedules": {"prp": {"signal_left": 1e-2}},
    "networks": {"toy": {"kind": "mlp"}},
    "training": {"toy": {"steps": 1000, "warmup_steps": 105}, "other": {"steps": 500, "targets": "sample"}},
    "variants": {"brief": {"steps": 10}},
    "experiments": {"training_length": {"flows": {"circles": ["prp"]}, "variants": ["brief"]}},
}


@pytest.fixture(scope="module")
def rows() -> dict[Any, dict[str, Any]]:
    """Of circles at a noise of one, by steps: the exact flow as if it had been trained, and ten real steps."""
    x, mixture = draw_fresh(CIRCLES, 6000, 9), exact_mixture(CIRCLES, 60)
    assert x is not None
    assert mixture is not None
    basis = Eigenbasis.fit(x)
    schedule = make_schedule(basis.eigenvalues, signal_left=1e-2)
    settings = TrainingSettings(steps=10, batch_size=256, learning_rate=5e-3, warmup_steps=1, reference_size=256)
    brief, _ = fit(x[:5000], x[5000:], basis, Kernels([schedule]), NETWORK, settings, seed=0, checkpoint=kept())
    solver = SolverSettings("adams_bashforth6", 40)
    flows = {
        ("prp", "0"): Flow(exact_denoiser(schedule, basis, *mixture), basis, solver=solver),
        ("prp", "0-brief"): Flow(brief, basis, solver=solver),
    }
    measured = measure(
        flows,
        dataset=CIRCLES,
        steps={"0": 1000, "0-brief": 10},
        noise_std=1.0,
        samples=100,
        levels=[0.1, 0.3, 0.5, 0.7, 0.9],
        replicates=800,
        references=4,
        pool=4000,
        pool_steps=20,
        seed=0,
    )
    table = list(measured.tables["training_length"])
    assert ["dataset", *table[0]] == list(EXPERIMENT.tables[0].columns)
    return {row["steps"]: dict(row) for row in table}


def test_the_exact_flow_is_calibrated_and_brief_training_is_seen(rows: dict[Any, dict[str, Any]]) -> None:
    assert list(rows) == [None, 0, 10, 1000]
    for good in (rows[None], rows[1000]):
        assert good["p_value"] > 0.01
        assert good["worst"] < 0.06
        assert good["excess_denoising_error"] < 1e-4
        assert good["kl_to_flow"] < 0.003
    for bad in (rows[0], rows[10]):
        assert bad["p_value"] < 1e-3
        assert bad["worst"] > 2 * rows[None]["worst"]
        assert bad["kl_to_flow"] > 0.1
        assert bad["excess_denoising_error"] > 0.01
    # Ten steps do not lead away from the Gaussian.
    assert rows[10]["kl_to_flow"] == pytest.approx(rows[0]["kl_to_flow"], rel=0.3)


def test_it_is_drawn_with_the_gaussian_at_the_left(rows: dict[Any, dict[str, Any]]) -> None:
    table = pd.DataFrame([{"dataset": "circles", **row} for row in rows.values()])
    figure = draw_training_length(Material(tables={"training_length": table}))
    panels = {axis.get_ylabel(): axis for axis in figure.axes}
    divergence = panels["KL of exact to flow\n(nats)"].lines[0]
    assert list(divergence.get_xdata()) == [0, 10, 1000]
    np.testing.assert_allclose(
        divergence.get_ydata().astype(float), [rows[steps]["kl_to_flow"] for steps in (0, 10, 1000)]
    )
    thresholds = [line.get_ydata()[0] for line in panels["p-value of calibration"].lines if line.get_linestyle() == ":"]
    assert thresholds == [0.01]


def test_a_variant_of_another_length_keeps_the_share_of_the_warm_up() -> None:
    config = load_config(CONFIG)
    shorter, own = (training_settings(config, "circles", variant) for variant in ("brief", None))
    assert {key for key in own if own[key] != shorter[key]} == {"steps", "warmup_steps"}
    assert (shorter["steps"], shorter["warmup_steps"]) == (10, 1)
    assert params(Study(config), "circles")["steps"] == {"0": 1000, "0-brief": 10}
    # A variant may name other settings and another length of them.
    both = load_config(changed(CONFIG, variants__brief={"steps": 50, "training": "other"}))
    assert training_settings(both, "circles", "brief")["targets"] == "sample"
    assert training_settings(both, "circles", "brief")["warmup_steps"] == 20


@pytest.mark.parametrize(
    ("flows", "message"),
    [({"digits": ["prp"]}, "toys, whose density is known"), ({"circles": ["none"]}, "unknown name")],
)
def test_flows_that_cannot_be_measured_are_refused(flows: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"experiments\.training_length\.flows.*{message}"):
        load_config(changed(CONFIG, experiments__training_length__flows=flows))
    assert "training_length" in experiments()
