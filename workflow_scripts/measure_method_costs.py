"""Times steps and samples of all methods on a data set, in turn."""

from functools import partial

from inflationary_flows.artifacts.models import load_model
from inflationary_flows.artifacts.training_tasks import load_training_task
from inflationary_flows.baselines.discovery import load_method
from inflationary_flows.experiments.baselines.costs import TimedMethod, clock_of, measure_method_costs
from inflationary_flows.files.files import read_json
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    params, paths, wildcards = snakemake.params, snakemake.input, snakemake.wildcards
    device = device_for(snakemake.resources)
    task = load_training_task(paths.splits, paths.eigenbasis, dict(params.items()))

    def timed(kind, settings, model, steps):
        method = load_method(kind)
        chosen = method.Settings(**settings)

        def fit(count, checkpoint):
            return method.fit(task, chosen, steps=count, seed=params.seed, checkpoint=checkpoint, device=device)

        return TimedMethod(fit, partial(model.sample, seed=params.seed), model.parameters, steps)

    files = zip(params.methods.items(), paths.settings, paths.models, strict=True)
    methods = {
        name: timed(method["kind"], read_json(settings)["settings"], load_model(model).to(device), method["steps"])
        for (name, method), settings, model in files
    }
    rows = measure_method_costs(
        methods, timing_steps=params.steps, rounds=params.rounds, samples=params.samples, clock=clock_of(device)
    )
    # Columns in the order of the other tables of methods.
    where = {"dataset": wildcards.dataset, "schedule": wildcards.schedule, "seed": wildcards.seed}
    write_rows(snakemake.output.table, [{"method": row["method"], **where, **row} for row in rows])
