# Inflationary flows: from data to trained flows, tables and figures.
#
#   snakemake                             everything but what is measured on demand, for config.yaml
#   snakemake metrics                     one stage: fetch, data, train, flows, metrics, figures, animations, inference,
#                                         calibration, generate, images, baselines, reporting
#   snakemake plan                        jobs and hours of each stage, before anything runs
#   snakemake audit                       whether every file is what its job wrote
#   snakemake report                      everything in one file, results/report.html
#   snakemake bundle                      results, sources and provenance in one archive, results.crate.zip
#   snakemake complexity image_speed sampler_efficiency
#                                         what is measured on demand
#   snakemake --configfile my.yaml        another configuration, instead of config.yaml: its results are in my/results
#   snakemake --directory elsewhere ...   results below another folder

from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

# Also where another workflow includes or imports this one.
ROOT = Path(str(workflow.current_basedir)).resolve()


include: "rules/common.smk"
include: "rules/resources.smk"
include: "rules/registry.smk"
include: "rules/executor.smk"
include: "rules/data.smk"
include: "rules/flows.smk"
include: "rules/experiments.smk"
include: "rules/inference.smk"
include: "rules/images.smk"
include: "rules/baselines.smk"
include: "rules/figures.smk"
include: "rules/report.smk"


wildcard_constraints:
    dataset=r"[a-z0-9_]+",
    schedule=r"[a-z0-9_.\-]+",
    # A training seed, with the variant of the flow if it is one: 0, 0-early.
    seed=r"\d+(-[a-z0-9_]+)?",
    method=r"[a-z0-9_]+",


# A run goes on by itself when its driver was killed.
if workflow.is_main_process:
    tell_the_run(logger, workflow, STARTED_IN)
    try:
        prepare(on_cluster=workflow.resource_settings.nodes is not None)
    except InflationaryFlowsError as problem:
        stop(problem)


onstart:
    write_resolved_config()


rule all:
    """Makes all tables and figures, and everything between data and these."""
    default_target: True
    input:
        rules.data.input,
        rules.train.input,
        rules.flows.input,
        rules.metrics.input,
        rules.figures.input,
        rules.animations.input,
        rules.inference.input,
        rules.calibration.input,
        rules.generate.input,
        rules.images.input,
        rules.baselines.input,
        rules.reporting.input,
