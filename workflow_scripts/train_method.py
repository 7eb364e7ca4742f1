"""Trains a method with the settings that were chosen for it, going on from where an interrupted job stopped."""

import json

from inflationary_flows.artifacts.models import save_model
from inflationary_flows.artifacts.training_tasks import load_training_task
from inflationary_flows.baselines.discovery import load_method
from inflationary_flows.checkpoint import run_digest
from inflationary_flows.files.files import atomic_write, read_json, sha256_of
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job
from inflationary_flows.runtime.states import keep_checkpoint

with job(snakemake):
    params, resources, paths = snakemake.params, snakemake.resources, snakemake.input
    task = load_training_task(paths.splits, paths.eigenbasis, dict(params.items()))
    method = load_method(params.kind)
    settings = {**params.defaults, **read_json(paths.settings)["settings"]}
    digest = run_digest(
        splits=sha256_of(paths.splits),
        eigenbasis=sha256_of(paths.eigenbasis),
        settings=settings,
        params=dict(params.items()),
        wildcards=dict(snakemake.wildcards.items()),
    )
    with keep_checkpoint(params.state, digest, resources.checkpoint_seconds) as checkpoint:
        model, curve = method.fit(
            task,
            method.Settings(**settings),
            steps=params.steps,
            seed=params.seed,
            checkpoint=checkpoint,
            device=device_for(resources),
        )
    save_model(snakemake.output.model, params.kind, model, {"seed": params.seed, "digest": digest})
    with atomic_write(snakemake.output.curve) as path:
        path.write_text("".join(json.dumps(row) + "\n" for row in curve), encoding="utf-8")
