"""Posteriors as netCDF files, as xarray and ArviZ read them."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from inflationary_flows.errors import ArtifactError, shorten
from inflationary_flows.extras import needs
from inflationary_flows.files.files import atomic_write

with needs("netCDF files", "inference"):
    import xarray as xr


def save_dataset(path: str | os.PathLike[str], dataset: xr.Dataset, group: str = "posterior") -> None:
    """Writes a data set into a group of a netCDF file, where `arviz.from_netcdf` looks for a posterior."""
    save_datasets(path, {group: dataset})


def save_datasets(path: str | os.PathLike[str], datasets: Mapping[str, xr.Dataset]) -> None:
    """Writes data sets into groups of one netCDF file, by name."""
    # In memory first: HDF5 may crash where a disk is full.
    content = io.BytesIO()
    mode: Literal["a", "w"] = "w"
    for group, dataset in datasets.items():
        dataset.to_netcdf(content, engine="h5netcdf", group=group, mode=mode)
        mode = "a"
    with atomic_write(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def load_dataset(path: str | os.PathLike[str], group: str = "posterior") -> xr.Dataset:
    """Reads a data set whole; ArtifactError if the file is missing, damaged, or has no such group."""
    path = Path(path)
    if not path.is_file():
        raise ArtifactError(str(path), "an existing file", "none", "run the workflow up to the step that makes it")
    try:
        with xr.open_dataset(path, engine="h5netcdf", group=group) as dataset:
            return dataset.load()
    except (OSError, KeyError, ValueError) as problem:
        raise ArtifactError(
            str(path),
            f"a netCDF file with a group {group!r}",
            shorten(str(problem)),
            "delete the file and run the workflow again",
        ) from problem
