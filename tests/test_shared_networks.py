"""A network that is told the kernel serves every schedule, and flows of it are flows like any other."""

from __future__ import annotations

import dataclasses
import math
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from inflationary_flows import Flow, ScheduleSettings
from inflationary_flows.artifacts.schedule_choice import _listed
from inflationary_flows.config import dataset_settings, load_config
from inflationary_flows.config.settings import network_settings, schedule_settings, solver_settings, training_settings
from inflationary_flows.config.study import Study
from inflationary_flows.errors import ArtifactError, DataError
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.mathematics.denoisers import MixtureDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.kernels import noise_seen
from inflationary_flows.mathematics.schedules import Schedule, make_schedule
from inflationary_flows.networks.kernel_range import KernelRange
from inflationary_flows.training.examples import KeptExamples, whitened_data
from inflationary_flows.training.fit import draw_batch, fit
from inflationary_flows.training.kernels import Kernels, RangeOfKernels, in_turns
from inflationary_flows.training.settings import TrainingSettings
from inflationary_flows.training.validation import excess_denoising_error, excess_times
from job_scripts import Named, run_script
from oracles import PRP, PRR, mixture_data
from stores import kept

SHORT: dict[str, Any] = {
    "network": {"width": 16, "blocks": 1, "frequencies": 0},
    "training": {"steps": 60, "batch_size": 64, "reference_size": 64, "validate_every": 30},
    "progress": False,
}

LIST = [{"signal_left": 1e-2}, {"kept_dims": 1, "signal_left": 1e-4}, {"kept_dims": 1, "signal_left": 1e-6}]


def exact(schedule: Schedule, basis: Eigenbasis) -> MixtureDenoiser:
    _, means, variance = mixture_data()
    return MixtureDenoiser(
        schedule, basis.to_eigen(torch.from_numpy(means)), covariance=variance * torch.eye(2, dtype=torch.float64)
    )


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    a, b, c, d = np.random.default_rng(0).standard_normal((4, 300))
    return pd.DataFrame({"height": 1e3 * a, "width": a**2 + 0.3 * b, "depth": 1e-3 * (c + b), "weight": d + c**2})


@pytest.fixture(scope="module")
def flow(table: pd.DataFrame) -> Flow:
    return Flow.fit(table, kept_dims="any", **SHORT)


