"""Measurements: one rule for each experiment of the registry that has a `measure.py`, a job a data set or one in all.

Needs results/data, results/networks and results/flows; makes small tables and arrays in results/metrics, draws in
results/inference, and tables of times in results/benchmarks. What an experiment reads, depends on and makes is in its
`spec.py`; these rules are made from it.
"""


rule metrics:
    """Makes the tables and figures on flows themselves."""
    input:
        shown_by("metrics"),


for EXPERIMENT in MEASURED:

    rule:
        name:
            f"measure_{EXPERIMENT.name}"
        input:
            **inputs_of(EXPERIMENT),
        output:
            **layout.measured_files(EXPERIMENT),
        log:
            f"results/logs/{layout.job_name(EXPERIMENT)}.log",
        benchmark:
            f"results/benchmarks/{layout.job_name(EXPERIMENT)}.tsv"
        wildcard_constraints:
            dataset=datasets_pattern(EXPERIMENT),
        group:
            group_of(EXPERIMENT)
        conda:
            f"../envs/{EXPERIMENT.measurement.environment}.yaml"
        resources:
            **resources_of(EXPERIMENT),
        params:
            **measurement_params(EXPERIMENT),
        script:
            "../workflow_scripts/measure.py"

    describe(f"measure_{EXPERIMENT.name}", EXPERIMENT)


for EXPERIMENT in ON_DEMAND:

    rule:
        name:
            EXPERIMENT.name
        input:
            layout.all_measured(STUDY, EXPERIMENT),

    describe(EXPERIMENT.name, EXPERIMENT)
