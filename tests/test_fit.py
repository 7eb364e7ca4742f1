"""A flow is fitted to a table in one call, kept in one file, and is the flow that the workflow would have made."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from inflationary_flows import Flow, ScheduleSettings
from inflationary_flows.artifacts import fitting
from inflationary_flows.artifacts.fitting import choose_prior
from inflationary_flows.config import dataset_settings, load_config
from inflationary_flows.config.settings import network_settings, schedule_settings, solver_settings, training_settings
from inflationary_flows.errors import ArtifactError, DataError
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.metrics.density import gaussian_log_density
from inflationary_flows.metrics.summary import Summary
from inflationary_flows.training.recipe import choose_network, choose_training
from job_scripts import Named, run_script

COLUMNS = ["height", "width", "depth"]
SHORT: dict[str, Any] = {
    "network": {"width": 16, "blocks": 1, "frequencies": 0},
    "training": {"steps": 60, "batch_size": 64, "reference_size": 64, "validate_every": 30},
}


def rows(n: int = 300, seed: int = 0) -> pd.DataFrame:
    """Rows of a bent sheet, in units that differ by thousands."""
    random = np.random.default_rng(seed)
    a, b, c = random.standard_normal((3, n))
    return pd.DataFrame({"height": 1e3 * a, "width": a**2 + 0.3 * b, "depth": 1e-3 * (c + b)})[COLUMNS]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return rows()


@pytest.fixture(scope="module")
def flow(table: pd.DataFrame) -> Flow:
    return Flow.fit(table, kept_dims=2, progress=False, **SHORT)


def weights(flow: Flow) -> list[torch.Tensor]:
    return list(flow.denoiser.network.state_dict().values())


def same(first: Flow, second: Flow) -> bool:
    return all(torch.equal(*pair) for pair in zip(weights(first), weights(second), strict=True))


class TestWorkflow:
    """The workflow's jobs and one call in Python train the same network."""

    def test_flows_are_equal_to_the_bit(self, table, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        table.to_csv("mine.csv", index=False)
        Path("config.yaml").write_text(
            "datasets: {mine: {kind: csv, path: mine.csv, schedules: [prr]}}\n"
            "schedules: {prr: {kept_dims: 2, signal_left: 1e-4, compressed_prior: gaussian}}\n"
            "networks: {toy: {kind: mlp, width: 16, blocks: 1, frequencies: 0, bandwidth: 1.0}}\n"
            "training: {toy: {steps: 60, batch_size: 64, warmup_steps: 6, learning_rate: 5e-3, reference_size: 64,"
            " validate_every: 30, weighting: flow}}\n",
            encoding="utf-8",
        )
        config = load_config("config.yaml")
        dataset, training = dataset_settings(config, "mine"), training_settings(config, "mine")
        schedule, network = schedule_settings(config, "prr", "mine"), network_settings(config, "mine")
        here = Named(dataset="mine", schedule="prr", seed="0")
        splits = Named(splits="results/splits.safetensors", record="results/splits.json")
        run_script("prepare_splits", Named(files=["mine.csv"]), splits, Named(dataset=dataset, checksum=None), here)
        run_script("fit_eigenbasis", splits, Named(eigenbasis="results/basis.safetensors"), Named(), here)
        files = {"splits": "results/splits.safetensors", "eigenbasis": "results/basis.safetensors"}
        params = Named(
            dataset=dataset,
            kernels={"schedules": [schedule]},
            network=network,
            training=training,
            parts=1,
            seed=0,
            state="results/.training",
            source="",
        )
        trained = Named(network="results/network.safetensors", curve="results/training.jsonl")
        run_script("train_network", Named(**files), trained, params, here)
        solver = solver_settings(config, "prr")
        params = Named(schedule=schedule, solver=solver, compressed_prior="gaussian", source="")
        run_script(
            "assemble_flow",
            Named(**files, network=trained["network"], curve=trained["curve"]),
            Named(flow="results/flow.safetensors"),
            params,
            here,
        )
        made = Flow.load("results/flow.safetensors")
        fitted = Flow.fit(
            pd.read_csv("mine.csv"),
            kept_dims=2,
            compressed_prior="gaussian",
            progress=False,
            **SHORT,
        )
        assert same(made, fitted)
        assert made.columns == fitted.columns == tuple(COLUMNS)
        assert {**made.record["network"], "time_features": 12} == {**fitted.record["network"], "time_features": 12}
        for key in ("schedule", "training", "seed", "history", "versions"):
            assert made.record[key] == fitted.record[key], key
        assert made.record["split"]["sizes"] == fitted.record["split"]["sizes"]
        pd.testing.assert_frame_equal(made.sample(20), fitted.sample(20), check_exact=True)
        np.testing.assert_array_equal(made.log_prob(table), fitted.log_prob(table))
        # Another seed is another flow: the comparison can fail.
        other = Flow.fit(table, kept_dims=2, compressed_prior="gaussian", seed=1, progress=False, **SHORT)
        assert not same(made, other)


class TestTables:
    def test_arrays_tensors_and_data_frames_are_one_table(self, table, flow):
        for same_table in (table.to_numpy(), torch.from_numpy(table.to_numpy().copy()), table.to_numpy().tolist()):
            again = Flow.fit(same_table, kept_dims=2, progress=False, **SHORT)
            assert same(again, flow)
            assert again.columns == ()
            assert isinstance(again.sample(3), np.ndarray)

    def test_numbered_columns_of_a_data_frame_are_in_the_order_of_their_numbers(self, table):
        flow = Flow.fit(table.set_axis([0, 1, 2], axis=1), progress=False, **SHORT)
        numbered = table.set_axis([0, 1, 2], axis=1)
        pd.testing.assert_frame_equal(flow.inflate(numbered[[2, 0, 1]]), flow.inflate(numbered))

    @pytest.mark.parametrize("columns", [pd.Index(COLUMNS[:2]), np.array(COLUMNS[:2]), iter(COLUMNS[:2])])
    def test_names_of_columns_come_as_any_row_of_names(self, table, columns):
        assert Flow.fit(table, columns=columns, progress=False, **SHORT).columns == tuple(COLUMNS[:2])

    def test_columns_are_chosen_by_name(self, table):
        flow = Flow.fit(table.assign(note="text"), columns=["depth", "height"], progress=False, **SHORT)
        assert flow.columns == ("depth", "height")
        assert list(flow.sample(2).columns) == ["depth", "height"]

    def test_columns_are_of_the_kinds_that_are_said_or_recognised(self, table, tmp_path):
        random = np.random.default_rng(5)
        priced = table.assign(price=np.exp(random.standard_normal(300)), stars=random.integers(1, 6, 300))
        kinds: dict[str, Any] = {"positive": ["price"], "bounded": {"stars": (1, 5)}, "integer": ["stars"]}
        said = Flow.fit(priced, **kinds, progress=False, **SHORT)
        recognised = Flow.fit(priced, columns="auto", progress=False, **SHORT)
        assert said.record["column_kinds"] == recognised.record["column_kinds"]
        assert same(said, recognised)
        plain = Flow.fit(priced, progress=False, **SHORT)
        assert not same(said, plain)
        once = {key: (name for name in value) if isinstance(value, list) else value for key, value in kinds.items()}
        assert same(said, Flow.fit(priced, **once, progress=False, **SHORT))
        rows = said.sample(500)
        assert (rows["price"] > 0).all()
        assert set(rows["stars"]) == {1, 2, 3, 4, 5}
        assert rows["stars"].dtype == np.int64
        assert not (plain.sample(500)["price"] > 0).all()
        said.save(tmp_path / "flow.safetensors")
        pd.testing.assert_frame_equal(Flow.load(tmp_path / "flow.safetensors").sample(500), rows, check_exact=True)

    def test_the_callers_table_is_left_as_it_was(self, table):
        before = table.copy()
        Flow.fit(table, progress=False, **SHORT)
        pd.testing.assert_frame_equal(table, before)

    def test_own_rows_are_what_the_flow_is_chosen_and_judged_on(self, table):
        flow = Flow.fit(table, validation=rows(50, 1), test=rows(40, 2), progress=False, **SHORT)
        assert flow.record["split"]["sizes"] == {"train": 300, "validation": 50, "test": 40}
        assert flow.summary().rows == 40
        none = Flow.fit(table, test=0, progress=False, **SHORT)
        assert none.record["split"]["sizes"] == {"train": 255, "validation": 45, "test": 0}
        assert none.summary().judged == "validation"

    def test_copies_of_a_row_come_into_one_split_and_whole_numbers_are_no_copies(self, table, caplog):
        doubled = pd.concat([table, table], ignore_index=True)
        sizes = Flow.fit(doubled, progress=False, **SHORT).record["split"]["sizes"]
        assert all(size % 2 == 0 for size in sizes.values())
        assert "300 of 600 rows are copies of others" in caplog.text
        visits = pd.DataFrame({"visits": np.random.default_rng(5).poisson(2, 600), "more": np.arange(600) % 7})
        for kinds in ({"integer": ["visits", "more"], "bounded": {"visits": (0, None)}}, {}):
            flow = Flow.fit(visits, progress=False, **kinds, **SHORT)
            assert flow.record["split"]["sizes"] == {"train": 420, "validation": 90, "test": 90}

    def test_units_do_not_matter(self, table, flow):
        scaled = Flow.fit(table * [8.0, 0.25, 1024.0], kept_dims=2, progress=False, **SHORT)
        np.testing.assert_allclose(scaled.inflate(table * [8.0, 0.25, 1024.0]), flow.inflate(table), atol=1e-8)


class TestSettings:
    @pytest.mark.parametrize(("n", "dimension"), [(50, 2), (400, 30), (10_000, 13), (10**6, 10), (5000, 300)])
    def test_of_every_size_are_settings_of_a_training(self, n, dimension):
        training, network = choose_training(n, dimension, {}), choose_network(dimension, {})
        assert training.warmup_steps < training.steps
        assert (network["frequencies"] == 0) == (dimension > 3)
        assert training.steps >= choose_training(50, 2, {}).steps

    def test_fifty_rows_are_enough_not_to_lose_to_their_gaussian(self):
        flow = Flow.fit(rows(50), test=rows(400, 9), progress=False)
        assert flow.record["split"]["sizes"] == {"train": 42, "validation": 8, "test": 400}
        assert flow.summary().gain > -2 * flow.summary().gain_error
        # Few rows support a part of the network alone, and the report says which.
        assert flow.summary().learned == flow.history[-1]["factor"] < 1
        assert f"learned              {flow.history[-1]['factor']:.2f} of what the network says" in str(flow.summary())
        # Without validation the same rows are learned by heart.
        unheld = Flow.fit(rows(50), test=rows(400, 9), progress=False, training={"shrink": False, "steps": 500})
        assert unheld.summary().gain < -1
        assert "of what the network says" not in str(unheld.summary())

    def test_those_of_the_caller_count_and_stand_in_the_record(self, flow):
        assert flow.record["training"]["steps"] == 60
        assert flow.record["training"]["warmup_steps"] == 6
        assert flow.record["network"]["width"] == 16
        assert flow.record["schedule"] == {
            "kernel": "floor",
            "kept_dims": 2,
            "gap": "orig",
            "rho": 1.0,
            "gamma0": 5e-4,
            "signal_left": 1e-4,
        }

    def test_a_schedule_by_name_is_the_one_by_settings(self, table):
        by_name = Flow.fit(table, schedule="proportional", progress=False, **SHORT)
        settings = ScheduleSettings(kernel="proportional", signal_left=1e-2)
        assert same(by_name, Flow.fit(table, schedule=settings, progress=False, **SHORT))
        assert by_name.schedule.kernel == "proportional"

    def test_directions_without_noise_are_learned_from_samples(self, table):
        flow = Flow.fit(table, schedule="proportional", kept_dims=2, progress=False, **SHORT)
        assert flow.schedule.leaves_noiseless
        assert flow.record["training"]["targets"] == "sample"
        assert Flow.fit(table, progress=False, **SHORT).record["training"]["targets"] == "posterior_mean"

    def test_compressed_latents_of_few_rows_are_not_resampled(self):
        assert choose_prior(300, 1) == choose_prior(4999, 4) == "gaussian"
        assert choose_prior(500, 3) == choose_prior(5000, 40) == "empirical"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as on a terminal: what shells start in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
class TestInterruption:
    def test_ctrl_c_gives_the_flow_so_far_and_a_second_call_goes_on(self, table, tmp_path, caplog):
        whole = Flow.fit(table, checkpoint=tmp_path / "whole", progress=False, **SHORT)

        def stop(row: Any) -> None:
            if row.get("step") == 30:
                os.kill(os.getpid(), signal.SIGINT)

        part = Flow.fit(table, checkpoint=tmp_path / "part", callbacks=[stop], progress=False, **SHORT)
        assert max(row["step"] for row in part.history if row["event"] == "validation") == 31
        assert np.isfinite(part.log_prob(table)).all()
        resumed = Flow.fit(table, checkpoint=tmp_path / "part", progress=False, **SHORT)
        assert same(resumed, whole)
        assert resumed.history == whole.history
        assert "training ended early, after step 31 of 60" in caplog.text
        assert not same(resumed, part)
        # The handler of the caller is back.
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_ctrl_c_after_training_costs_no_flow(self, table, monkeypatch):
        judge = fitting.summarise_flow

        def interrupted(*arguments: Any) -> Any:
            os.kill(os.getpid(), signal.SIGINT)
            return judge(*arguments)

        monkeypatch.setattr(fitting, "summarise_flow", interrupted)
        assert Flow.fit(table, progress=False, **SHORT).summary().rows == 45

    def test_other_settings_do_not_go_on_from_a_checkpoint(self, table, tmp_path):
        first = Flow.fit(table, checkpoint=tmp_path, progress=False, **SHORT)
        other = Flow.fit(table, checkpoint=tmp_path, seed=1, progress=False, **SHORT)
        assert not same(first, other)
        assert len(list(tmp_path.iterdir())) == 2

    def test_threads_fit_as_well(self, table, flow):
        made: list[Flow] = []
        arguments = {"kept_dims": 2, "progress": False, **SHORT}
        thread = threading.Thread(target=lambda: made.append(Flow.fit(table, **arguments)))
        thread.start()
        thread.join()
        assert same(made[0], flow)

    def test_callbacks_see_each_row_of_the_curve(self, table):
        seen: list[Any] = []
        flow = Flow.fit(table, callbacks=[seen.append], progress=False, **SHORT)
        assert seen == flow.history
        assert [row["step"] for row in seen if row["event"] == "validation"] == [30, 60]


class TestFiles:
    def test_hold_everything(self, table, flow, tmp_path):
        flow.save(tmp_path / "flow.safetensors")
        again = Flow.load(tmp_path / "flow.safetensors")
        pd.testing.assert_frame_equal(again.sample(50), flow.sample(50), check_exact=True)
        np.testing.assert_array_equal(again.log_prob(table), flow.log_prob(table))
        assert again.history == flow.history
        assert again.history[0]["step"] == 30
        assert again.summary() == flow.summary()
        assert again.record["split"] == flow.record["split"]
        assert set(again.record["versions"]) == {"inflationary-flows", "numpy", "torch"}
        again.save(tmp_path / "again.safetensors")
        assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "flow.safetensors").read_bytes()

    def test_of_a_later_release_are_refused(self, flow, tmp_path):
        flow.save(tmp_path / "flow.safetensors")
        arrays, metadata = load_tensors(tmp_path / "flow.safetensors")
        save_tensors(tmp_path / "later.safetensors", arrays, {**metadata, "format": 3})
        with pytest.raises(ArtifactError, match="format 2 or before, got format 3"):
            Flow.load(tmp_path / "later.safetensors")

    def test_are_written_only_where_there_is_a_folder(self, flow, tmp_path):
        for path in (tmp_path, tmp_path / "missing" / "flow.safetensors"):
            with pytest.raises(ArtifactError, match="a file in a folder that exists"):
                flow.save(path)