class TestKernels:
    def test_the_answer_depends_on_points_and_angles_alone(self):
        """Two kernels of other rates, floors and families pass through the same angles, where their denoisers agree."""
        basis = Eigenbasis.fit(mixture_data()[0])
        y = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        slow = make_schedule(basis.eigenvalues, gamma0=1e-4, rho=0.3, **PRP)
        fast = make_schedule(basis.eigenvalues, gamma0=1e-3, rho=4.0, **PRP)
        other = make_schedule(basis.eigenvalues, kernel="proportional", **PRP)
        first, second = float(slow.time_at(0.6)), float(fast.time_at(0.4))
        second += (math.log(float(slow.gamma(first)[0] / fast.gamma(second)[0]))) / 4.0
        torch.testing.assert_close(slow.angle(first), fast.angle(second))
        answer = exact(slow, basis).raw(y, first)
        torch.testing.assert_close(answer, exact(fast, basis).raw(y, second))
        # Where only the first direction's noise is the same, they differ.
        level = float(slow.log_noise_ratio(first)[0])
        third = math.log1p(math.exp(level))
        assert float(other.log_noise_ratio(third)[0]) == pytest.approx(level)
        assert (exact(other, basis).raw(y, third) - answer).abs().max() > 0.01

    def test_examples_take_schedules_in_turns(self):
        x = mixture_data()[0]
        basis = Eigenbasis.fit(x)
        schedules = [make_schedule(basis.eigenvalues, **settings) for settings in (PRP, PRR)]
        settings = TrainingSettings(batch_size=12, targets="sample", antithetic=True)
        batch = draw_batch(KeptExamples(whitened_data(x, basis, schedules[0])), Kernels(schedules), settings, 0, 0)
        assert batch.turn.tolist() == [0, 0, 1, 1] * 3
        angles = in_turns(batch.schedules, batch.turn, batch.clock, Schedule.angle)
        for row, turn in enumerate(batch.turn.tolist()):
            own = schedules[turn]
            torch.testing.assert_close(angles[row], own.angle(own.time_at(batch.clock[row])))
        # Twins are of one clean point, with opposite noise: at equal angles their mean would have none.
        cos, sin = angles.cos(), angles.sin()
        noise = (batch.y - cos * (cos * batch.y + sin * batch.target)) / sin
        torch.testing.assert_close(noise[0::2], -noise[1::2], atol=1e-4, rtol=1e-4)

    def test_draws_are_of_the_range_and_reach_its_ends(self):
        given = KernelRange((2, 9), (0.5, 1.5), ("floor", "proportional"))
        drawn = [given.draw(random.Random(seed)) for seed in range(400)]
        assert all(given.problem(one) is None for one in drawn)
        kept = {one.get("kept_dims") for one in drawn}
        assert kept == {None, *range(2, 10)}
        assert {one["kernel"] for one in drawn} == {"floor", "proportional"}
        gaps = [one["inflation_gap"] for one in drawn if one.get("gap") == "constant"]
        assert 0.5 <= min(gaps) < 0.6
        assert 1.4 < max(gaps) <= 1.5
        assert any("gap" not in one for one in drawn)
        assert KernelRange.from_dict(given.as_dict()) == given

    @pytest.mark.parametrize(
        ("schedule", "key"),
        [
            ({"kept_dims": 1}, "kept_dims"),
            ({"kept_dims": 10}, "kept_dims"),
            ({"kernel": "proportional"}, "kernel"),
            ({"kept_dims": 3, "gap": "constant", "inflation_gap": 1.6}, "inflation_gap"),
            ({"kept_dims": 3, "signal_left": 1e-5}, "signal_left"),
            ({"signal_left": 1e-3}, "signal_left"),
            ({"gamma0": 1e-5}, "gamma0"),
            ({"t_min": 0.1}, "t_min"),
        ],
    )
    def test_what_lies_outside_of_a_range_is_named(self, schedule, key):
        problem = KernelRange((2, 9), (0.5, 1.5)).problem(schedule)
        assert problem is not None
        assert problem[0] == key

    def test_steps_draw_schedules_of_their_own(self):
        kernels = RangeOfKernels(torch.tensor([3.0, 2.0, 1.0, 0.5]), KernelRange((1, 3)))
        exponents = [[one.exponents.tolist() for one in kernels.draw(*at)] for at in ((0, 0), (0, 0), (0, 1), (1, 0))]
        assert exponents[0] == exponents[1]
        assert exponents[0] != exponents[2] != exponents[3]


def test_a_shared_network_learns_both_schedules_and_one_that_is_told_the_time_alone_does_not():
    x = mixture_data()[0]
    basis = Eigenbasis.fit(x)
    schedules = [make_schedule(basis.eigenvalues, **settings) for settings in (PRP, PRR)]
    settings = TrainingSettings(
        steps=500, batch_size=256, reference_size=512, warmup_steps=50, validate_every=500, antithetic=True
    )
    network = {"kind": "mlp", "space": "eigen", "width": 32, "blocks": 2, "frequencies": 16}

    def errors(told: str) -> list[float]:
        denoiser, _ = fit(
            x[:4000],
            x[4000:],
            basis,
            Kernels(schedules),
            {**network, "told": told},
            settings,
            seed=0,
            checkpoint=kept(),
        )
        u0 = basis.to_eigen(torch.from_numpy(x[4000:]))
        return [
            float(excess_denoising_error(denoiser.of(schedule=one), exact(one, basis), u0, 0, excess_times(one)).mean())
            for one in schedules
        ]

    shared, impostor = errors("angles"), errors("clock")
    assert max(shared) < 0.01
    assert max(impostor) > 2 * max(shared)


