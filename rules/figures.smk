"""Figures, as PDF and PNG.

Needs results/flows, results/networks and results/tables; makes results/figures. Labels are read from
results/config.resolved.yaml and are no params: a new label redraws nothing by itself
(`snakemake -R plot_prp_toys` does).
"""

SNAPSHOTS = "results/flows/{dataset}/{schedule}/seed{seed}/snapshots.npz"


# Points can be drawn in two and three dimensions, and so can what lies in a plane or in space. Figures show the first seed.
SHOWN = [(d, s, SEEDS[0]) for d, s in PAIRS]
EMBEDDED = [flow for flow in SHOWN if kind_of(flow) == "embedded"]
SCALED = [flow for flow in STUDIED if flow in SHOWN and dimension_of(flow[0]) <= 3]
# Embedded toys and those with a thin coordinate have figures of their own.
DRAWN = [
    flow
    for flow in SHOWN
    if dimension_of(flow[0]) in (2, 3)
    and kind_of(flow) != "embedded"
    and not kind_of(flow).startswith("alt_")
]
PRP_TOYS = [flow for flow in DRAWN if not is_reducing(flow[1])]
PRR_TOYS = [flow for flow in DRAWN if is_reducing(flow[1])]
DIGITS = [(d, s, SEEDS[0]) for d, s in PAIRS if CONFIG.datasets[d].kind == "digits"]
# All flows of which figures show points.
TRACED = sorted({*PRP_TOYS, *PRR_TOYS, *EMBEDDED, *SCALED, *DIGITS})

FIGURES = ["fig01", "training_curves", "pr_over_time"]
FIGURES += ["solver_comparison", "flow_quality"] if POINT_FLOWS else []
FIGURES += ["fig02"] if PRP_TOYS else []
FIGURES += ["fig03"] if PRR_TOYS else []
FIGURES += ["embedded_toys"] if EMBEDDED else []
FIGURES += ["scaling_study"] if SCALED else []
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
        per_flow(SNAPSHOTS, TRACED),
        "results/metrics/marginals.npz",


rule plot_prp_toys:
    """Draws inflation and generation of PR-preserving toy flows (figure 2 of the paper)."""
    input:
        per_flow(SNAPSHOTS, PRP_TOYS),
    output:
        pdf="results/figures/fig02.pdf",
        png=in_report("results/figures/fig02.png"),
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
        png=in_report("results/figures/fig03.png"),
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


rule plot_embedded_toys:
    """Draws inflation and generation of toys that lie in a plane or space of more dimensions."""
    input:
        per_flow(SNAPSHOTS, EMBEDDED),
    output:
        pdf="results/figures/embedded_toys.pdf",
        png=in_report("results/figures/embedded_toys.png"),
    log:
        "results/logs/plot_embedded_toys.log",
    benchmark:
        "results/benchmarks/plot_embedded_toys.tsv"
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
        flows=EMBEDDED,
        labels=RESOLVED_PATH,
        source=digest_of("plot_embedded_toys"),
    script:
        "../workflow_scripts/plot_embedded_toys.py"


rule plot_scaling_study:
    """Draws toys with a wide or a thin coordinate on their way to two dimensions, and what they lose."""
    input:
        snapshots=per_flow(SNAPSHOTS, SCALED),
        table="results/tables/scaling_study.csv",
    output:
        pdf="results/figures/scaling_study.pdf",
        png=in_report("results/figures/scaling_study.png"),
    log:
        "results/logs/plot_scaling_study.log",
    benchmark:
        "results/benchmarks/plot_scaling_study.tsv"
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
        flows=SCALED,
        labels=RESOLVED_PATH,
        source=digest_of("plot_scaling_study"),
    script:
        "../workflow_scripts/plot_scaling_study.py"


rule plot_digits:
    """Draws generated digits, and digits before and after a round trip."""
    input:
        per_flow(SNAPSHOTS, DIGITS),
    output:
        samples_pdf="results/figures/digits_samples.pdf",
        samples_png=in_report("results/figures/digits_samples.png"),
        roundtrip_pdf="results/figures/digits_roundtrip.pdf",
        roundtrip_png=in_report("results/figures/digits_roundtrip.png"),
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
        png=in_report("results/figures/training_curves.png"),
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
        png=in_report("results/figures/solver_comparison.png"),
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
        png=in_report("results/figures/pr_over_time.png"),
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
        png=in_report("results/figures/flow_quality.png"),
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
