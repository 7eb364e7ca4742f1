"""The configuration: defaults written out, schema in step, editors and Snakemake served alike."""

import copy
import json
import subprocess
import sys
from functools import partial
from inspect import signature
from pathlib import Path

import jsonschema
import pytest
import yaml

from configurations import changed
from inflationary_flows.__main__ import main
from inflationary_flows.config import (
    Config,
    dataset_settings,
    export_schema,
    load_config,
    network_settings,
    resolve,
    schedule_settings,
    solver_settings,
    training_settings,
)
from inflationary_flows.config.reading import read_yaml
from inflationary_flows.config.study import Study
from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.layout import measured_flows
from inflationary_flows.experiments.registry import experiments

ROOT = Path(__file__).parents[1]
CONFIGS = [ROOT / "config.yaml", ROOT / "configs" / "paper.yaml", ROOT / "tests" / "configs" / "smoke.yaml"]
MINIMAL = {
    "datasets": {"circles": {"schedules": ["prp"]}},
    "schedules": {"prp": {"signal_left": 1e-3}, "prr1": {"kept_dims": 1, "t_max": 7.01}},
    "networks": {"toy": {"kind": "mlp"}},
    "training": {"toy": {}},
}


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


with_values = partial(changed, MINIMAL)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_shipped_configurations_are_valid(path):
    assert isinstance(load_config(path), Config)
    jsonschema.validate(read_yaml(path), export_schema())


def test_a_configuration_may_be_given_in_two_files(capsys):
    """The second one alone has no data sets; after the first one it changes two entries."""
    files = ["configs/paper.yaml", "configs/paper_shared.yaml"]
    assert main(["check", *files]) == 0
    assert capsys.readouterr().out == "configs/paper.yaml, configs/paper_shared.yaml: ok (7 data sets, 33 flows)\n"
    assert main(["folder", *files]) == 0
    assert capsys.readouterr().out == f"{ROOT}/configs/paper_shared\n"
    assert main(["check", files[1]]) == 2
    assert "paper_shared.yaml: datasets: expected" in capsys.readouterr().err


def test_schema_file_is_in_step():
    stored = json.loads((ROOT / "schemas" / "config.schema.json").read_text())
    assert stored == export_schema(), "run: python -m inflationary_flows schema > schemas/config.schema.json"


def test_schema_describes_every_key():
    schema = export_schema()
    for name, definition in [*schema["$defs"].items(), ("Config", schema)]:
        for key, value in definition.get("properties", {}).items():
            target = schema["$defs"].get(value.get("$ref", "").removeprefix("#/$defs/"), {})
            assert value.get("description") or target.get("description"), f"{name}.{key}"


def test_schema_refuses_unknown_keys():
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(with_values(schedules__prp__kernal="floor"), export_schema())


def test_names_of_toys_and_digits_say_the_kind_and_null_is_left_out():
    raw = with_values(datasets__digits={"schedules": ["prp"], "fractions": None}, datasets__circles__path=None)
    assert resolve(load_config(raw)) == resolve(load_config(with_values(datasets__digits={"schedules": ["prp"]})))
    jsonschema.validate(with_values(datasets__digits={"schedules": ["prp"], "fractions": {}}), export_schema())


def test_every_reference_is_walked():
    """Each entry of another section that the configuration names is missed when it is gone."""
    full = with_values(
        variants={"late": {"training": "toy"}},
        experiments={
            "tarp": {"datasets": ["circles"], "miscalibrated": "late"},
            "identifiability": {"flows": {"circles": ["prp"]}, "variants": ["late"]},
            "propagation": {"examples": {"circles": {"indices": [0]}}},
        },
    )
    load_config(full)
    for place, value in [
        ("datasets__circles__network", "none"),
        ("datasets__circles__training", "none"),
        ("variants__late__network", "none"),
        ("experiments__tarp__miscalibrated", "none"),
        ("experiments__hmc__datasets", ["none"]),
        ("experiments__propagation__examples__none", {"indices": [0]}),
        ("experiments__identifiability__flows__none", ["prp"]),
        ("experiments__images__none", {}),
        ("repeats__flows__none", ["prp"]),
        ("repeats__flows__circles", ["none"]),
        ("only", ["hmc", "none"]),
    ]:
        with pytest.raises(ConfigError, match=place.replace("__", r"\.") + r'.*got the unknown name "none"'):
            load_config(changed(full, **{place: value}))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_resolved_configuration_is_plain_complete_and_stable(path):
    resolved = resolve(load_config(path))
    assert json.loads(json.dumps(resolved)) == resolved
    assert yaml.safe_load(yaml.safe_dump(resolved)) == resolved
    assert resolve(load_config(resolved)) == resolved
    jsonschema.validate(resolved, export_schema())


def test_default_run_is_that_of_the_papers_figures():
    config = load_config(ROOT / "config.yaml")
    flows = {name: dataset.schedules for name, dataset in config.datasets.items()}
    assert flows == {
        "circles": ["prp", "prr1"],
        "moons": ["prp", "prp_proportional", "prr1"],
        "sine": ["prp", "prr1"],
        "s_curve": ["prp", "prp_proportional", "prr2"],
        "swirl": ["prp", "prr2"],
        "alt_s_curve": ["prr2"],
        "alt_swirl": ["prr2"],
        "circles_in_3d": ["prr2"],
        "moons_in_10d": ["prr2"],
        "digits": ["prp", "prp_proportional", "prr10", "prr2_gaussian"],
    }
    assert config.seeds == [0]


