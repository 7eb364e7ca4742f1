"""Figures, as PDF and PNG.

Needs results/flows, results/networks and results/tables; makes results/figures. Labels are read from
results/config.resolved.yaml and are no params: a new label redraws nothing by itself
(`snakemake -R plot_prp_toys` does).
"""

SNAPSHOTS = "results/flows/{dataset}/{schedule}/seed{seed}/snapshots.npz"


# Points can be drawn in two and three dimensions; figures show the first seed.
DRAWN = [(d, s, SEEDS[0]) for d, s in PAIRS if dimension_of(d) in (2, 3)]
PRP_TOYS = [flow for flow in DRAWN if not is_reducing(flow[1])]
PRR_TOYS = [flow for flow in DRAWN if is_reducing(flow[1])]
DIGITS = [(d, s, SEEDS[0]) for d, s in PAIRS if CONFIG.datasets[d].kind == "digits"]

FIGURES = ["training_curves", "pr_over_time"]
FIGURES += ["solver_comparison", "flow_quality"] if POINT_FLOWS else []
FIGURES += ["fig02"] if PRP_TOYS else []
FIGURES += ["fig03"] if PRR_TOYS else []
FIGURES += ["digits_samples", "digits_roundtrip"] if DIGITS else []


rule figures:
    """Makes all figures that the configuration has data for."""
    input:
        expand(
            "results/figures/{figure}.{suffix}",
            figure=sorted(FIGURES),
            suffix=["pdf", "png"],
        ),
        IMAGE_FIGURES,


rule plot_prp_toys:
    """Draws inflation and generation of PR-preserving toy flows (figure 2 of the paper)."""
    input:
        per_flow(SNAPSHOTS, PRP_TOYS),
    output:
        pdf="results/figures/fig02.pdf",
        png="results/figures/fig02.png",
    log:
        "results/logs/plot_prp_toys.log",
    benchmark:
        "results/benchmarks/plot_prp_toys.tsv"
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
        flows=PRP_TOYS,
        labels=RESOLVED_PATH,
        source=digest_of("plot_prp_toys"),
    script:
        "../workflow_scripts/plot_prp_toys.py"


rule plot_prr_toys:
    """Draws inflation and generation of PR-reducing toy flows (figure 3 of the paper)."""
    input:
        per_flow(SNAPSHOTS, PRR_TOYS),
    output:
        pdf="results/figures/fig03.pdf",
        png="results/figures/fig03.png",
    log:
        "results/logs/plot_prr_toys.log",
    benchmark:
        "results/benchmarks/plot_prr_toys.tsv"
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
        flows=PRR_TOYS,
        labels=RESOLVED_PATH,
        source=digest_of("plot_prr_toys"),
    script:
        "../workflow_scripts/plot_prr_toys.py"


rule plot_digits:
    """Draws generated digits, and digits before and after a round trip."""
    input:
        per_flow(SNAPSHOTS, DIGITS),
    output:
        samples_pdf="results/figures/digits_samples.pdf",
        samples_png="results/figures/digits_samples.png",
        roundtrip_pdf="results/figures/digits_roundtrip.pdf",
        roundtrip_png="results/figures/digits_roundtrip.png",
    log:
        "results/logs/plot_digits.log",
    benchmark:
        "results/benchmarks/plot_digits.tsv"
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
        flows=DIGITS,
        labels=RESOLVED_PATH,
        source=digest_of("plot_digits"),
    script:
        "../workflow_scripts/plot_digits.py"


rule plot_training_curves:
    """Draws losses against training steps, and the error against the exact denoiser."""
    input:
        per_flow("results/networks/{dataset}/{schedule}/seed{seed}/training.jsonl"),
    output:
        pdf="results/figures/training_curves.pdf",
        png="results/figures/training_curves.png",
    log:
        "results/logs/plot_training_curves.log",
    benchmark:
        "results/benchmarks/plot_training_curves.tsv"
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
        flows=FLOWS,
        labels=RESOLVED_PATH,
        source=digest_of("plot_training_curves"),
    script:
        "../workflow_scripts/plot_training_curves.py"


rule plot_solver_comparison:
    """Draws the error of every solver against network evaluations."""
    input:
        table="results/tables/solver_comparison.csv",
    output:
        pdf="results/figures/solver_comparison.pdf",
        png="results/figures/solver_comparison.png",
    log:
        "results/logs/plot_solver_comparison.log",
    benchmark:
        "results/benchmarks/plot_solver_comparison.tsv"
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
        source=digest_of("plot_solver_comparison"),
    script:
        "../workflow_scripts/plot_solver_comparison.py"


rule plot_pr_over_time:
    """Draws the participation ratio over time for both kernel families."""
    input:
        table="results/tables/pr_over_time.csv",
    output:
        pdf="results/figures/pr_over_time.pdf",
        png="results/figures/pr_over_time.png",
    log:
        "results/logs/plot_pr_over_time.log",
    benchmark:
        "results/benchmarks/plot_pr_over_time.tsv"
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
        source=digest_of("plot_pr_over_time"),
    script:
        "../workflow_scripts/plot_pr_over_time.py"


rule plot_flow_quality:
    """Draws the distance of generated to fresh points against its floor."""
    input:
        table="results/tables/flow_quality.csv",
    output:
        pdf="results/figures/flow_quality.pdf",
        png="results/figures/flow_quality.png",
    log:
        "results/logs/plot_flow_quality.log",
    benchmark:
        "results/benchmarks/plot_flow_quality.tsv"
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
        source=digest_of("plot_flow_quality"),
    script:
        "../workflow_scripts/plot_flow_quality.py"