class TestSummary:
    def test_gaussian_is_that_of_the_training_rows(self, table, flow):
        train = table.to_numpy()[:200]
        plain = Flow.fit(train, validation=table[200:].to_numpy(), test=0, progress=False, **SHORT)
        centred = train - train.mean(0)
        covariance = centred.T @ centred / (len(train) - 1)
        x = table.to_numpy()[200:]
        distance = np.einsum("ni,ij,nj->n", x - train.mean(0), np.linalg.inv(covariance), x - train.mean(0))
        expected = -(distance + np.linalg.slogdet(2 * np.pi * covariance)[1]) / 2
        np.testing.assert_allclose(gaussian_log_density(plain, x, noised=False), expected, atol=1e-8)

    def test_verdict_tells_a_good_flow_from_an_impostor(self):
        x = rows(2000, 3)
        longer = {"network": {"width": 32}, "training": {"steps": 250, "batch_size": 256, "reference_size": 256}}
        good = Flow.fit(x, progress=False, **longer)
        assert good.summary().gain > 4 * good.summary().gain_error
        assert "more likely under the flow" in good.summary().verdict
        # Rows of another law, a Gaussian of the same covariance: the flow is wrong about them, and says so.
        random = np.random.default_rng(0)
        impostor = pd.DataFrame(random.multivariate_normal(x.mean(), x.cov(), 500), columns=COLUMNS)
        judged = good.summary(impostor)
        assert judged.gain < -4 * judged.gain_error
        assert "do not use it" in judged.verdict
        assert judged.two_sample_accuracy > judged.chance
        assert "tells its samples from real rows" in judged.verdict

    def test_verdict_on_a_flow_that_is_the_gaussian_is_that_it_is_not_told_from_it(self, flow):
        values = {**flow.summary().as_dict(), "gain": -2e-4, "gain_error": 5e-5}
        assert "not told from a Gaussian" in Summary.from_dict(values).verdict

    def test_prints_as_a_report(self, flow):
        text = str(flow.summary())
        assert "3 (2 kept)" in text
        assert " ".join(text.split()).endswith(flow.summary().verdict)
        assert max(map(len, text.splitlines())) <= 88

    def test_of_a_workflows_flow_asks_for_rows(self, table, flow):
        other = Flow._of(flow, {})
        with pytest.raises(DataError, match="pass rows that the flow was not trained on"):
            other.summary()
        assert other.summary(table).judged == "given"


