"""Fits the denoiser of one schedule, or of several, going on from where an interrupted job stopped."""

import json
from pathlib import Path

from inflationary_flows.artifacts.bases import load_basis
from inflationary_flows.artifacts.networks import save_network, versions
from inflationary_flows.checkpoint import run_digest
from inflationary_flows.data.oracles import exact_mixture
from inflationary_flows.data.splits import load_splits
from inflationary_flows.files.files import atomic_write, sha256_of
from inflationary_flows.mathematics.oracles import exact_denoiser
from inflationary_flows.runtime.devices import device_for, gpus_of
from inflationary_flows.runtime.job import job
from inflationary_flows.runtime.states import keep_checkpoint
from inflationary_flows.training.compute import join_processes, launched, run_in_processes
from inflationary_flows.training.content import rows_held
from inflationary_flows.training.fit import fit
from inflationary_flows.training.kernels import kernels_from
from inflationary_flows.training.settings import TrainingSettings

with job(snakemake):
    params, resources = snakemake.params, snakemake.resources
    device = device_for(resources)
    if gpus_of(resources) > 1 and device == "cuda" and not launched():
        # This job becomes the parent of one process a GPU, each of which runs this script from its first line.
        raise SystemExit(run_in_processes(gpus_of(resources)))

    with join_processes(device) as (processes, device):
        splits = load_splits(snakemake.input.splits)
        basis = load_basis(Path(snakemake.input.eigenbasis))
        kernels = kernels_from(params.kernels, basis.eigenvalues)
        mixture = exact_mixture(params.dataset)
        digest = run_digest(
            splits=sha256_of(snakemake.input.splits),
            eigenbasis=sha256_of(snakemake.input.eigenbasis),
            kernels=params.kernels,
            network=params.network,
            training=params.training,
            parts=params.parts,
            seed=params.seed,
            source=params.source,
        )
        seconds = resources.checkpoint_seconds
        with keep_checkpoint(params.state, digest, seconds, writes=processes.first) as checkpoint:
            denoiser, curve = fit(
                splits.train,
                splits.validation,
                basis,
                kernels,
                params.network,
                TrainingSettings(**params.training),
                seed=params.seed,
                checkpoint=checkpoint,
                exact=[exact_denoiser(schedule, basis, *mixture) for schedule in kernels.schedules] if mixture else (),
                device=device,
                processes=processes,
            )
        if processes.first:
            provenance = {
                "seed": params.seed,
                "digest": digest,
                "training": dict(params.training),
                "versions": versions(),
            }
            rows = rows_held(splits.train) if denoiser.serves_several else None
            path = Path(snakemake.output.network)
            save_network(path, denoiser, params.kernels, params.network, provenance, rows)
            with atomic_write(snakemake.output.curve) as path:
                path.write_text("".join(json.dumps(row) + "\n" for row in curve), encoding="utf-8")
