"""Trains a method with each of its candidates for a share of the steps, and chooses among them."""

from inflationary_flows.artifacts.training_tasks import load_training_task
from inflationary_flows.baselines.discovery import load_method
from inflationary_flows.checkpoint import run_digest
from inflationary_flows.experiments.baselines.search import chosen_settings, search
from inflationary_flows.files.files import sha256_of, write_json
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job
from inflationary_flows.runtime.states import keep_checkpoint

with job(snakemake):
    params, resources, paths = snakemake.params, snakemake.resources, snakemake.input
    task = load_training_task(paths.splits, paths.eigenbasis, dict(params.items()))
    digest = run_digest(
        splits=sha256_of(paths.splits),
        eigenbasis=sha256_of(paths.eigenbasis),
        params=dict(params.items()),
        wildcards=dict(snakemake.wildcards.items()),
    )
    with keep_checkpoint(params.state, digest, resources.checkpoint_seconds) as checkpoint:
        rows = search(
            load_method(params.kind),
            task,
            params.candidates,
            defaults=params.defaults,
            steps=params.steps,
            seed=params.seed,
            samples=params.samples,
            checkpoint=checkpoint,
            device=device_for(resources),
        )
    write_rows(snakemake.output.table, rows, **dict(snakemake.wildcards))
    write_json(snakemake.output.settings, {"settings": {**params.defaults, **chosen_settings(rows)}})
