"""Trains a method with each of its candidates for a share of the steps, and chooses among them."""

from inflationary_flows.artifacts.devices import device_for
from inflationary_flows.artifacts.files import sha256_of, write_json
from inflationary_flows.artifacts.job import job
from inflationary_flows.artifacts.problems import load_problem
from inflationary_flows.artifacts.states import keep_progress
from inflationary_flows.artifacts.tables import write_rows
from inflationary_flows.baselines.discovery import load_method
from inflationary_flows.experiments.baselines.search import chosen_settings, search
from inflationary_flows.progress import run_digest

with job(snakemake):
    params, resources, paths = snakemake.params, snakemake.resources, snakemake.input
    problem = load_problem(paths.splits, paths.eigenbasis, dict(params.items()))
    digest = run_digest(
        splits=sha256_of(paths.splits),
        eigenbasis=sha256_of(paths.eigenbasis),
        params=dict(params.items()),
        wildcards=dict(snakemake.wildcards.items()),
    )
    with keep_progress(params.state, digest, resources.checkpoint_seconds) as progress:
        rows = search(
            load_method(params.kind),
            problem,
            params.candidates,
            defaults=params.defaults,
            steps=params.steps,
            seed=params.seed,
            samples=params.samples,
            progress=progress,
            device=device_for(resources),
        )
    write_rows(snakemake.output.table, rows, **dict(snakemake.wildcards))
    write_json(snakemake.output.settings, {"settings": {**params.defaults, **chosen_settings(rows)}})