class TestFlows:
    """`Flow.fit(kept_dims="any")` and `with_schedule`."""

    def test_one_network_has_flows_of_all_dimensions(self, flow, table):
        flows = [flow.with_schedule(kept_dims=d) for d in (None, 1, 2, 3)]
        assert [one.schedule.kept_dims for one in flows] == [4, 1, 2, 3]
        assert flow.schedule.kept_dims == 4
        for one in flows:
            assert one.denoiser.network is flow.denoiser.network
            back = one.round_trip(table[:50])
            assert float(((back - table[:50]) / table.std()).abs().to_numpy().max()) < 1e-3
            assert np.isfinite(one.sample(20).to_numpy()).all()
            assert np.isfinite(one.log_prob(table[:20])).all()
        # Latents of compressed directions are small, as the schedule says.
        latents = flows[2].inflate(table).to_numpy()
        np.testing.assert_allclose(latents.std(0), flows[2].schedule.latent_std, rtol=0.3)
        assert latents.std(0)[2:].max() < 0.05 * latents.std(0)[:2].min()

    def test_the_same_schedule_is_the_same_flow(self, flow, table):
        pd.testing.assert_series_equal(flow.with_schedule().log_prob(table[:20]), flow.log_prob(table[:20]))
        there_and_back = flow.with_schedule(kept_dims=2).with_schedule()
        pd.testing.assert_series_equal(there_and_back.log_prob(table[:20]), flow.log_prob(table[:20]))

    def test_files_know_all_schedules(self, flow, table, tmp_path):
        flow.with_schedule(kept_dims=3).save(tmp_path / "flow.safetensors")
        loaded = Flow.load(tmp_path / "flow.safetensors")
        assert loaded.schedule.kept_dims == 3
        for kept_dims in (None, 1, 2):
            first, second = (one.with_schedule(kept_dims=kept_dims).sample(30, seed=3) for one in (flow, loaded))
            pd.testing.assert_frame_equal(first, second, check_exact=True)

    def test_each_is_judged_on_the_rows_that_fit_set_aside(self, flow, table, tmp_path):
        flow.with_schedule(kept_dims=2).save(tmp_path / "flow.safetensors")
        report = Flow.load(tmp_path / "flow.safetensors").summary()
        assert (report.kept_dims, report.rows, report.judged) == (2, 45, "held-out")
        assert report.gaussian_log_likelihood == pytest.approx(flow.summary().gaussian_log_likelihood)
        assert report.log_likelihood != flow.summary().log_likelihood

    def test_bounds_kernels_and_gaps_can_be_left_open(self, table):
        bounded = Flow.fit(table, kept_dims=(1, 2), schedule="any", **SHORT)
        assert bounded.with_schedule("proportional", kept_dims=1).schedule.kernel == "proportional"
        with pytest.raises(DataError, match="kept_dims: expected a number from 1 to 2"):
            bounded.with_schedule(kept_dims=3)
        gaps = Flow.fit(table, kept_dims="any", schedule=ScheduleSettings(inflation_gap=1.5), **SHORT)
        wanted = ScheduleSettings(gap="constant", inflation_gap=1.2)
        assert float(gaps.with_schedule(wanted, kept_dims=2).schedule.exponents[-1]) == pytest.approx(-0.2)
        with pytest.raises(DataError, match=r"inflation_gap: expected a number from 0 to 1\.5"):
            gaps.with_schedule(dataclasses.replace(wanted, inflation_gap=1.6), kept_dims=2)
        with pytest.raises(DataError, match="gap: expected orig"):
            bounded.with_schedule(wanted, kept_dims=2)

    def test_a_prior_that_was_chosen_stays(self, table):
        chosen = Flow.fit(table, kept_dims="any", compressed_prior="zero", **SHORT)
        assert chosen.with_schedule(kept_dims=2).compressed_prior == "zero"
        assert chosen.with_schedule(kept_dims=2, compressed_prior="gaussian").compressed_prior == "gaussian"

    def test_twins_share_weights_and_no_record(self, flow):
        twin = flow.with_schedule(kept_dims=2)
        twin.record["network"]["width"] = 99
        assert flow.record["network"]["width"] == 16

    @pytest.mark.parametrize(
        ("wanted", "signal_left"),
        [
            (ScheduleSettings(kept_dims=1, signal_left=1e-4), 1e-4),
            (ScheduleSettings(kept_dims=1, signal_left=1e-6), 1e-6),
            (ScheduleSettings(signal_left=1e-2), 1e-2),
            (ScheduleSettings(), 1e-2),
        ],
    )
    def test_of_a_list_the_schedule_is_meant_that_fits(self, wanted, signal_left):
        assert _listed(LIST, wanted, LIST[0])["signal_left"] == signal_left

    def test_of_a_list_its_own_schedule_is_meant_where_several_fit(self):
        for own in LIST[1:]:
            assert _listed(LIST, ScheduleSettings(kept_dims=1), own) == own
        for wanted in (ScheduleSettings(kept_dims=1), ScheduleSettings(kept_dims=1, t_max=1.0)):
            with pytest.raises(DataError, match="one of the schedules that the network was trained for"):
                _listed(LIST, wanted, LIST[0])

    def test_a_network_of_one_schedule_says_so(self, table):
        with pytest.raises(DataError, match=r"knows several schedules, got one of its own.*\n.*kept_dims=.any"):
            Flow.fit(table, **SHORT).with_schedule(kept_dims=2)

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"kept_dims": "all"}, "kept_dims: expected a whole number, None, any, or"),
            ({"kept_dims": True}, "kept_dims: expected a whole number"),
            ({"kept_dims": (1, 4)}, r"kept_dims: expected two whole numbers from 1 to 3 \(D = 4\)"),
            ({"kept_dims": (3, 2)}, "kept_dims: expected two whole numbers from 1 to 3"),
            ({"kept_dims": (1, 2, 3)}, "kept_dims: expected two numbers, the least d and the most"),
            ({"kept_dims": 2, "schedule": "any"}, "schedule: expected one kernel for one schedule"),
            ({"kept_dims": "any", "schedule": ScheduleSettings(rho=2.0)}, "schedule: expected settings for any"),
            (
                {"kept_dims": "any", "schedule": ScheduleSettings(inflation_gap=-1.0)},
                "schedule.inflation_gap: expected two",
            ),
            (
                {"kept_dims": "any", "schedule": ScheduleSettings(gap="constant")},
                "schedule.inflation_gap: expected the",
            ),
            (
                {"kept_dims": "any", "schedule": ScheduleSettings(kernel="proportional", inflation_gap=1.5)},
                "schedule.inflation_gap: expected numbers up to 1",
            ),
            ({"kept_dims": "any", "schedule": "flor"}, "schedule: expected proportional or floor"),
        ],
    )
    def test_wrong_choices_are_one_message(self, table, options, says):
        with pytest.raises(DataError, match=says):
            Flow.fit(table, **options, **SHORT)

    def test_nearly_all_dimensions_can_be_kept(self, table):
        """Then the last one has so little noise that posterior means of float32 have no digits left."""
        wide = pd.concat([table, table.add_suffix("_2") ** 2 + 0.1 * table.to_numpy()[::-1]], axis=1)
        assert np.isfinite(Flow.fit(wide, kept_dims=7, **SHORT).log_prob(wide[:20])).all()


