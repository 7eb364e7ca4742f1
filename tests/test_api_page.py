"""The page of the public API: it has all of it, and its examples are right."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import inflationary_flows
from inflationary_flows import Flow, InjectiveFlow, ScheduleSettings, errors
from inflationary_flows.artifacts.flows import Decoded
from inflationary_flows.artifacts.models import save_model
from inflationary_flows.baselines import injective
from inflationary_flows.baselines.chart import InjectiveNetwork
from inflationary_flows.inference.posterior import Posterior
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import SolverSettings
from inflationary_flows.mathematics.uncertainty import PropagatedPoint
from inflationary_flows.metrics.calibration import Calibration
from inflationary_flows.metrics.summary import Summary
from repository import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "docs/hooks"))

from api_pages import with_docstrings

PAGE = (REPOSITORY / "docs/api.md").read_text(encoding="utf-8")
CLASSES = [
    Flow,
    InjectiveFlow,
    ScheduleSettings,
    SolverSettings,
    Summary,
    Calibration,
    Decoded,
    PropagatedPoint,
    Posterior,
]
_EXAMPLES = re.compile(r"^```pycon\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def sections(page: str) -> dict[str, str]:
    """Code of the examples below each heading that names a part of the API."""
    parts = re.split(r"^### `(.+)`$", page, flags=re.MULTILINE)
    return {name: "\n".join(_EXAMPLES.findall(text)) for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def members(kind: type) -> list[str]:
    """Public methods and properties of a class, inherited ones too."""
    inherited = set(dir(tuple))
    return [name for name in dir(kind) if not name.startswith("_") and name not in inherited]


def missing(page: str) -> list[str]:
    """Parts of the public API without an example."""
    found = sections(page)
    lacking = [f"Flow.{name}" for name in [*members(Flow), "record"] if f".{name}" not in found.get(f"Flow.{name}", "")]
    for kind in CLASSES[1:]:
        code = found.get(kind.__name__, "")
        fields = set(getattr(kind, "__dataclass_fields__", {}))
        lacking += [kind.__name__] * (">>>" not in code)
        lacking += [
            f"{kind.__name__}.{name}" for name in members(kind) if f".{name}" not in code and name not in fields
        ]
    return lacking


def run(page: str) -> doctest.TestResults:
    """Runs all examples of a page as one session."""
    text = "\n".join(_EXAMPLES.findall(page))
    test = doctest.DocTestParser().get_doctest(text, {}, "docs/api.md", "docs/api.md", 0)
    return doctest.DocTestRunner().run(test)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An injective flow of three columns, untrained, as the page reads one from the working directory."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    basis = Eigenbasis.fit(np.random.default_rng(0).standard_normal((50, 3)), np.ones(3))
    chart = {
        **{"layers": 2, "univariate": "affine", "bins": 8, "hidden_layers": 1, "width": 8},
        **{"conditioner": "mlp", "squeeze": 2, "latent_layers": 1},
    }
    model = injective.InjectiveFlow(InjectiveNetwork(basis, 2, chart), basis, chart)
    save_model(tmp_path / "model.safetensors", "m_flow", model, {})


def test_every_public_method_has_an_example() -> None:
    assert missing(PAGE) == []
    assert set(inflationary_flows.__all__) - {"__version__"} <= {kind.__name__ for kind in CLASSES}
    # A method without one is found.
    assert missing(PAGE.replace("### `Flow.carry`", "")) == ["Flow.carry"]
    assert missing(PAGE.replace("flat.jacobian(latents).shape, ", "")) == ["InjectiveFlow.jacobian"]


def test_every_part_has_its_docstring_below_the_examples() -> None:
    added = re.findall(r"^::: inflationary_flows\.([\w.]+)$", with_docstrings(PAGE), flags=re.MULTILINE)
    assert len(added) == len(sections(PAGE))
    for path in added:
        module, *parts = re.split(r"\.(?=[A-Z])", path, maxsplit=1)
        kind, *member = parts[0].split(".")
        target = getattr(importlib.import_module(f"inflationary_flows.{module}"), kind)
        assert all(hasattr(target, name) or name in target.__annotations__ for name in member)


def test_every_error_is_named() -> None:
    kinds = [
        name for name, kind in vars(errors).items() if inspect.isclass(kind) and kind.__module__ == errors.__name__
    ]
    assert [name for name in kinds if f"`{name}`" not in PAGE] == []


@pytest.mark.usefixtures("model")
def test_examples_are_right(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(PAGE)
    assert done.failed == 0, capsys.readouterr().out
    assert done.attempted > 60


def test_a_wrong_example_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("```pycon\n>>> 1 + 1\n3\n\n```\n").failed == 1
    assert "Expected" in capsys.readouterr().out
