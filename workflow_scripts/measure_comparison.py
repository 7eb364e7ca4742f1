"""Measures what all methods are measured at together: posteriors under models of a toy, beside untrained references."""

from pathlib import Path

from inflationary_flows.artifacts.bases import load_basis
from inflationary_flows.artifacts.models import load_model
from inflationary_flows.data.oracles import draw_fresh
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.baselines.comparison import measure_comparison, measure_references
from inflationary_flows.experiments.baselines.coverage import CoverageSettings
from inflationary_flows.experiments.baselines.references import make_references
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job
from inflationary_flows.seeding import derive_seed

with job(snakemake):
    params, paths, device = snakemake.params, snakemake.input, device_for(snakemake.resources)
    splits, basis = load_splits(paths.splits), load_basis(Path(paths.eigenbasis))
    references = make_references(params.dataset, splits.train, basis, params.kept_dims)
    rows = measure_references(references, test=splits.test, basis=basis, samples=params.samples, seed=params.seed)
    coverage = []
    # Points that flows are measured with, too: the experiment tarp draws the same.
    truth = draw_fresh(params.dataset, params.replicates, derive_seed("tarp truth", params.tarp_seed))
    if truth is not None:
        coverage, scores = measure_comparison(
            {tuple(of): load_model(path).to(device) for of, path in zip(params.models, paths.models, strict=True)},
            references,
            truth,
            draw_fresh(params.dataset, params.pool, derive_seed("tarp pool", params.tarp_seed)),
            CoverageSettings(
                noise_stds=params.noise_stds,
                levels=params.levels,
                references=params.references,
                pool=params.pool,
                seed=params.tarp_seed,
            ),
        )
        rows += scores

    def placed(row):
        """A row in the order of the other tables of methods; references have the first seed of training."""
        where = {"method": row["method"], **dict(snakemake.wildcards), "seed": row.get("seed", params.first_seed)}
        return {**where, **({"metric": row["metric"]} if "metric" in row else {}), **row, **where}

    write_rows(snakemake.output.table, map(placed, rows))
    write_rows(snakemake.output.coverage, map(placed, coverage))