class TestWorkflow:
    """Flows of the workflow whose schedules share a network."""

    @pytest.fixture(scope="class")
    def made(self, table, tmp_path_factory) -> Path:
        folder = tmp_path_factory.mktemp("shared")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            table.to_csv("mine.csv", index=False)
            Path("config.yaml").write_text(
                "datasets: {mine: {kind: csv, path: mine.csv, schedules: [prp, prr]}}\n"
                "schedules: {prp: {signal_left: 1e-2}, prr: {kept_dims: 2, signal_left: 1e-4}}\n"
                "networks: {toy: {kind: mlp, width: 48, blocks: 2, frequencies: 0, schedules: shared}}\n"
                "training: {toy: {steps: 60, batch_size: 64, warmup_steps: 6, reference_size: 64}}\n",
                encoding="utf-8",
            )
            config = load_config("config.yaml")
            study = Study(config)
            assert study.networks(study.flows) == [("mine", "shared", "0")]
            here = Named(dataset="mine", schedule="shared", seed="0")
            splits = Named(splits="results/splits.safetensors", record="results/splits.json")
            dataset = dataset_settings(config, "mine")
            run_script("prepare_splits", Named(files=["mine.csv"]), splits, Named(dataset=dataset, checksum=None), here)
            run_script("fit_eigenbasis", splits, Named(eigenbasis="results/basis.safetensors"), Named(), here)
            files = {"splits": "results/splits.safetensors", "eigenbasis": "results/basis.safetensors"}
            trained = Named(network="results/networks/network.safetensors", curve="results/networks/training.jsonl")
            params = Named(
                dataset=dataset,
                kernels=study.kernels_of("mine", "shared"),
                network=network_settings(config, "mine"),
                training=training_settings(config, "mine"),
                parts=1,
                seed=0,
                state="results/.training",
                source="",
            )
            run_script("train_network", Named(**files), trained, params, here)
            for name in ("prp", "prr"):
                schedule, solver = schedule_settings(config, name, "mine"), solver_settings(config, name)
                params = Named(schedule=schedule, solver=solver, compressed_prior="empirical", source="")
                inputs = Named(**files, network=trained["network"], curve=trained["curve"])
                outputs = Named(flow=f"results/flows/{name}/flow.safetensors")
                run_script("assemble_flow", inputs, outputs, params, here)
        return folder / "results"

    def test_files_of_flows_hold_no_weights(self, made):
        network = (made / "networks/network.safetensors").stat().st_size
        assert max(path.stat().st_size for path in made.glob("flows/*/flow.safetensors")) < network / 2
        prp, prr = (Flow.load(made / "flows" / name) for name in ("prp", "prr"))
        assert prp.schedule.kept_dims == 4
        assert prr.schedule.kept_dims == 2
        for first, second in zip(prp.denoiser.network.parameters(), prr.denoiser.network.parameters(), strict=True):
            assert torch.equal(first, second)
        # What one says of the other's schedule is what the other says.
        pd.testing.assert_frame_equal(
            prp.with_schedule(kept_dims=2, compressed_prior="empirical").sample(20), prr.sample(20), check_exact=True
        )
        with pytest.raises(DataError, match="one of the schedules that the network was trained for"):
            prp.with_schedule(kept_dims=3)

    def test_a_flow_that_is_saved_again_stands_alone(self, made, tmp_path):
        prr = Flow.load(made / "flows/prr")
        prr.save(tmp_path / "own.safetensors")
        again = Flow.load(tmp_path / "own.safetensors")
        pd.testing.assert_frame_equal(again.sample(20), prr.sample(20), check_exact=True)
        pd.testing.assert_frame_equal(again.with_schedule().sample(20), prr.with_schedule().sample(20))

    def test_without_its_network_a_flow_says_what_to_do(self, made, tmp_path):
        shutil.copytree(made / "flows", tmp_path / "flows")
        with pytest.raises(ArtifactError, match=r"expected its network in .*got no such file.\n.*Flow.load"):
            Flow.load(tmp_path / "flows/prr")

    def test_a_link_to_a_flow_finds_its_network(self, made, tmp_path):
        (tmp_path / "link.safetensors").symlink_to(made / "flows/prr/flow.safetensors")
        assert Flow.load(tmp_path / "link.safetensors").schedule.kept_dims == 2

    @pytest.mark.parametrize(
        "change",
        [
            {"kernels": "foo"},
            {"kernels": {"range": {"kept_dims": [1]}}},
            {"kernels": {"schedules": [5]}},
            {"network_file": {"path": "a" * 5000, "sha256": ""}},
            {"network_file": 5},
            {"format": True},
            {"format": 0},
        ],
        ids=str,
    )
    def test_a_description_that_is_none_is_refused(self, made, change):
        arrays, metadata = load_tensors(made / "flows/prr/flow.safetensors")
        path = made / "flows/prr/changed.safetensors"
        save_tensors(path, arrays, {**metadata, **change})
        with pytest.raises(ArtifactError):
            Flow.load(path)

    def test_another_network_in_its_place_is_refused(self, made, tmp_path):
        for name in ("flows", "networks"):
            shutil.copytree(made / name, tmp_path / name)
        Flow.load(tmp_path / "flows/prr")
        path = tmp_path / "networks/network.safetensors"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match=r"expected the network that it was made from in .*got another one"):
            Flow.load(tmp_path / "flows/prr")


def test_what_is_told_tells_schedules_apart():
    spectrum = torch.tensor([3.0, 1.0, 0.2])
    prp, prr = (make_schedule(spectrum, **settings) for settings in (PRP, PRR))
    clocks = [noise_seen(one, "clock", one.time_at(0.5)) for one in (prp, prr)]
    torch.testing.assert_close(*clocks)
    angles = [noise_seen(one, "angles", one.time_at(0.5)) for one in (prp, prr)]
    torch.testing.assert_close(angles[0][0], angles[1][0], atol=0.2, rtol=0)
    assert (angles[0][1:] - angles[1][1:]).abs().min() > 0.1


def test_a_range_ends_where_training_did(flow):
    with pytest.raises(DataError, match=r"signal_left: expected a number of at least 0\.0001"):
        flow.with_schedule(ScheduleSettings(signal_left=1e-5), kept_dims=2)
    later = float(flow.with_schedule(kept_dims=2).schedule.t_max) + 1
    with pytest.raises(DataError, match=r"a time at which 0\.0001 of the signal or more is left"):
        flow.with_schedule(ScheduleSettings(t_max=later), kept_dims=2)
    assert flow.with_schedule(ScheduleSettings(t_max=later - 2), kept_dims=2).schedule.t_max == later - 2