class TestDecodeKept:
    def test_mean_and_spread_are_the_conditional_ones_of_a_gaussian(self):
        """Of F = 0 the flow is linear: x given kept scores is known in closed form."""
        random = np.random.default_rng(0)
        x = random.standard_normal((400, 3)) @ np.diag([3.0, 2.0, 0.5])
        flow = Flow.fit(x, kept_dims=2, standardise=False, compressed_prior="gaussian", progress=False, **SHORT)
        flow.denoiser.network.scale_output(0.0)
        z = flow.inflate(x)[:50, :2]
        decoded = flow.decode_kept(z, draws=500)
        basis, u = flow.basis, flow.basis.to_eigen(torch.from_numpy(x[:50]))
        u[:, 2] = 0
        np.testing.assert_allclose(decoded.mean, basis.from_eigen(u), atol=0.1)
        spread = (basis.eigenvalues[2].sqrt() * basis.vectors[:, 2].abs()).numpy()
        np.testing.assert_allclose(decoded.std, np.tile(spread, (50, 1)), rtol=0.12, atol=1e-3)

    def test_of_all_latents_nothing_is_left_open(self, table):
        flow = Flow.fit(table, progress=False, **SHORT)
        decoded = flow.decode_kept(flow.inflate(table[:20]), draws=2)
        assert float(((decoded.mean - table[:20]) / table.std()).abs().max().max()) < 1e-5
        assert float((decoded.std / table.std()).max().max()) < 1e-6

    def test_does_not_depend_on_batches_and_returns_data_frames(self, table, flow):
        z = flow.inflate(table)[["z1", "z2"]]
        whole = flow.decode_kept(z, draws=8)
        part = flow.decode_kept(z[5:7], draws=8)
        pd.testing.assert_frame_equal(whole.mean[5:7], part.mean, atol=1e-4)
        assert list(part.std.columns) == COLUMNS


