"""Measures one experiment: reads flows and what else it needs, calls its `measure`, writes tables, arrays and draws."""

from importlib import import_module
from pathlib import Path

import numpy as np

from inflationary_flows.artifacts.bases import load_basis
from inflationary_flows.artifacts.flow_files import load_flow
from inflationary_flows.artifacts.networks import load_network
from inflationary_flows.data.oracles import exact_mixture
from inflationary_flows.data.splits import load_splits
from inflationary_flows.data.tables import read_points
from inflationary_flows.files.files import atomic_write
from inflationary_flows.files.tables import write_rows
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job
from inflationary_flows.training.assembly import assemble
from inflationary_flows.training.flow_content import solver_settings

# Params that say how the function is called; all others are handed over.
OF_MEMBERS = ("samples_from_members", "member_schedule", "member_solver", "member_prior")
CALL = ("experiment", "needs", "each_flow", "flows", "source", *OF_MEMBERS)
# Inputs that are read in a way of their own; all others are tables.
OWN = ("splits", "eigenbasis", "eigenbases", "flows", "own")

with job(snakemake) as log:
    params, files = dict(snakemake.params.items()), dict(snakemake.input.items())
    settings = {name: value for name, value in params.items() if name not in CALL}
    needs, device = set(params["needs"]), device_for(snakemake.resources)
    splits = load_splits(files["splits"]) if "splits" in files else None
    basis = load_basis(Path(files["eigenbasis"])) if "eigenbasis" in files else None
    given = {name: value for name, value in (("splits", splits), ("eigenbasis", basis)) if name in needs}
    if "eigenbases" in needs:
        paths = map(Path, files["eigenbases"])
        given["eigenbases"] = {path.parent.name: load_basis(path) for path in paths}
    if "mixture" in needs:
        given["mixture"] = exact_mixture(settings.pop("dataset"))
    if "published" in needs:
        settings.pop("published")
        files["published"] = str(Path(snakemake.scriptdir).parent / "configs/paper_tables.csv")
    if "log" in needs:
        given["log"] = log

    def flow_of(schedule: str, path: str) -> Flow:
        """A flow from its file, or from its network if it is there for comparison alone."""
        if Path(path).name == "flow.safetensors":
            return load_flow(path).to(device)
        denoiser, _ = load_network(Path(path), basis, params["member_schedule"][schedule])
        solver = solver_settings(params["member_solver"][schedule])
        # Only flows that are sampled from need latents of training data.
        train = splits.train if params["samples_from_members"] else None
        prior = params["member_prior"][schedule]
        return assemble(denoiser, train, solver=solver, compressed_prior=prior, device=device).to(device)

    for name, paths in files.items():
        if name not in OWN and paths:
            # Imported lazily: few experiments read tables.
            import pandas as pd

            tables = map(pd.read_csv, [paths] if isinstance(paths, str) else paths)
            given[name] = pd.concat(tables, ignore_index=True)

    if files.get("own"):
        given["own"] = read_points(files["own"], splits.dimension, splits.provenance)

    module = import_module(f"inflationary_flows.experiments.{params['experiment']}.measure")
    named = [tuple(flow) for flow in params.get("flows") or ()]
    dataset = {"dataset": snakemake.wildcards.dataset} if "dataset" in dict(snakemake.wildcards.items()) else {}
    tables, arrays, posteriors, plain = {}, {}, {}, {}
    if named and params["each_flow"]:
        for (schedule, seed), path in zip(named, files["flows"], strict=True):
            made = module.measure(flow_of(schedule, path), **given, **settings)
            keys = {**dataset, "schedule": schedule, "seed": seed}
            for name, rows in made.tables.items():
                tables.setdefault(name, []).extend({**keys, **row} for row in rows)
            for name, found in made.arrays.items():
                arrays.setdefault(name, {}).update({f"{schedule}/seed{seed}/{k}": v for k, v in found.items()})
            for name, draws in made.posteriors.items():
                posteriors.setdefault(name, {})[f"{schedule}_seed{seed}"] = draws
    else:
        if named:
            given["flows"] = {flow: flow_of(flow[0], path) for flow, path in zip(named, files["flows"], strict=True)}
        made = module.measure(**given, **settings)
        tables = {name: [{**dataset, **row} for row in rows] for name, rows in made.tables.items()}
        arrays, posteriors, plain = made.arrays, made.posteriors, made.rows

    for name, path in snakemake.output.items():
        if name in tables:
            write_rows(path, tables[name])
        elif path.endswith(".parquet"):
            # Imported lazily: one experiment makes such tables.
            from inflationary_flows.files.parquet import write_parquet

            write_parquet(path, made.columns[name.removesuffix("_parquet")])
        elif path.endswith(".csv"):
            write_rows(path, plain[name.removesuffix("_rows")])
        elif path.endswith(".npz"):
            with atomic_write(path) as temporary:
                np.savez_compressed(temporary, **arrays[name.removesuffix("_npz")])
        else:
            # Imported lazily: few experiments make draws.
            from inflationary_flows.files.datasets import save_datasets

            save_datasets(path, posteriors[name.removesuffix("_nc")])
