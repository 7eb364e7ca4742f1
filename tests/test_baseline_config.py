"""The comparison with injective flows in the configuration: defaults, checks, and methods found by their files."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from inflationary_flows.baselines import methods
from inflationary_flows.baselines.discovery import load_method, method_file, method_names, option_names
from inflationary_flows.config import (
    budget_settings,
    export_schema,
    load_config,
    method_settings,
    resolve,
)
from inflationary_flows.config.reading import read_yaml
from inflationary_flows.errors import ConfigError
from repository import REPOSITORY

SHIPPED = [REPOSITORY / "configs/baselines.yaml", REPOSITORY / "configs/baselines_photo_patches.yaml"]
# Methods of two kinds of our own, in a folder that a test adds: nothing of them has to be entered anywhere else.
STRAIGHT = '''
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters."""

    learning_rate: float = 1e-3
    layers: int = 4
    squared: bool = True
    shape: Literal["line", "arc", 3] = "line"
    penalty: float | None = None
    plain = 5

    def fit(self) -> None:
        pass


def fit(task, settings, *, steps, seed, checkpoint, device="cpu"):
    return torch.zeros(1), []
'''
CURVED = "class Settings:\n    learning_rate: float = 1e-3\n"
BASE = {
    "datasets": {
        "circles": {"schedules": ["prp"]},
        "s_curve": {"schedules": ["prr2"]},
        "digits": {"schedules": ["prr2"]},
        "patches": {"kind": "photo_patches", "schedules": ["prr2"]},
    },
    "schedules": {
        "prp": {"signal_left": 1e-3},
        "prr1": {"kept_dims": 1, "signal_left": 1e-3},
        "prr2": {"kept_dims": 2, "signal_left": 1e-3},
    },
    "networks": {"toy": {"kind": "mlp"}},
    "training": {"toy": {"steps": 1000}},
    "experiments": {"images": {"digits": {"extractors": ["digits_classifier"]}}},
    "baselines": {
        "datasets": {
            "circles": {"schedules": {"prr1": "toy"}},
            "digits": {"schedules": {"prr1": "pixels", "prr2": "pixels"}, "images": {"sample_seeds": [0, 1]}},
        },
        "budgets": {"toy": {}, "pixels": {"chart": {"conditioner": "convolution"}}},
        "methods": {
            "lines": {
                "kind": "straight",
                "label": "Lines",
                "steps": {"toy": 400, "pixels": 300},
                "settings": {"penalty": None},
                "candidates": [{"learning_rate": 1e-3}, {"learning_rate": 1}],
            },
            "curved": {
                "kind": "curved",
                "steps": {"toy": 400, "pixels": 300},
                "candidates": [{}, {"learning_rate": 1e-2}],
            },
        },
    },
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A second folder of methods, with two in it."""
    folder = tmp_path / "methods"
    folder.mkdir()
    (folder / "straight.py").write_text(STRAIGHT)
    (folder / "curved.py").write_text(CURVED)
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(folder)])
    yield folder
    for name in [name for name in sys.modules if name.startswith(f"{methods.__name__}.")]:
        if Path(sys.modules[name].__file__).parent == folder:
            del sys.modules[name]
            vars(methods).pop(name.rpartition(".")[2], None)


def with_value(place, *value):
    """BASE with a value at a place such as baselines/seeds, or without the place."""
    changed = copy.deepcopy(BASE)
    *parents, last = place.split("/")
    node = changed
    for part in parents:
        node = node[int(part)] if isinstance(node, list) else node.setdefault(part, {})
    node.pop(last, None)
    if value:
        node[last] = value[0]
    return changed


class TestDiscovery:
    def test_a_module_in_the_folder_is_a_method(self, folder):
        before = method_names()
        assert {"straight", "curved"} < set(before)
        assert before == sorted(before)
        (folder / "fifth.py").write_text(CURVED)
        (folder / "_shared.py").write_text("")
        (folder / "package").mkdir()
        (folder / "package/__init__.py").write_text("")
        assert set(method_names()) == {*before, "fifth"}
        assert method_file("fifth") == folder / "fifth.py"

    def test_options_are_the_annotated_fields_in_their_order(self, folder):
        assert list(option_names("straight").items()) == [
            ("learning_rate", "float"),
            ("layers", "int"),
            ("squared", "bool"),
            ("shape", "Literal['line', 'arc', 3]"),
            ("penalty", "float | None"),
        ]

    def test_options_are_read_without_running_the_module(self, folder):
        (folder / "curved.py").write_text(f"raise RuntimeError\n{CURVED}")
        assert option_names("curved") == {"learning_rate": "float"}

    def test_a_method_is_imported_by_its_kind(self, folder):
        method = load_method("straight")
        assert method.Settings().shape == "line"
        assert method.__name__ == f"{methods.__name__}.straight"

    def test_the_librarys_methods_have_the_options_that_their_settings_have(self):
        from dataclasses import fields

        for kind in method_names():
            assert list(option_names(kind)) == [field.name for field in fields(load_method(kind).Settings)]

    @pytest.mark.parametrize("find", [method_file, option_names, load_method])
    def test_unknown_methods_are_refused(self, folder, find):
        with pytest.raises(ConfigError, match=r'expected one of the methods .*curved.*straight.*, got "strait"'):
            find("strait")

    @pytest.mark.parametrize(
        ("text", "says"),
        [("Settings = None\n", r"expected a class Settings .*, got none"), ("class\n", r"expected a module in Python")],
    )
    def test_modules_without_options_to_read_are_refused(self, folder, text, says):
        (folder / "curved.py").write_text(text)
        with pytest.raises(ConfigError, match=rf"curved\.py: {says}"):
            option_names("curved")


def test_no_section_compares_nothing():
    config = load_config({key: value for key, value in BASE.items() if key != "baselines"})
    assert config.baselines.datasets == config.baselines.methods == config.baselines.budgets == {}
    assert config.baselines.seeds == [0, 1, 2]


def test_defaults_are_written_out_and_can_be_loaded_again(folder):
    config = load_config(BASE)
    resolved = resolve(config)
    jsonschema.validate(resolved, export_schema())
    assert json.loads(json.dumps(resolved)) == resolved
    assert yaml.safe_load(yaml.safe_dump(resolved)) == resolved
    again = load_config(resolved)
    assert again.baselines.methods["lines"] == config.baselines.methods["lines"]
    assert resolve(again) == resolved
    section = resolved["baselines"]
    assert section["budgets"]["toy"]["chart"] == {
        "layers": 6,
        "univariate": "spline",
        "bins": 8,
        "hidden_layers": 2,
        "conditioner": "mlp",
        "squeeze": 4,
        "latent_layers": 3,
    }
    assert section["datasets"]["digits"]["images"] == {"samples": 10_000, "sample_seeds": [0, 1]}
    assert "images" not in section["datasets"]["circles"]
    assert [method["label"] for method in section["methods"].values()] == ["Lines", "curved"]
    # A null is a value of a hyper-parameter, not a key that was left out.
    assert section["methods"]["lines"]["settings"] == {"penalty": None}
    assert section["methods"]["lines"]["candidates"] == [{"learning_rate": 1e-3}, {"learning_rate": 1}]


def test_settings_are_what_results_depend_on(folder):
    config = load_config(BASE)
    assert method_settings(config, "lines") == {"kind": "straight", "settings": {"penalty": None}}
    decisive = budget_settings(config, "circles", "prr1")
    assert set(decisive) == {
        *(
            "chart",
            "batch_size",
            "warmup_steps",
            "ema_half_life",
            "gradient_clip",
            "validate_every",
            "validation_points",
        ),
        *("exact_dims", "probes", "cg_iterations", "cg_tolerance", "search_share"),
    }
    costs = {"runtime": "9h", "mem": "1GB", "threads": 2, "gpu": 1, "checkpoint_seconds": 0}
    assert budget_settings(load_config(with_value("baselines/budgets/toy", costs)), "circles", "prr1") == decisive
    other = with_value("baselines/methods/lines/label", "Other")
    assert method_settings(load_config(other), "lines") == method_settings(config, "lines")


@pytest.mark.parametrize("number", ["1e-3", "2E+1"])
def test_numbers_in_exponent_form_are_read_as_snakemake_hands_them_over(folder, number):
    raw = with_value("baselines/methods/lines/settings", {"penalty": number})
    raw["baselines"]["methods"]["lines"]["candidates"] = [{"learning_rate": number}, {"learning_rate": 3}]
    raw["baselines"]["budgets"]["toy"]["cg_tolerance"] = number
    config = load_config(raw)
    lines = config.baselines.methods["lines"]
    values = [
        lines.settings["penalty"],
        lines.candidates[0]["learning_rate"],
        config.baselines.budgets["toy"].cg_tolerance,
    ]
    assert values == [float(number)] * 3
    assert all(isinstance(value, float) for value in values)


def test_values_keep_their_types(folder):
    given = {"layers": 2, "squared": False, "shape": "arc", "penalty": 1}
    settings = load_config(with_value("baselines/methods/lines/settings", given)).baselines.methods["lines"].settings
    assert settings == given
    assert [type(value) for value in settings.values()] == [int, bool, str, int]


MISTAKES = yaml.safe_load((REPOSITORY / "tests/data/bad_baselines.yaml").read_text())


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake["name"])
def test_mistakes_give_one_clear_message(folder, mistake):
    with pytest.raises(ConfigError) as caught:
        load_config(with_value(mistake["at"], *([mistake["value"]] if "value" in mistake else [])))
    message = str(caught.value)
    for part in mistake["says"]:
        assert part in message
    assert len(message.splitlines()) == 2
    assert "more problem" not in message


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("baselines/methods/lines/settings", {"learning_rate": 2, "layers": 3, "shape": 3, "penalty": 0.5}),
        ("baselines/methods/lines/steps/toy", 1),
        ("baselines/budgets/pixels/chart/squeeze", 8),
        ("baselines/budgets/toy", {"search_share": 1, "exact_dims": 0}),
        ("baselines/budgets/unused", {}),
        ("baselines/datasets/patches", {"schedules": {"prr2": "pixels"}}),
    ],
)
def test_neighbours_of_mistakes_are_allowed(folder, place, value):
    load_config(with_value(place, value))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_comparisons_are_valid(path):
    from snakemake.common.configfile import load_configfile

    config = load_config(path)
    assert load_config(load_configfile(path)) == config
    jsonschema.validate(read_yaml(path), export_schema())
    resolved = resolve(config)
    assert resolve(load_config(resolved)) == resolved
    kinds = {method.kind for method in config.baselines.methods.values()}
    assert {"inflationary_flow", "m_flow", "rectangular_flow", "canonical_manifold_flow"} <= kinds
    assert {len(method.candidates) for method in config.baselines.methods.values()} == {3}
    assert len(config.baselines.seeds) == 3


def test_reading_a_comparison_loads_no_heavy_library(folder, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(BASE))
    code = (
        "import sys; from inflationary_flows.baselines import methods;"
        "from inflationary_flows.config import load_config;"
        f"methods.__path__.append({str(folder)!r}); assert load_config({str(path)!r}).baselines.methods;"
        "print(sorted({'torch', 'zuko', 'pandas', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
