"""Compute nodes without a network: everything is fetched before, on a machine that has one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from checkout import Checkout
from cluster import Cluster

from pictures import noise, png, write_zip


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server on this machine, outside of the cluster, with an archive of pictures."""
    served = tmp_path / "served"
    served.mkdir()
    write_zip(served / "pictures.zip", {f"{n:03}.png": png(noise(8, 8, seed=n)) for n in range(60)})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/pictures.zip"
        server.shutdown()


def test_a_run_needs_no_network_after_fetch(cluster: Cluster, tmp_path: Path, address: str):
    content = {
        "datasets": {
            "own": {
                "kind": "image_folder",
                "resolution": 8,
                "channels": 1,
                "schedules": ["prp"],
                "download": [{"url": address, "checksum": "record"}],
                "network": "unet",
                "training": "images",
            }
        },
        "schedules": {"prp": {"signal_left": 1e-3}},
        "networks": {"unet": {"kind": "unet", "channels": [8, 16]}},
        "training": {"images": {"steps": 10, "batch_size": 8, "warmup_steps": 1, "targets": "sample", "gpu": 1}},
    }
    config = tmp_path / "own.yaml"
    config.write_text(yaml.safe_dump(content))
    checkout = Checkout(tmp_path / "run", cluster, config, beside=True)
    # Inside, the driver has no network either, and says what it could not reach.
    assert checkout.start("train", "--retries=0").wait(300) == 1
    assert f"{address}: expected" in checkout.text()
    assert checkout.jobs() == []
    checkout.run_locally("fetch")
    checkout.finish(checkout.start("train"))
    assert (tmp_path / "own/results/networks/own/prp/seed0/network.safetensors").exists()
    assert not list(checkout.folder.glob("results/*/"))
