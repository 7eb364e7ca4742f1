"""A flow that an earlier release wrote is read by this one, and gives the same points.

`python tests/test_stored_flow.py tests/data/flow_format3.safetensors` writes a flow of a new format, beside the others;
nothing else is a reason for it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from inflationary_flows import Flow

FOLDER = Path(__file__).parent / "data"
STORED = sorted(FOLDER.glob("flow_format*.safetensors"))
COLUMNS = ["height", "price", "stars"]


def machine() -> str:
    """What rounding depends on: torch, and the processor, whose kernels it chooses; in digits that name none."""
    processor = Path("/proc/cpuinfo")
    lines = processor.read_text(encoding="utf-8").splitlines() if processor.exists() else []
    model = next((line for line in lines if line.startswith("model name")), "unknown")
    return f"torch {torch.__version__.partition('+')[0]}, processor {hashlib.sha256(model.encode()).hexdigest()[:12]}"


def values_of(flow: Flow) -> dict[str, Any]:
    """What is to stay the same, as plain values."""
    rows = flow.sample(20, seed=3)
    # Since format 2 a network may know several schedules.
    several = "kernels" in flow.record
    return {
        "machine": machine(),
        "rows": rows.to_dict("list"),
        "latents": flow.inflate(rows).to_numpy().tolist(),
        "log_prob": flow.log_prob(rows).tolist(),
        "schedule": flow.record["schedule"],
        "split": flow.record["split"]["sizes"],
        "kinds": flow.record["column_kinds"],
        "last_row_of_history": flow.history[-1],
        "gain": flow.summary().gain,
    } | ({"of_one": flow.with_schedule(kept_dims=1).inflate(rows).to_numpy().tolist()} if several else {})


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_flow_of_an_earlier_release_is_the_same_flow(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    found = json.loads(json.dumps(values_of(Flow.load(path))))
    if found["machine"] == expected["machine"]:
        assert found == expected
    # Other machines sum in another order.
    for key in {"latents", "log_prob", "of_one"} & set(expected):
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-4, atol=1e-4)
    rows = [pd.DataFrame(values["rows"]).astype(float) for values in (found, expected)]
    pd.testing.assert_frame_equal(*rows, rtol=1e-4, atol=1e-4)
    for key in ("schedule", "split", "kinds", "last_row_of_history", "gain"):
        assert found[key] == expected[key]


def test_there_is_a_flow_of_this_format() -> None:
    from inflationary_flows.artifacts.flow_files import FORMAT

    assert [path.stem for path in STORED] == [f"flow_format{number}" for number in range(1, FORMAT + 1)]


def write(path: Path) -> None:
    """Fits a small flow of columns of all kinds and writes it, with what it gives."""
    random = np.random.default_rng(0)
    height = random.choice([-2.0, 2.0], 400) + 0.3 * random.standard_normal(400)
    price = np.exp(height**2 / 8 + 0.1 * random.standard_normal(400))
    stars = np.clip(np.round(3 + height + random.standard_normal(400)), 1, 5)
    table = pd.DataFrame(dict(zip(COLUMNS, (height, price, stars), strict=True)))
    flow = Flow.fit(
        table,
        kept_dims="any",
        positive=["price"],
        bounded={"stars": (1, 5)},
        integer=["stars"],
        network={"width": 16, "blocks": 1, "frequencies": 0},
        training={"steps": 300, "batch_size": 128, "validate_every": 100},
    )
    flow.save(path)
    text = json.dumps(values_of(flow), indent=1) + "\n"
    path.with_suffix(".json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
