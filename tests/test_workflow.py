"""The workflow: what it makes, what it makes again after which edit, and how it refuses."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from conftest import REPOSITORY, SMOKE, TARGETS, Outcome, run_workflow, with_cost
from inflationary_flows import Flow
from inflationary_flows.config import load_config, resolve
from inflationary_flows.config.study import Study
from inflationary_flows.experiments.layout import shown_files
from inflationary_flows.experiments.registry import NAMES, Table, all_shown, experiments, find
from inflationary_flows.files.tensors import load_tensors
from repository import compare_images

Edit = Callable[[Callable[[dict[str, Any]], None]], Path]

FLOW = ["dataset", "schedule", "seed"]
STUDY = Study(load_config(SMOKE))
# What the registry says of tables: columns by name. Searches and costs of methods are tables of the comparison.
COLUMNS = {shown.key: list(shown.columns) for shown in all_shown() if isinstance(shown, Table)}
SHOWN = {path for experiment in experiments().values() for path in shown_files(STUDY, experiment)}
METRICS = {
    "energy_distance_true_pt",
    "energy_distance_prior",
    "sliced_wasserstein_true_pt",
    "sliced_wasserstein_prior",
    "c2st_accuracy_true_pt",
    "c2st_accuracy_prior",
    "latent_cov_error",
}
METHODS = {"inflationary_flow", "m_flow"}
REFERENCES = {"exact", "gaussian", "box"}
OF_MODELS = {
    *("energy_distance", "c2st_accuracy", "reconstruction_mse", "roundtrip_mse"),
    *("parameters", "steps", "step_seconds", "training_seconds", "sample_seconds"),
}
# Measured once a data set, flow by flow.
PER_DATASET = {"measure_snapshots", "measure_flow_quality", "measure_roundtrip", "measure_solver_comparison"}


def flows_of(config: Path) -> set[tuple[str, str, int]]:
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    return {
        (dataset, schedule, seed)
        for dataset, entry in content["datasets"].items()
        for schedule in entry["schedules"]
        for seed in content["seeds"]
    }


def members_of(config: Path) -> set[tuple[str, str, str]]:
    """All flows that are trained: other seeds and variants, for comparison, among them."""
    experiments = resolve(load_config(yaml.safe_load(config.read_text(encoding="utf-8"))))["experiments"]
    members = {(dataset, schedule, str(seed)) for dataset, schedule, seed in flows_of(config)}
    compared = experiments["identifiability"]
    names = [str(seed) for seed in compared["seeds"]]
    names += [f"{names[0]}-{variant}" for variant in compared["variants"]]
    tarp, coverage, lengths = (experiments[name] for name in ("tarp", "shell_retention", "training_length"))
    again = resolve(load_config(yaml.safe_load(config.read_text(encoding="utf-8"))))["repeats"]
    for dataset, schedule, seed in flows_of(config):
        if schedule in again["flows"].get(dataset, []):
            members |= {(dataset, schedule, str(other)) for other in again["seeds"]}
        if schedule in compared["flows"].get(dataset, []):
            members |= {(dataset, schedule, name) for name in names}
        if dataset in coverage["datasets"]:
            members |= {(dataset, schedule, str(other)) for other in coverage["seeds"]}
        if dataset in tarp["datasets"] and schedule == min(s for d, s, _ in flows_of(config) if d == dataset):
            members |= {(dataset, schedule, f"{seed}-{tarp['miscalibrated']}")}
        if schedule in lengths["flows"].get(dataset, []):
            members |= {(dataset, schedule, f"{seed}-{variant}") for variant in lengths["variants"]}
    # One network for all schedules.
    return members | {
        (d, "shared", f"0-{variant}") for d, variant in experiments["dimension_choice"]["variants"].items()
    }


def models_of(config: Path) -> set[tuple[str, str, str, int]]:
    """Models of all methods that are compared: method, data set, schedule, seed."""
    content = yaml.safe_load(config.read_text(encoding="utf-8"))["baselines"]
    return {
        (method, dataset, schedule, seed)
        for method in content["methods"]
        for dataset, entry in content["datasets"].items()
        for schedule in entry["schedules"]
        for seed in content["seeds"]
    }


def named(outcome: Outcome, wildcard: str) -> set[str]:
    """Values that a wildcard has in the jobs of a dry-run, which has to show its rules."""
    assert outcome.code == 0, outcome.text
    return set(re.findall(rf"^ +wildcards: (?:.*, )?{wildcard}=(\w+)", outcome.text, re.MULTILINE))


def digests(directory: Path, *patterns: str) -> dict[str, str]:
    files = [path for pattern in patterns for path in (directory / "results").glob(pattern)]
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.is_file()
    }


# ---------------------------------------------------------------------------------------------
# What a run makes


@pytest.mark.slow
@pytest.mark.parametrize("table", COLUMNS)
def test_tables_have_the_columns_that_their_experiment_describes(smoke_run: Path, table: str) -> None:
    frame = pd.read_csv(smoke_run / f"results/tables/{table}.csv")
    assert list(frame.columns) == COLUMNS[table]
    assert len(frame)


@pytest.mark.slow
@pytest.mark.parametrize("table", ["flow_quality", "roundtrip", "solver_comparison"])
def test_tables_cover_every_flow(smoke_run: Path, table: str) -> None:
    frame = pd.read_csv(smoke_run / f"results/tables/{table}.csv")
    again = {("circles", "prp", 1)} if table == "flow_quality" else set()
    assert set(frame[FLOW].itertuples(index=False, name=None)) == flows_of(SMOKE) | again


@pytest.mark.slow
def test_quality_holds_the_metrics_of_the_contract(smoke_run: Path) -> None:
    frame = pd.read_csv(smoke_run / "results/tables/flow_quality.csv")
    for flow, rows in frame.groupby(FLOW):
        assert set(rows.metric) >= METRICS, flow
        toy = flow[0] == "circles"
        assert ("excess_denoising_error" in set(rows.metric)) == toy


@pytest.mark.slow
def test_roundtrip_has_the_configured_and_the_paper_setting(smoke_run: Path) -> None:
    frame = pd.read_csv(smoke_run / "results/tables/roundtrip.csv")
    for _, rows in frame.groupby(FLOW):
        assert {"rk4", "euler_scaled"} <= set(rows.solver)
    assert (frame.mse >= 0).all()


@pytest.mark.slow
def test_a_run_shows_what_the_registry_says_and_nothing_else(smoke_run: Path) -> None:
    results = smoke_run / "results"
    made = {str(path.relative_to(smoke_run)) for folder in NAMES for path in (results / folder).iterdir()}
    assert made == SHOWN
    # There is something of everything else: methods are compared on a toy alone, and none is embedded.
    missing = {shown.key for shown in all_shown() if not any(find(path)[0] == shown for path in made)}
    assert missing == {"baseline_frechet", "embedded_toys"}


@pytest.mark.slow
def test_flow_of_an_own_table_loads_and_draws_and_round_trips_in_the_units_of_the_data(smoke_run: Path) -> None:
    flow = Flow.load(smoke_run / "results/flows/own_table/prr2/seed0")
    settings = yaml.safe_load(SMOKE.read_text())["datasets"]["own_table"]
    table = pd.read_csv(REPOSITORY / settings["path"])
    points = table.drop(columns=settings.get("label_column", [])).to_numpy(float)[:50]
    back = flow.round_trip(points, solver="rk4", steps=64)
    assert np.abs((back - points) / points.std(axis=0)).max() < 1e-2
    assert flow.inflate(points).shape == (50, flow.dimension)
    drawn = flow.sample(500, seed=0)
    assert np.abs((drawn.mean(axis=0) - points.mean(axis=0)) / points.std(axis=0)).max() < 0.5


@pytest.mark.slow
def test_flows_of_the_workflow_name_a_shared_network_and_saved_ones_stand_alone(
    smoke_run: Path, tmp_path: Path
) -> None:
    results = smoke_run / "results"
    file = results / "flows/digits/prr2/seed0/flow.safetensors"
    tensors, described = load_tensors(file)
    assert not [name for name in tensors if name.startswith("network.")]
    named = (file.parent / described["network_file"]["path"]).resolve()
    assert named == (results / "networks/digits/shared/seed0/network.safetensors").resolve()
    flow = Flow.load(file)
    flow.save(tmp_path / "alone.safetensors")
    alone = Flow.load(tmp_path / "alone.safetensors")
    assert np.array_equal(flow.sample(3, seed=0), alone.sample(3, seed=0))
    # A network of any schedule serves those that no configuration names.
    table = Flow.load(results / "flows/own_table/prr2/seed0")
    assert (results / "networks/own_table/shared/seed0/network.safetensors").is_file()
    other = table.with_schedule(kept_dims=1)
    assert other.schedule.kept_dims == 1
    assert np.isfinite(np.asarray(other.sample(10, seed=0))).all()


@pytest.mark.slow
def test_resolved_configuration_loads_as_the_same_configuration(
    smoke_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(smoke_run)
    written = load_config(smoke_run / "results/config.resolved.yaml")
    assert resolve(written) == resolve(load_config(SMOKE))


@pytest.mark.slow
def test_training_curves_are_json_lines(smoke_run: Path) -> None:
    for path in (smoke_run / "results/networks").rglob("training.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        steps = 20 if "digits" in path.parts else 60
        assert rows[-1]["step"] == (10 if "early" in str(path) else steps)
        assert all(np.isfinite(row["validation_loss"]) for row in rows)


@pytest.mark.slow
def test_every_job_leaves_a_log_and_a_benchmark(smoke_run: Path) -> None:
    results = smoke_run / "results"
    logs = {path.relative_to(results / "logs").with_suffix("") for path in results.rglob("*.log")}
    benchmarks = results / "benchmarks"
    times = {path.relative_to(benchmarks).with_suffix("") for path in benchmarks.rglob("*.tsv")}
    assert logs == times
    assert len(logs) > 40


@pytest.mark.slow
def test_times_and_memory_stand_in_no_table(smoke_run: Path) -> None:
    # In these what a posterior costs is a result.
    priced = {"imputation", "inverse_problems", "posterior_tasks"}
    for path in (smoke_run / "results/tables").glob("*.csv"):
        if path.stem in priced:
            continue
        header = path.read_text().partition("\n")[0]
        assert not {"seconds", "runtime", "memory", "peak_memory_mb"} & set(header.split(","))


@pytest.mark.slow
@pytest.mark.long
def test_two_runs_from_scratch_agree_to_the_byte(smoke_run: Path, tmp_path: Path) -> None:
    # The second run finds the own table elsewhere, next to the Snakefile. It draws data, trains and generates; that all
    # else agrees, chains and posteriors among it, is tested on a cluster.
    chosen = [
        "metrics/own_table/flow_quality.csv",
        "networks/digits/shared/seed0/network.safetensors",
        "images/digits/gaussian/seed0/sample0/shard0.safetensors",
        "baselines/m_flow/circles/prr1/seed0/model.safetensors",
    ]
    outcome = run_workflow(tmp_path, *(f"results/{path}" for path in chosen))
    assert outcome.code == 0, outcome.text
    patterns = ("[!.]*/**/*.safetensors", "references/**/*", "metrics/**/*.csv", "baselines/**/quality.csv")
    first, second = digests(smoke_run, *patterns), digests(tmp_path, *patterns)
    assert len(second) > 12
    assert {name: first[name] for name in second} == second


@pytest.mark.slow
def test_second_run_has_nothing_to_do(smoke_run: Path) -> None:
    outcome, starts = with_cost(lambda: run_workflow(smoke_run, alone=True))
    assert outcome.code == 0
    assert "Nothing to be done" in outcome.text
    assert starts < 5


@pytest.mark.long
def test_times_against_size_are_measured_on_demand(tmp_path: Path) -> None:
    outcome = run_workflow(tmp_path, "complexity")
    assert outcome.code == 0, outcome.text
    table = pd.read_csv(tmp_path / "results/benchmarks/complexity.csv")
    assert {"n", "dimension", "seconds", "peak_memory_mb"} <= set(table.columns)


@pytest.mark.slow
def test_images_have_baselines_and_a_protocol_beside_every_number(smoke_run: Path) -> None:
    frame = pd.read_csv(smoke_run / "results/tables/frechet.csv")
    schedules = {schedule for name, schedule, _ in flows_of(SMOKE) if name == "digits"}
    assert set(frame.schedule) == schedules | {"gaussian", "held_out"}
    assert set(frame.metric) == {"fd_digits", "kid", "precision", "recall"}
    assert set(frame.extractor) == {"digits_classifier"}
    protocols = list((smoke_run / "results/metrics").rglob("frechet_*.json"))
    assert len(protocols) == len(frame) // 8
    # Held-out images are among what has equal n, and so is everything else.
    assert frame[frame["part"] == "equal"].groupby("metric")["n"].nunique().eq(1).all()
    for path in protocols:
        protocol = json.loads(path.read_text())
        assert len(protocol["sha256"]) == 64
        assert {"extractor", "n", "split", "resize"} <= set(protocol)


@pytest.mark.slow
def test_every_model_of_every_method_is_measured_alike(smoke_run: Path) -> None:
    frame = pd.read_csv(smoke_run / "results/tables/baselines.csv")
    assert set(frame["method"]) == METHODS | REFERENCES
    trained = frame[~frame["method"].isin(REFERENCES)]
    models = dict(list(trained.groupby(["method", *FLOW])))
    assert set(models) == models_of(SMOKE)
    posterior = {f"{metric}_1" for metric in ("tarp_error", "tarp_p", "tarp_ess", "log_score", "energy_score")}
    for rows in models.values():
        assert set(rows["metric"]) == OF_MODELS | posterior
        assert not rows.duplicated(["metric", "random"]).any()
        of_points = rows[rows["metric"].isin(posterior | {"energy_distance", "c2st_accuracy"})]
        assert list(of_points["random"].value_counts()) == [len(of_points) / 2] * 2
    assert np.isfinite(frame["value"]).all()


@pytest.mark.slow
def test_searches_are_alike_and_the_best_candidate_is_trained(smoke_run: Path) -> None:
    frame = pd.read_csv(smoke_run / "results/tables/baseline_search.csv")
    assert set(frame["metric"]) == {"energy_distance"}
    for (method, dataset, schedule), rows in frame.groupby(["method", "dataset", "schedule"]):
        assert len(rows) == 2
        (chosen,) = rows[rows["chosen"]].to_dict("records")
        assert chosen["value"] == rows["value"].min()
        path = smoke_run / f"results/baselines/{method}/{dataset}/{schedule}/settings.json"
        assert json.loads(path.read_text())["settings"] == json.loads(chosen["settings"])


@pytest.mark.slow
def test_table_4_has_every_published_row_and_says_what_was_not_run(smoke_run: Path) -> None:
    frame = pd.read_csv(smoke_run / "results/tables/table4.csv", keep_default_na=False)
    published = pd.read_csv(REPOSITORY / "configs/paper_tables.csv", dtype={"table": str})
    rows = frame[frame["published"] != "not published"]
    assert len(rows) == (published["table"] == "4").sum()
    assert set(frame["status"]) == {"not run"}
    assert not (frame == "").any(axis=None)


@pytest.mark.slow
def test_a_sheet_shows_each_shard(smoke_run: Path) -> None:
    shards = {path.with_suffix("") for path in (smoke_run / "results/images").rglob("shard*.safetensors")}
    assert {path.relative_to(smoke_run / "results/images/digits").parts[0] for path in shards} == {
        *("prr2", "gaussian", "held_out")
    }
    assert {path.with_suffix("") for path in (smoke_run / "results/images").rglob("shard*.png")} == shards


@pytest.mark.slow
def test_snakemakes_report_has_every_figure_and_table_with_category_labels_and_caption(
    smoke_run: Path, tmp_path: Path
) -> None:
    outcome = run_workflow(smoke_run, "--report", str(tmp_path / "report.zip"))
    assert outcome.code == 0, outcome.text
    with zipfile.ZipFile(tmp_path / "report.zip") as report:
        page = report.read("report/report.html").decode()
        files = {Path(name).name: report.read(name) for name in report.namelist()}
    results = smoke_run / "results"
    shown = [path for pattern in ("figures/*.png", "animations/*", "tables/*") for path in results.glob(pattern)]
    for path in shown:
        assert files[path.name] == path.read_bytes()
        entry = page.partition(f'"results/{path.relative_to(results)}": {{')[2]
        described, _ = json.JSONDecoder().raw_decode("{" + entry)
        assert set(described["labels"]) == {"number", "title", "of"}
        assert len(described["caption"]) > 60
    # Files are listed below their categories.
    for category in {find(f"results/{path.relative_to(results)}")[0].category for path in shown}:
        assert f'"{category}": {{' in page


# ---------------------------------------------------------------------------------------------
# What an edit makes again


@pytest.mark.slow
def test_cosmetic_edits_rerun_nothing(smoke_run: Path, edited_config: Edit) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["datasets"]["circles"]["label"] = "Two rings"
        content["schedules"]["prp"]["label"] = "PR-preserving"
        content["training"]["toy"] |= {"runtime": "2h", "mem": "3GB", "checkpoint_seconds": 5.0}
        content["baselines"]["methods"]["m_flow"]["label"] = "Manifold flow"
        content["baselines"]["methods"] = dict(reversed(content["baselines"]["methods"].items()))
        content["baselines"]["budgets"]["few"] |= {"runtime": "2h", "mem": "3GB", "checkpoint_seconds": 5.0}
        content["datasets"] = dict(reversed(content["datasets"].items()))
        content["schedules"] = dict(reversed(content["schedules"].items()))

    assert not run_workflow(smoke_run, "-n", config=edited_config(edit)).jobs


@pytest.mark.slow
def test_learning_rate_retrains_and_keeps_the_data(smoke_run: Path, edited_config: Edit) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["training"]["toy"]["learning_rate"] = 1e-3

    jobs = run_workflow(smoke_run, "-n", config=edited_config(edit)).jobs
    # Flows that were stopped early have training settings of their own.
    toys = [(dataset, name) for dataset, _, name in members_of(SMOKE) if dataset != "digits"]
    assert jobs["train_network"] == len([name for _, name in toys if not name.endswith("early")])
    assert all(jobs[rule] == len(dict(toys)) for rule in PER_DATASET)
    untouched = {"prepare_splits", "fit_eigenbasis", "measure_two_sample_floor"}
    assert not untouched & set(jobs)


@pytest.mark.slow
def test_solver_does_not_retrain(smoke_run: Path, edited_config: Edit) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["solver"]["steps"] = 9

    jobs = run_workflow(smoke_run, "-n", config=edited_config(edit)).jobs
    assert jobs["assemble_flow"] == len(flows_of(SMOKE))
    assert "train_network" not in jobs


@pytest.mark.slow
def test_experiment_setting_reruns_that_experiment(smoke_run: Path, edited_config: Edit) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["experiments"]["roundtrip"]["samples"] = 90

    jobs = run_workflow(smoke_run, "-n", config=edited_config(edit)).jobs
    assert jobs == {"measure_roundtrip": len(STUDY.point_sets), "merge_roundtrip": 1}


@pytest.mark.slow
def test_new_data_set_runs_only_its_own_jobs(smoke_run: Path, edited_config: Edit) -> None:
    def edit(content: dict[str, Any]) -> None:
        sizes = content["datasets"]["circles"]["sizes"]
        content["datasets"]["moons"] = {"schedules": ["prp"], "sizes": sizes}

    jobs = run_workflow(smoke_run, "-n", config=edited_config(edit)).jobs
    own = {"prepare_splits", "fit_eigenbasis", "train_network", "assemble_flow", "measure_two_sample_floor"}
    assert all(jobs[rule] == 1 for rule in own | PER_DATASET | {"measure_pr_over_time", "plot_animations"})
    # What shows all data sets is merged and drawn again.
    shown = {"spectra", "pr_over_time", "training_curves", "snapshots", "flow_quality", "solver_comparison"}
    others = {f"plot_{name}" for name in shown} | {"merge_roundtrip", "merge_two_sample_floor", "measure_spectra"}
    # And what names all of their schedules and kinds.
    others |= {"measure_table4", "merge_table4", "measure_paper_comparison", "plot_paper_comparison"}
    assert set(jobs) <= own | PER_DATASET | others | {"measure_pr_over_time", "plot_animations"}


def edited_source(repository: Path, module: str) -> None:
    path = repository / "workflow_scripts/inflationary_flows" / module
    path.write_text(path.read_text() + "\nA_NEW_CONSTANT = 1\n")


@pytest.mark.slow
def test_captions_comments_and_times_of_sources_rerun_nothing(smoke_run: Path, copied_repository: Path) -> None:
    for spec in (copied_repository / "workflow_scripts/inflationary_flows/experiments").glob("*/spec.py"):
        text = spec.read_text(encoding="utf-8")
        spec.write_text(text.replace("Paper: ", "The paper: "), encoding="utf-8")
    for path in (copied_repository / "workflow_scripts").rglob("*.py"):
        path.write_text(path.read_text() + "\n# A remark.\n")
    assert not run_workflow(smoke_run, "-n", repository=copied_repository).jobs


@pytest.mark.slow
def test_plotting_edit_only_redraws(smoke_run: Path, copied_repository: Path) -> None:
    edited_source(copied_repository, "plotting/style.py")
    jobs = run_workflow(smoke_run, "-n", repository=copied_repository).jobs
    assert jobs
    assert all(rule.startswith(("plot_", "merge_")) for rule in jobs)


@pytest.mark.slow
def test_figure_edit_redraws_that_experiment_alone(smoke_run: Path, copied_repository: Path) -> None:
    edited_source(copied_repository, "experiments/identifiability/figure.py")
    assert run_workflow(smoke_run, "-n", repository=copied_repository).jobs == {"plot_identifiability": 1}


@pytest.mark.slow
def test_measurement_edit_measures_that_experiment_again(smoke_run: Path, copied_repository: Path) -> None:
    edited_source(copied_repository, "experiments/roundtrip/measure.py")
    jobs = run_workflow(smoke_run, "-n", repository=copied_repository).jobs
    assert jobs == {"measure_roundtrip": len(STUDY.point_sets), "merge_roundtrip": 1}


@pytest.mark.slow
def test_edit_of_how_flows_are_read_measures_all_flows_again(smoke_run: Path, copied_repository: Path) -> None:
    edited_source(copied_repository, "training/content.py")
    jobs = run_workflow(smoke_run, "-n", repository=copied_repository).jobs
    assert jobs["assemble_flow"] == len(flows_of(SMOKE))
    assert jobs["measure_roundtrip"] == len(STUDY.point_sets)
    assert {"measure_tarp", "draw_observations", "generate_images"} <= set(jobs)


@pytest.mark.slow
def test_edit_of_the_sampler_leaves_coverage_as_it_is(smoke_run: Path, copied_repository: Path) -> None:
    edited_source(copied_repository, "inference/nuts.py")
    jobs = run_workflow(smoke_run, "-n", repository=copied_repository).jobs
    assert {"sample_collapsed", "run_sbc"} <= set(jobs)
    assert not {"sample_joint"} & set(jobs)
    assert not {"measure_tarp", "measure_comparison", "draw_observations"} & set(jobs)


@pytest.mark.slow
def test_denoiser_edit_retrains(smoke_run: Path, copied_repository: Path) -> None:
    edited_source(copied_repository, "mathematics/denoisers.py")
    jobs = run_workflow(smoke_run, "-n", repository=copied_repository).jobs
    assert jobs["train_network"] == len(members_of(SMOKE))


@pytest.mark.slow
def test_sampler_edit_samples_again_and_draws_no_observations(smoke_run: Path, edited_config: Edit) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["experiments"]["hmc"]["collapsed"]["draws"] = 60

    jobs = run_workflow(smoke_run, "-n", config=edited_config(edit)).jobs
    assert jobs["sample_collapsed"] == 1
    assert not {"draw_observations", "sample_joint", "run_sbc", "assemble_flow"} & set(jobs)


@pytest.mark.slow
def test_another_number_of_images_generates_and_trains_nothing_else(smoke_run: Path, edited_config: Edit) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["experiments"]["images"]["digits"] |= {"samples": 30, "sample_seeds": [0, 1]}

    jobs = run_workflow(smoke_run, "-n", config=edited_config(edit)).jobs
    # The first set needs a second shard, the second one two; held-out images are one set.
    assert jobs["generate_images"] == jobs["sample_gaussian"] == 3
    assert jobs["measure_frechet"] == 5
    assert not {"train_network", "assemble_flow", "fit_reference", "train_digits_classifier"} & set(jobs)


# What shows all methods, or measures them side by side.
OF_ALL_METHODS = {
    *("measure_comparison", "measure_method_costs", "plot_baselines", "measure_table4", "merge_table4"),
    *("measure_paper_comparison", "plot_paper_comparison"),
}
# And what belongs to the model of one toy.
OF_A_METHOD = dict.fromkeys(["search_method", "train_method", "measure_method"], 1)


@pytest.mark.slow
def test_candidate_is_searched_trained_and_measured_for_its_method_alone(smoke_run: Path, edited_config: Edit) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["baselines"]["methods"]["m_flow"]["candidates"][0]["learning_rate"] = 1e-3

    outcome = run_workflow(smoke_run, "-n", "--quiet", "reason", config=edited_config(edit))
    assert {rule: count for rule, count in outcome.jobs.items() if rule not in OF_ALL_METHODS} == OF_A_METHOD
    assert set(outcome.jobs) > OF_ALL_METHODS
    assert named(outcome, "method") == {"m_flow"}


@pytest.mark.slow
def test_steps_of_one_method_search_and_train_it_alone(smoke_run: Path, edited_config: Edit) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["baselines"]["methods"]["m_flow"]["steps"]["few"] = 11

    outcome = run_workflow(smoke_run, "-n", "baselines", "--quiet", "reason", config=edited_config(edit))
    assert outcome.jobs["train_method"] == 1
    assert named(outcome, "method") == {"m_flow"}


@pytest.mark.slow
def test_method_edit_trains_that_method_alone(smoke_run: Path, copied_repository: Path) -> None:
    edited_source(copied_repository, "baselines/methods/m_flow.py")
    outcome = run_workflow(smoke_run, "-n", "--quiet", "reason", repository=copied_repository)
    assert {rule: count for rule, count in outcome.jobs.items() if rule not in OF_ALL_METHODS} == OF_A_METHOD
    assert named(outcome, "method") == {"m_flow"}


@pytest.mark.slow
def test_images_of_compared_methods_are_generated_and_measured(smoke_run: Path, edited_config: Edit) -> None:
    jobs = run_workflow(smoke_run, "-n", "baselines", config=edited_config(compare_images)).jobs
    assert {rule: count for rule, count in jobs.items() if rule not in OF_ALL_METHODS} == {
        **dict.fromkeys(["search_method", "train_method", "measure_method", "measure_method_frechet"], len(METHODS)),
        "generate_method_images": 2 * len(METHODS),
    }


# ---------------------------------------------------------------------------------------------
# Without running anything


def test_entries_of_the_command_line_keep_their_types(tmp_path: Path) -> None:
    settings = ["seeds=[3,4]", "training={toy: {steps: 250, learning_rate: 2e-3, compile: true}}"]
    outcome = run_workflow(tmp_path, "-n", "train", "--config", *settings, config=REPOSITORY / "config.yaml")
    assert outcome.code == 0, outcome.text
    flows = sum(
        len(entry["schedules"])
        for entry in yaml.safe_load((REPOSITORY / "config.yaml").read_text())["datasets"].values()
    )
    assert outcome.jobs["train_network"] == 2 * flows


def test_dry_run_of_the_default_configuration_costs_no_more_than_a_few_of_its_jobs(tmp_path: Path) -> None:
    outcome, starts = with_cost(lambda: run_workflow(tmp_path, "-n", config=REPOSITORY / "config.yaml", alone=True))
    assert starts < 1.8
    assert outcome.code == 0
    assert outcome.jobs["train_network"] == len(members_of(REPOSITORY / "config.yaml"))


def test_given_configuration_replaces_the_default_one(tmp_path: Path) -> None:
    outcome = run_workflow(tmp_path, "-n", "--quiet", "host")
    assert outcome.jobs["train_network"] == len(members_of(SMOKE))
    assert "circles" in outcome.text
    assert "moons" not in outcome.text
    # Small, it has a job of every rule but for archives, images of compared methods and what is measured on demand.
    listed = set(re.findall(r"^([a-z]\w+)(?: \(|$)", run_workflow(tmp_path, "--list-rules").text, re.MULTILINE))
    assert listed - TARGETS - set(outcome.jobs) == {
        *("fetch_file", "generate_method_images", "measure_method_frechet"),
        *("measure_complexity", "measure_image_speed", "measure_sampler_efficiency"),
    }
    assert sum(outcome.jobs.values()) <= 120


def test_default_configuration_is_read_without_configfile(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "snakemake", "-n", "train", "--directory", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    jobs = Outcome(done.returncode, done.stdout + done.stderr).jobs
    assert jobs["train_network"] == len(flows_of(REPOSITORY / "config.yaml"))


@pytest.mark.parametrize(
    ("target", "rules"),
    [
        ("data", {"prepare_splits", "fit_eigenbasis", "measure_spectra", "plot_spectra"}),
        ("train", {"prepare_splits", "fit_eigenbasis", "train_network"}),
        ("flows", {"prepare_splits", "fit_eigenbasis", "train_network", "assemble_flow"}),
        (
            "baselines",
            {
                *("prepare_splits", "fit_eigenbasis", "measure_spectra", "measure_two_sample_floor"),
                *("search_method", "train_method", "measure_method", "measure_comparison"),
                *("measure_method_costs", "plot_baselines", "measure_table4", "merge_table4"),
            },
        ),
        ("complexity", {"measure_complexity"}),
        (
            "sampler_efficiency",
            {"prepare_splits", "fit_eigenbasis", "train_network", "assemble_flow", "measure_sampler_efficiency"},
        ),
    ],
)
def test_stage_targets(tmp_path: Path, target: str, rules: set[str]) -> None:
    assert set(run_workflow(tmp_path, "-n", target).jobs) == rules


def test_lint_is_clean() -> None:
    command = [sys.executable, "-m", "snakemake", "--lint"]
    done = subprocess.run(command, cwd=REPOSITORY, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_need_no_torch_to_be_read(tmp_path: Path) -> None:
    code = (
        "import sys; from snakemake.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    arguments = ["-n", "--cores", "1", "--snakefile", str(REPOSITORY / "Snakefile")]
    arguments += ["--directory", str(tmp_path), "--configfile", str(SMOKE)]
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------------------------------------
# How it refuses


def set_unknown_key(content: dict[str, Any]) -> None:
    content["training"]["toy"]["learning_rte"] = 1e-3


def set_missing_file(content: dict[str, Any]) -> None:
    content["datasets"]["own_table"]["path"] = "nowhere.csv"


def set_list_of_datasets(content: dict[str, Any]) -> None:
    content["datasets"] = ["circles"]


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (set_unknown_key, "learning_rate"),
        (set_missing_file, "nowhere.csv"),
        (set_list_of_datasets, "datasets"),
    ],
)
def test_bad_configuration_is_refused_with_one_message(
    tmp_path: Path, edited_config: Edit, edit: Callable[[dict[str, Any]], None], named: str
) -> None:
    outcome = run_workflow(tmp_path / "run", config=edited_config(edit))
    assert outcome.code == 1
    assert outcome.text.count("expected") == 1
    assert outcome.text.count("Hint:") == 1
    assert named in outcome.text
    assert "Traceback" not in outcome.text
    assert not (tmp_path / "run/results").exists()


@pytest.fixture
def finished_copy(smoke_run: Path, tmp_path: Path) -> Path:
    """A finished run to spoil."""
    return Path(shutil.copytree(smoke_run, tmp_path / "finished"))


@pytest.mark.slow
def test_posterior_that_fails_the_gate_is_refused_and_its_chains_kept(finished_copy: Path, edited_config: Edit) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["experiments"]["hmc"]["gate"]["rhat"] = 1.0000001

    chains = digests(finished_copy, "inference/**/posterior.nc")
    outcome = run_workflow(finished_copy, "results/tables/hmc_weights.csv", "--keep-going", config=edited_config(edit))
    assert outcome.code == 1
    assert "circles, prp, seed 0, collapsed sampler, n = 4: rhat_weight" in outcome.text
    assert "expected at most 1" in outcome.text
    assert "draws" in outcome.text
    assert digests(finished_copy, "inference/**/posterior.nc") == chains
    diagnostics = pd.read_csv(finished_copy / "results/metrics/circles/hmc_diagnostics.csv")
    assert not diagnostics.passed.all()


@pytest.mark.slow
def test_tampered_network_is_refused_and_finished_work_kept(finished_copy: Path) -> None:
    network = finished_copy / "results/networks/circles/prp/seed0/network.safetensors"
    content = bytearray(network.read_bytes())
    content[-1] ^= 1
    network.write_bytes(content)
    kept = digests(finished_copy, "flows/own_table/prr2/**/*", "data/**/*", "flows/digits/**/*")
    outcome = run_workflow(finished_copy, "flows")
    assert outcome.code != 0
    assert "altered after it was written" in outcome.text
    assert "Traceback" not in outcome.text
    still = digests(finished_copy, "flows/own_table/prr2/**/*", "data/**/*", "flows/digits/**/*")
    assert still == kept


@pytest.mark.slow
def test_table_with_a_hole_is_refused_with_its_place(tmp_path: Path, edited_config: Edit) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.standard_normal((60, 3)), columns=["a", "b", "c"])
    table.loc[7, "b"] = np.nan
    table.to_csv(tmp_path / "holes.csv", index=False)

    def edit(content: dict[str, Any]) -> None:
        entry = {"kind": "csv", "path": str(tmp_path / "holes.csv"), "schedules": ["prp"]}
        content["datasets"] = {"holes": entry}
        del content["experiments"], content["baselines"], content["repeats"]

    outcome = run_workflow(tmp_path / "run", "data", config=edited_config(edit))
    assert outcome.code != 0
    assert "expected" in outcome.text
    assert "row 8" in outcome.text
    assert '"b"' in outcome.text or "b" in outcome.text.split("row 8")[1][:40]
    assert "Traceback" not in outcome.text
