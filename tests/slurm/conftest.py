"""The emulated cluster as a fixture; without root or apt its tests are skipped, and say so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import Checkout
from cluster import Cluster, install, obstacle

TRAINING = Path(__file__).with_name("recovery.yaml")
# Three processes take a file each, the longest ones first, and then another.
ORDER = ["smoke", "recovery", "drivers", "cluster", "network", "many_tasks"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: ORDER.index(item.path.stem.removeprefix("test_")))
    reason = obstacle()
    for item in items:
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for the tests of one file: two nodes with two GPUs each, and one without."""
    install()
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def prepared(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A folder in which everything is done that comes before training."""
    checkout = Checkout(tmp_path_factory.mktemp("recovery") / "prepared", cluster, TRAINING)
    checkout.run_locally("data")
    return checkout


@pytest.fixture(scope="module")
def undisturbed(prepared: Checkout) -> str:
    """The sha256 of the network that a run without a cluster ends with."""
    local = prepared.copy(prepared.folder.with_name("local"))
    local.run_locally("train")
    return local.network()


@pytest.fixture
def checkout(prepared: Checkout, tmp_path: Path) -> Checkout:
    return prepared.copy(tmp_path / "run")
