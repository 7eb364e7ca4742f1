"""What stands in the report: our numbers beside the published ones, figures of images, and the plan of a run.

Needs reported.smk and plan.smk, configs/paper_tables.csv, results/images and results/tables; makes
results/tables/paper_comparison.csv, figures in results/figures and, on demand, results/plan.csv.
"""


localrules:
    plan,


rule reporting:
    """Makes the comparison with the paper, and the figures of images."""
    input:
        "results/tables/paper_comparison.csv",
        expand(
            "results/figures/{figure}.{suffix}",
            figure=sorted(REPORTED_FIGURES),
            suffix=["pdf", "png"],
        ),


rule compare_with_paper:
    """Puts published values beside ours. Makes a row for each published one, also where nothing was run."""
    input:
        participation="results/tables/participation_ratio.csv",
        frechet=merged_table("frechet"),
        roundtrip=merged_table("image_roundtrip"),
        baselines=merged_table("baselines"),
    output:
        table=in_report("results/tables/paper_comparison.csv"),
    log:
        "results/logs/compare_with_paper.log",
    benchmark:
        "results/benchmarks/compare_with_paper.tsv"
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
        published=sha256_of(PAPER_TABLES),
        schedules=KNOWN_SCHEDULES,
        kinds={name: CONFIG.datasets[name].kind for name in DATASETS},
        methods=METHOD_KINDS,
        source=digest_of("compare_with_paper"),
    script:
        "../workflow_scripts/compare_with_paper.py"


rule plot_paper_comparison:
    """Draws Frechet distances and round-trip errors against kept dimensions and gap, published and ours."""
    input:
        comparison="results/tables/paper_comparison.csv",
        frechet=merged_table("frechet"),
        roundtrip=merged_table("image_roundtrip"),
    output:
        pdf="results/figures/paper_comparison.pdf",
        png=in_report("results/figures/paper_comparison.png"),
    log:
        "results/logs/plot_paper_comparison.log",
    benchmark:
        "results/benchmarks/plot_paper_comparison.tsv"
    group:
        "report"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="2GB",
        runtime="5m",
    params:
        schedules=SCHEDULES,
        dimensions={dataset: dimension_of(dataset) for dataset in PICTURED},
        labels=RESOLVED_PATH,
        source=digest_of("plot_paper_comparison"),
    script:
        "../workflow_scripts/plot_paper_comparison.py"


rule plot_image_samples:
    """Draws samples of all flows of one set of images."""
    input:
        pictures=pictures_of,
    output:
        pdf="results/figures/samples_{dataset}.pdf",
        png=in_report("results/figures/samples_{dataset}.png"),
    log:
        "results/logs/plot_image_samples/{dataset}.log",
    benchmark:
        "results/benchmarks/plot_image_samples/{dataset}.tsv"
    wildcard_constraints:
        dataset=ANY_PICTURED,
    group:
        "report"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="2GB",
        runtime="5m",
    params:
        schedules=pictured_schedules,
        levels=levels_of,
        labels=RESOLVED_PATH,
        source=digest_of("plot_image_samples"),
    script:
        "../workflow_scripts/plot_image_samples.py"


rule plot_round_trips:
    """Draws images, their latents and what is recovered from these (figure 5 of the paper)."""
    input:
        pictures=pictures_of,
    output:
        pdf="results/figures/fig05_{dataset}.pdf",
        png=in_report("results/figures/fig05_{dataset}.png"),
    log:
        "results/logs/plot_round_trips/{dataset}.log",
    benchmark:
        "results/benchmarks/plot_round_trips/{dataset}.tsv"
    wildcard_constraints:
        dataset=ANY_PICTURED,
    group:
        "report"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="2GB",
        runtime="5m",
    params:
        schedules=pictured_schedules,
        levels=levels_of,
        labels=RESOLVED_PATH,
        source=digest_of("plot_round_trips"),
    script:
        "../workflow_scripts/plot_round_trips.py"


rule plot_evaluation_sweep:
    """Draws Frechet distance and round-trip error against network evaluations."""
    input:
        table="results/tables/evaluation_sweep.csv",
    output:
        pdf="results/figures/evaluation_sweep.pdf",
        png=in_report("results/figures/evaluation_sweep.png"),
    log:
        "results/logs/plot_evaluation_sweep.log",
    benchmark:
        "results/benchmarks/plot_evaluation_sweep.tsv"
    group:
        "report"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="2GB",
        runtime="5m",
    params:
        labels=RESOLVED_PATH,
        source=digest_of("plot_evaluation_sweep"),
    script:
        "../workflow_scripts/plot_evaluation_sweep.py"


rule plan:
    """Prints jobs and hours of each stage and writes them as a table, which is no output, so that it always prints."""
    log:
        "results/logs/plan.log",
    conda:
        "../envs/metrics.yaml"
    threads: 1
    resources:
        **NO_GPU,
        mem="1GB",
        runtime="10m",
    params:
        counts=lambda wildcards: planned_jobs(),
        table="results/plan.csv",
        source=digest_of("plan"),
    script:
        "../workflow_scripts/plan.py"