def test_claimed_numbers_have_three_seeds_and_others_one():
    """Repeated trainings are measured for quality and coverage, and make images of their own latents; no more."""
    study = Study(load_config(ROOT / "config.yaml"))
    seeds = {"0", "1", "2"}
    for name in ("flow_quality", "tarp"):
        flows = measured_flows(study, experiments()[name])
        assert {seed for *_, seed in flows["circles"] if "-" not in seed} == seeds
        assert {seed for _, schedule, seed in flows["moons"] if schedule == "prp_proportional"} >= {"0"}
    assert {seed for *_, seed in measured_flows(study, experiments()["roundtrip"])["circles"]} == {"0"}
    made = [(seed, sample) for _, schedule, seed, sample in study.images.runs if schedule == "prr10"]
    assert made == [("0", 0), ("1", 1), ("2", 2)]
    # The Gaussian, which flows have to beat, is drawn as often.
    assert [sample for _, schedule, _, sample in study.images.runs if schedule == "gaussian"] == [0, 1, 2]
    assert len(study.images.roundtrip_tables) == len(study.images.flows)


@pytest.mark.parametrize(
    ("text", "number"),
    [("5e-4", 5e-4), ("1e-3", 1e-3), ("1E+2", 100.0), ("2.5e-1", 0.25), (".5", 0.5), ("3", 3.0)],
)
def test_yaml_numbers_are_read_by_us_and_by_snakemake(tmp_path, text, number):
    path = tmp_path / "config.yaml"
    path.write_text(f"rho: {text}\n")
    ours = read_yaml(path)["rho"]
    theirs = yaml.safe_load(path.read_text())["rho"]
    assert ours == number
    assert isinstance(ours, int | float)
    for value in (ours, theirs):
        assert load_config(with_values(schedules__prp__rho=value)).schedules["prp"].rho == number


@pytest.mark.parametrize("text", ["1", "0.5", "1e", "e3", "1e-3 ", "0x10", "1e-3s", "nan", "inf"])
def test_other_texts_are_no_numbers(text):
    with pytest.raises(ConfigError, match=r"schedules\.prp\.rho: expected a number above 0"):
        load_config(with_values(schedules__prp__rho=text))


def test_snakemake_reads_the_same_configuration():
    from snakemake.common.configfile import load_configfile

    for path in CONFIGS:
        assert load_config(load_configfile(path)) == load_config(path)


def test_loading_does_not_change_what_it_is_given():
    raw = with_values()
    before = copy.deepcopy(raw)
    load_config(raw, {"seeds": [1, 2]})
    assert raw == before


def test_overrides_win_key_by_key():
    config = load_config(MINIMAL, {"training": {"toy": {"steps": 300}}, "seeds": [4]})
    assert config.training["toy"].steps == 300
    assert config.training["toy"].batch_size == 512
    assert config.seeds == [4]


def test_schedule_overrides_the_solver_key_by_key():
    own = {"steps": 5, "grid": {"kind": "sinh", "width": 2.0}}
    config = load_config(
        with_values(
            solver={"method": "rk5", "grid": {"kind": "sinh", "centre": 1.0}},
            schedules__prr1__solver=own,
        )
    )
    assert solver_settings(config, "prp")["grid"] == {"kind": "sinh", "centre": 1.0, "width": 4.0}
    assert solver_settings(config, "prr1") == {
        "method": "rk5",
        "steps": 5,
        "tolerance": 1e-6,
        "grid": {"kind": "sinh", "centre": 0.0, "width": 2.0},
    }


@pytest.mark.parametrize(
    "edit",
    [
        {"datasets__circles__label": "Two rings"},
        {"schedules__prp__label": "preserving"},
        {"training__toy__threads": 2},
        {"training__toy__runtime": "2h"},
    ],
)
def test_cosmetic_edits_change_nothing_that_a_result_depends_on(edit):
    def decisive(config):
        return (
            dataset_settings(config, "circles"),
            schedule_settings(config, "prp"),
            solver_settings(config, "prp"),
            network_settings(config, "circles"),
            training_settings(config, "circles"),
        )

    assert decisive(load_config(MINIMAL)) == decisive(load_config(with_values(**edit)))


def test_settings_are_the_arguments_of_what_they_configure():
    from inflationary_flows.mathematics.flow import SOLVERS, SolverSettings
    from inflationary_flows.mathematics.grids import GridSettings
    from inflationary_flows.mathematics.schedules import make_schedule
    from inflationary_flows.networks.mlp import ResidualMLP
    from inflationary_flows.training.settings import TrainingSettings

    config = load_config(
        with_values(
            schedules__prr1__gap="constant",
            schedules__prr1__inflation_gap=1.02,
            schedules__prr1__t_min=0,
        )
    )
    arguments = set(signature(make_schedule).parameters)
    assert set(schedule_settings(config, "prr1")) < arguments
    make_schedule([1.0, 0.5], **schedule_settings(config, "prr1"))
    solver = solver_settings(config, "prp")
    SolverSettings(**{**solver, "grid": GridSettings(**solver["grid"])})
    schema = export_schema()["$defs"]
    assert set(schema["Solver"]["properties"]["method"]["enum"]) == set(SOLVERS)
    TrainingSettings(**training_settings(config, "circles"))
    network = network_settings(config, "circles")
    assert set(network) - {"kind", "space"} <= set(signature(ResidualMLP).parameters)


def test_reading_a_configuration_loads_no_heavy_library():
    code = (
        "import sys; from inflationary_flows.config import load_config; load_config('config.yaml');"
        "print(sorted({'torch', 'pandas', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_command_line_checks_resolves_and_exports(capsys):
    assert main(["check", "config.yaml"]) == 0
    assert capsys.readouterr().out == "config.yaml: ok (10 data sets, 20 flows)\n"
    assert main(["resolve", "config.yaml"]) == 0
    assert json.loads(capsys.readouterr().out) == resolve(load_config("config.yaml"))
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == export_schema()
