"""Tables and pictures: one rule for each experiment of the registry, merging its small tables and drawing its figures.

Needs results/metrics, and whatever else `spec.py` of an experiment says; makes results/tables, results/figures and
results/animations. Labels are read from results/config.resolved.yaml and are no params: a new label redraws nothing by
itself (`snakemake -R plot_snapshots` does).
"""


rule figures:
    """Makes the figures that belong to no other stage."""
    input:
        shown_by("figures"),


rule animations:
    """Makes all animations that the configuration has data for."""
    input:
        shown_by("animations"),


rule reporting:
    """Makes the comparison with the paper, and the figures of images."""
    input:
        shown_by("reporting"),


for EXPERIMENT in SHOWN:

    rule:
        name:
            shown_rule(EXPERIMENT)
        input:
            **merged_by(EXPERIMENT),
            **read_by(EXPERIMENT),
        output:
            **shown_outputs(EXPERIMENT),
        log:
            f"results/logs/{shown_rule(EXPERIMENT)}.log",
        benchmark:
            f"results/benchmarks/{shown_rule(EXPERIMENT)}.tsv"
        group:
            "report"
        conda:
            f"../envs/{EXPERIMENT.environment}.yaml"
        resources:
            **small("2GB", "10m"),
        params:
            **drawing_params(EXPERIMENT),
        script:
            "../workflow_scripts/plot.py"

    describe(shown_rule(EXPERIMENT), EXPERIMENT)


for EXPERIMENT in SHOWN_BY_DATASET:

    rule:
        name:
            f"plot_{EXPERIMENT.name}"
        input:
            **read_by(EXPERIMENT, each=True),
        output:
            **shown_outputs(EXPERIMENT, each=True),
        log:
            f"results/logs/plot_{EXPERIMENT.name}/{{dataset}}.log",
        benchmark:
            f"results/benchmarks/plot_{EXPERIMENT.name}/{{dataset}}.tsv"
        wildcard_constraints:
            dataset="|".join(EXPERIMENT.datasets(STUDY)),
        group:
            "report"
        conda:
            f"../envs/{EXPERIMENT.environment}.yaml"
        resources:
            **small("2GB", "10m"),
        params:
            **drawing_params(EXPERIMENT, each=True),
        script:
            "../workflow_scripts/plot.py"

    describe(f"plot_{EXPERIMENT.name}", EXPERIMENT)
