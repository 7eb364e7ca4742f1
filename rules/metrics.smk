"""Experiments: one small table for each data set, schedule and seed, merged into results/tables.

Needs results/data and results/flows; makes results/metrics and results/tables, and on demand the
table of seconds and memory against size, which stands in results/benchmarks like all other times.
"""

# Images of more coordinates are compared by features and in grey levels instead: rules/images.smk.
MOST_COORDINATES = 100
POINT_SETS = [
    name
    for name in DATASETS
    if name not in IMAGE_DATASETS or dimension_of(name) <= MOST_COORDINATES
]
POINT_FLOWS = [flow for flow in FLOWS if flow[0] in POINT_SETS]
METRICS = {
    name: per_flow(
        f"results/metrics/{{dataset}}/{{schedule}}/seed{{seed}}/{name}.csv", POINT_FLOWS
    )
    for name in ("flow_quality", "roundtrip", "solver_comparison")
    if POINT_FLOWS
}
if POINT_SETS:
    METRICS["two_sample_floor"] = [
        f"results/metrics/{dataset}/two_sample_floor.csv" for dataset in POINT_SETS
    ]
if STUDIED:
    METRICS["scaling_study"] = per_flow(
        "results/metrics/{dataset}/{schedule}/seed{seed}/scaling_study.csv", STUDIED
    )


PARTS.update(METRICS)


rule metrics:
    """Makes the tables on flows themselves."""
    input:
        expand(
            "results/tables/{table}.csv",
            table=sorted(
                [*METRICS, "marginals", "participation_ratio", "pr_over_time"]
            ),
        ),
        [METRICS[table] for table in sorted(METRICS)],


rule scaling:
    """Makes the table of seconds and memory against numbers of points and dimensions."""
    input:
        "results/benchmarks/scaling.csv",


rule measure_two_sample_floor:
    """Compares fresh points with fresh points. Makes the floor that generated points are held against."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
    output:
        table="results/metrics/{dataset}/two_sample_floor.csv",
    log:
        "results/logs/measure_two_sample_floor/{dataset}.log",
    benchmark:
        "results/benchmarks/measure_two_sample_floor/{dataset}.tsv"
    group:
        "prepare"
    conda:
        "../envs/metrics.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="4GB",
        runtime="30m",
    params:
        samples=EXPERIMENTS["flow_quality"]["samples"],
        seed=EXPERIMENTS["flow_quality"]["seed"],
        projections=EXPERIMENTS["flow_quality"]["projections"],
        energy_splits=EXPERIMENTS["flow_quality"]["energy_splits"],
        wasserstein_splits=EXPERIMENTS["flow_quality"]["wasserstein_splits"],
        source=digest_of("measure_two_sample_floor"),
    script:
        "../workflow_scripts/measure_two_sample_floor.py"


rule measure_quality:
    """Compares generated with fresh points, and latents with their exact law."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
        floor="results/metrics/{dataset}/two_sample_floor.csv",
    output:
        table="results/metrics/{dataset}/{schedule}/seed{seed}/flow_quality.csv",
    log:
        "results/logs/measure_quality/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/measure_quality/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/metrics.yaml"
    threads: 1
    resources:
        **MEASURING,
    params:
        dataset=dataset_of,
        samples=EXPERIMENTS["flow_quality"]["samples"],
        seed=EXPERIMENTS["flow_quality"]["seed"],
        projections=EXPERIMENTS["flow_quality"]["projections"],
        neighbours=EXPERIMENTS["flow_quality"]["neighbours"],
        neighbour_samples=EXPERIMENTS["flow_quality"]["neighbour_samples"],
        source=digest_of("measure_quality"),
    script:
        "../workflow_scripts/measure_quality.py"


