"""Figure 1: the marginals of a mixture on the line by SDE, Fokker-Planck equation and pfODE, where all is known exactly.

Needs no data; makes results/metrics/marginals.npz, its table and its figure.
"""

MARGINALS = EXPERIMENTS["marginals"]


rule trace_marginals:
    """Follows the marginals in three ways. Makes what figure 1 shows, and the distances to the closed form."""
    output:
        arrays="results/metrics/marginals.npz",
        table=in_report("results/tables/marginals.csv"),
    log:
        "results/logs/trace_marginals.log",
    benchmark:
        "results/benchmarks/trace_marginals.tsv"
    group:
        "report"
    conda:
        "../envs/flow.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="2GB",
        runtime="10m",
    params:
        means=MARGINALS["means"],
        stds=MARGINALS["stds"],
        weights=MARGINALS["weights"],
        kernel=MARGINALS["kernel"],
        gamma0=MARGINALS["gamma0"],
        signal_left=MARGINALS["signal_left"],
        paths=MARGINALS["paths"],
        samples=MARGINALS["samples"],
        times=MARGINALS["times"],
        checks=MARGINALS["checks"],
        sde_steps=MARGINALS["sde_steps"],
        cells=MARGINALS["cells"],
        grid_steps=MARGINALS["grid_steps"],
        solver=MARGINALS["solver"],
        solver_steps=MARGINALS["solver_steps"],
        seed=MARGINALS["seed"],
        source=digest_of("trace_marginals"),
    script:
        "../workflow_scripts/trace_marginals.py"


rule plot_marginals:
    """Draws the same marginals as paths, density and integral lines (figure 1 of the paper)."""
    input:
        arrays="results/metrics/marginals.npz",
        table="results/tables/marginals.csv",
    output:
        pdf="results/figures/fig01.pdf",
        png=in_report("results/figures/fig01.png"),
    log:
        "results/logs/plot_marginals.log",
    benchmark:
        "results/benchmarks/plot_marginals.tsv"
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
        source=digest_of("plot_marginals"),
    script:
        "../workflow_scripts/plot_marginals.py"