class TestWholeColumns:
    """Of data frames they have whole types, as far as numbers can be counted."""

    def test_numbers_beyond_what_can_be_counted_are_no_other_numbers(self):
        random = np.random.default_rng(0)
        frame = pd.DataFrame({"v": np.exp(random.uniform(0, 36, 400)).round() + 1, "w": random.normal(size=400)})
        flow = Flow.fit(frame, positive=["v"], integer=["v"], progress=False, **SHORT)
        assert (flow.sample(2000)["v"] >= 1).all()

    def test_dates_as_numbers_survive_single_precision(self):
        random = np.random.default_rng(1)
        frame = pd.DataFrame({"d": 20240101 + random.integers(0, 40, 400), "w": random.normal(size=400)})
        flow = Flow.fit(frame, integer=["d"], progress=False, **SHORT)
        latents = flow.inflate(frame).astype("float32")
        assert (flow.generate(latents)["d"] == frame["d"]).all()

    def test_points_of_cells_stay_what_they_are(self):
        frame = pd.DataFrame({"k": np.random.default_rng(2).poisson(3, 400), "w": np.linspace(0, 1, 400) ** 2})
        flow = Flow.fit(frame, bounded={"k": (0, None)}, integer=["k"], progress=False, **SHORT)
        np.testing.assert_array_equal(flow.noised_data(frame, 0), flow.noised_data(frame.to_numpy(), 0))

    @pytest.mark.parametrize(("dimension", "error"), [(2, 0.01), (4, 0.01), (6, 0.03)])
    def test_probabilities_of_columns_that_depend_on_each_other_add_up_to_one(self, dimension, error):
        random = np.random.default_rng(3)
        shared = 2 * random.standard_normal((400, 1))
        x = (shared + random.standard_normal((400, 6)) > np.linspace(0, 1, 6)).astype(int)[:, :dimension]
        tiny = {"network": {"width": 8, "blocks": 1}, "training": {"steps": 20}}
        flow = Flow.fit(x, columns="auto", progress=False, **tiny)
        cells = np.array(list(itertools.product((0, 1), repeat=dimension)))
        assert np.exp(flow.log_prob(cells)).sum() == pytest.approx(1, abs=error)