rule measure_roundtrip:
    """Carries held-out points to latents and back, as configured and as in the paper."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
    output:
        table="results/metrics/{dataset}/{schedule}/seed{seed}/roundtrip.csv",
    log:
        "results/logs/measure_roundtrip/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/measure_roundtrip/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/metrics.yaml"
    threads: 1
    resources:
        **MEASURING,
    params:
        samples=EXPERIMENTS["roundtrip"]["samples"],
        paper_steps=EXPERIMENTS["roundtrip"]["paper_steps"],
        source=digest_of("measure_roundtrip"),
    script:
        "../workflow_scripts/measure_roundtrip.py"


rule compare_solvers:
    """Integrates the same flow with every solver. Makes errors against network evaluations."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
    output:
        table="results/metrics/{dataset}/{schedule}/seed{seed}/solver_comparison.csv",
    log:
        "results/logs/compare_solvers/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/compare_solvers/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/metrics.yaml"
    threads: 1
    resources:
        **MEASURING,
    params:
        samples=EXPERIMENTS["solver_comparison"]["samples"],
        seed=EXPERIMENTS["solver_comparison"]["seed"],
        steps=EXPERIMENTS["solver_comparison"]["steps"],
        tolerances=EXPERIMENTS["solver_comparison"]["tolerances"],
        reference_steps=EXPERIMENTS["solver_comparison"]["reference_steps"],
        source=digest_of("compare_solvers"),
    script:
        "../workflow_scripts/compare_solvers.py"


rule measure_scaling_study:
    """Measures what the kept latents of a reducing flow tell of held-out points."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
    output:
        table="results/metrics/{dataset}/{schedule}/seed{seed}/scaling_study.csv",
    log:
        "results/logs/measure_scaling_study/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/measure_scaling_study/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/metrics.yaml"
    threads: 1
    resources:
        **MEASURING,
    params:
        samples=EXPERIMENTS["scaling_study"]["samples"],
        seed=EXPERIMENTS["scaling_study"]["seed"],
        source=digest_of("measure_scaling_study"),
    script:
        "../workflow_scripts/measure_scaling_study.py"


rule trace_participation_ratio:
    """Follows the participation ratio of all marginals over time, for both kernel families."""
    input:
        per_dataset("results/data/{dataset}/eigenbasis.safetensors"),
    output:
        table=in_report("results/tables/pr_over_time.csv"),
    log:
        "results/logs/trace_participation_ratio.log",
    benchmark:
        "results/benchmarks/trace_participation_ratio.tsv"
    group:
        "report"
    conda:
        "../envs/metrics.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="1GB",
        runtime="5m",
    params:
        datasets=DATASETS,
        pairs=PAIRS,
        schedules=SCHEDULES,
        points=EXPERIMENTS["pr_over_time"]["points"],
        source=digest_of("trace_participation_ratio"),
    script:
        "../workflow_scripts/trace_participation_ratio.py"


rule merge_table:
    """Puts the small tables of one experiment below each other."""
    input:
        lambda wildcards: PARTS[wildcards.table],
    output:
        table="results/tables/{table}.csv",
    log:
        "results/logs/merge_table/{table}.log",
    benchmark:
        "results/benchmarks/merge_table/{table}.tsv"
    wildcard_constraints:
        table="|".join(PARTS),
    group:
        "report"
    conda:
        "../envs/metrics.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="1GB",
        runtime="5m",
    params:
        source=digest_of("merge_table"),
    script:
        "../workflow_scripts/merge_table.py"


rule measure_scaling:
    """Times the mathematics without a network, against numbers of points and dimensions."""
    output:
        table="results/benchmarks/scaling.csv",
    log:
        "results/logs/measure_scaling.log",
    benchmark:
        "results/benchmarks/measure_scaling.tsv"
    conda:
        "../envs/metrics.yaml"
    threads: 1
    resources:
        **NO_GPU,
        mem="4GB",
        runtime="1h",
    params:
        points=EXPERIMENTS["scaling"]["points"],
        dimensions=EXPERIMENTS["scaling"]["dimensions"],
        steps=EXPERIMENTS["scaling"]["steps"],
        source=digest_of("measure_scaling"),
    script:
        "../workflow_scripts/measure_scaling.py"
