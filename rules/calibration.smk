"""Calibration: whether posteriors hold what they promise, and whether flows send points to the same latents.

Needs results/data and results/flows, with flows of other seeds and of variants; makes results/metrics, and of
results/tables and results/figures what follows from it.
"""

CALIBRATION_PARTS = {}
if HMC_FLOWS:
    CALIBRATION_PARTS["sbc"] = per_flow(
        "results/metrics/{dataset}/{schedule}/seed{seed}/sbc.csv", HMC_FLOWS
    )
if TARP_FLOWS:
    CALIBRATION_PARTS["tarp"] = per_flow(
        "results/metrics/{dataset}/{schedule}/seed{seed}/tarp.csv", TARP_FLOWS
    )
    # Ranks of clean points stand below those of the weights.
    CALIBRATION_PARTS["sbc"] = CALIBRATION_PARTS.get("sbc", []) + per_flow(
        "results/metrics/{dataset}/{schedule}/seed{seed}/posterior_ranks.csv",
        TARP_FLOWS,
    )
if COMPARED:
    CALIBRATION_PARTS["identifiability"] = [
        f"results/metrics/{dataset}/{schedule}/identifiability.csv"
        for dataset, schedule in COMPARED
    ]
if COVERAGE_FLOWS:
    CALIBRATION_PARTS["coverage"] = per_flow(
        "results/metrics/{dataset}/{schedule}/seed{seed}/coverage.csv", COVERAGE_FLOWS
    )
if RESIDUAL_FLOWS:
    CALIBRATION_PARTS["residual_correlation"] = per_flow(
        "results/metrics/{dataset}/{schedule}/seed{seed}/residual_correlation.csv",
        RESIDUAL_FLOWS,
    )
PARTS.update(CALIBRATION_PARTS)

CALIBRATION_FIGURES = []
CALIBRATION_FIGURES += ["sbc"] if HMC_FLOWS else []
CALIBRATION_FIGURES += ["tarp", "posterior_ranks"] if TARP_FLOWS else []
CALIBRATION_FIGURES += ["identifiability"] if COMPARED else []
CALIBRATION_FIGURES += ["coverage", "coverage_schematic"] if COVERAGE_FLOWS else []
CALIBRATION_FIGURES += ["residual_correlation"] if RESIDUAL_FLOWS else []


# Flows that are there for comparison alone, of other seeds and of variants.
COMPARED_FLOWS = sorted({*TRAINED} - {(*flow[:2], str(flow[2])) for flow in FLOWS})


wildcard_constraints:
    batch=r"\d+",


rule calibration:
    """Makes the tables and figures of calibration, and what is behind them."""
    input:
        [
            per_flow(
                f"results/inference/{{dataset}}/{{schedule}}/seed{{seed}}/sbc/batch{batch}.safetensors",
                HMC_FLOWS,
            )
            for batch in range(SBC["batches"])
        ],
        [
            per_flow(pattern, COMPARED_FLOWS)
            for pattern in (
                "results/networks/{dataset}/{schedule}/seed{seed}/network.safetensors",
                "results/networks/{dataset}/{schedule}/seed{seed}/training.jsonl",
                "results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
            )
        ],
        per_flow(
            "results/metrics/{dataset}/{schedule}/seed{seed}/shells.npz",
            COVERAGE_FLOWS,
        ),
        [CALIBRATION_PARTS[table] for table in sorted(CALIBRATION_PARTS)],
        expand("results/tables/{table}.csv", table=sorted(CALIBRATION_PARTS)),
        expand(
            "results/figures/{figure}.{suffix}",
            figure=CALIBRATION_FIGURES,
            suffix=["pdf", "png"],
        ),


rule calibrate_weights:
    """Ranks the true weights of one batch of replicates among draws of their posteriors."""
    input:
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
    output:
        ranks="results/inference/{dataset}/{schedule}/seed{seed}/sbc/batch{batch}.safetensors",
    log:
        "results/logs/calibrate_weights/{dataset}/{schedule}/seed{seed}/batch{batch}.log",
    benchmark:
        "results/benchmarks/calibrate_weights/{dataset}/{schedule}/seed{seed}/batch{batch}.tsv"
    group:
        replicates_group
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **on_gpus(one_gpu_of),
        mem=growing(SBC["mem"]),
        runtime=growing_outside(replicates_group, SBC["runtime"]),
        lane=1,
    params:
        mixture=HMC["mixture"],
        noise_std=HMC["noise_std"],
        solver=HMC["solver"],
        steps=HMC["steps"],
        replicates=replicates_of,
        observations=SBC["observations"],
        particles=SBC["particles"],
        warmup=SBC["warmup"],
        draws=SBC["draws"],
        ranks=SBC["ranks"],
        seed=SBC["seed"],
        source=digest_of("calibrate_weights"),
    script:
        "../workflow_scripts/calibrate_weights.py"


rule summarise_sbc:
    """Makes rank histograms of the weights, with simultaneous bands and a test of uniformity."""
    input:
        ranks=expand(
            "results/inference/{{dataset}}/{{schedule}}/seed{{seed}}/sbc/batch{batch}.safetensors",
            batch=range(SBC["batches"]),
        ),
    output:
        table="results/metrics/{dataset}/{schedule}/seed{seed}/sbc.csv",
    log:
        "results/logs/summarise_sbc/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/summarise_sbc/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        "report"
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="1GB",
        runtime="15m",
    params:
        noise_std=HMC["noise_std"],
        ranks=SBC["ranks"],
        bins=SBC["bins"],
        seed=SBC["seed"],
        source=digest_of("summarise_sbc"),
    script:
        "../workflow_scripts/summarise_sbc.py"


rule plot_sbc:
    """Draws the rank histograms of the weights."""
    input:
        table="results/tables/sbc.csv",
    output:
        pdf="results/figures/sbc.pdf",
        png=in_report("results/figures/sbc.png"),
    log:
        "results/logs/plot_sbc.log",
    benchmark:
        "results/benchmarks/plot_sbc.tsv"
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
        source=digest_of("plot_sbc"),
    script:
        "../workflow_scripts/plot_sbc.py"


rule measure_tarp:
    """Measures the coverage of posteriors of clean points under the learned, the exact and a miscalibrated prior."""
    input:
        unpack(miscalibrated_of),
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
    output:
        table="results/metrics/{dataset}/{schedule}/seed{seed}/tarp.csv",
        ranks="results/metrics/{dataset}/{schedule}/seed{seed}/posterior_ranks.csv",
    log:
        "results/logs/measure_tarp/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/measure_tarp/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **MEASURING,
    params:
        dataset=dataset_of,
        noise_stds=TARP["noise_stds"],
        levels=TARP["levels"],
        replicates=TARP["replicates"],
        references=TARP["references"],
        pool=TARP["pool"],
        pool_steps=TARP["pool_steps"],
        compressed_prior=TARP["compressed_prior"],
        minimum_ess=TARP["minimum_ess"],
        bins=TARP["bins"],
        seed=TARP["seed"],
        source=digest_of("measure_tarp"),
    script:
        "../workflow_scripts/measure_tarp.py"


rule plot_tarp:
    """Draws expected coverage against nominal level."""
    input:
        table="results/tables/tarp.csv",
    output:
        pdf="results/figures/tarp.pdf",
        png=in_report("results/figures/tarp.png"),
    log:
        "results/logs/plot_tarp.log",
    benchmark:
        "results/benchmarks/plot_tarp.tsv"
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
        source=digest_of("plot_tarp"),
    script:
        "../workflow_scripts/plot_tarp.py"


rule plot_posterior_ranks:
    """Draws how ranks of clean points are distributed under all priors."""
    input:
        table="results/tables/sbc.csv",
    output:
        pdf="results/figures/posterior_ranks.pdf",
        png=in_report("results/figures/posterior_ranks.png"),
    log:
        "results/logs/plot_posterior_ranks.log",
    benchmark:
        "results/benchmarks/plot_posterior_ranks.tsv"
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
        source=digest_of("plot_posterior_ranks"),
    script:
        "../workflow_scripts/plot_posterior_ranks.py"


rule measure_identifiability:
    """Compares the latents of the same points under flows of other seeds and architectures, and the exact score."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        flows=expand(
            "results/flows/{{dataset}}/{{schedule}}/seed{member}/flow.safetensors",
            member=MEMBERS,
        ),
    output:
        table="results/metrics/{dataset}/{schedule}/identifiability.csv",
    log:
        "results/logs/measure_identifiability/{dataset}/{schedule}.log",
    benchmark:
        "results/benchmarks/measure_identifiability/{dataset}/{schedule}.tsv"
    group:
        measuring_group
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **MEASURING,
    params:
        dataset=dataset_of,
        members=[f"seed{member}" for member in MEMBERS],
        samples=IDENTIFIABILITY["samples"],
        seed=IDENTIFIABILITY["seed"],
        source=digest_of("measure_identifiability"),
    script:
        "../workflow_scripts/measure_identifiability.py"


rule plot_identifiability:
    """Draws the differences between latents of the same points."""
    input:
        table="results/tables/identifiability.csv",
    output:
        pdf="results/figures/identifiability.pdf",
        png=in_report("results/figures/identifiability.png"),
    log:
        "results/logs/plot_identifiability.log",
    benchmark:
        "results/benchmarks/plot_identifiability.tsv"
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
        source=digest_of("plot_identifiability"),
    script:
        "../workflow_scripts/plot_identifiability.py"


rule measure_coverage:
    """Counts points inside of shells of latents, before and after generation and after the way back."""
    input:
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
    output:
        table="results/metrics/{dataset}/{schedule}/seed{seed}/coverage.csv",
        shells="results/metrics/{dataset}/{schedule}/seed{seed}/shells.npz",
    log:
        "results/logs/measure_coverage/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/measure_coverage/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **MEASURING,
    params:
        latents=COVERAGE["latents"],
        radii=COVERAGE["radii"],
        vertices=COVERAGE["vertices"],
        steps=COVERAGE.get("steps"),
        seed=COVERAGE["seed"],
        source=digest_of("measure_coverage"),
    script:
        "../workflow_scripts/measure_coverage.py"


rule plot_coverage:
    """Draws how many points shells keep, and the shells themselves."""
    input:
        table="results/tables/coverage.csv",
        shells=per_flow(
            "results/metrics/{dataset}/{schedule}/seed{seed}/shells.npz", SHOWN_SHELLS
        ),
    output:
        pdf="results/figures/coverage.pdf",
        png=in_report("results/figures/coverage.png"),
        schematic_pdf="results/figures/coverage_schematic.pdf",
        schematic_png=in_report("results/figures/coverage_schematic.png"),
    log:
        "results/logs/plot_coverage.log",
    benchmark:
        "results/benchmarks/plot_coverage.tsv"
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
        flows=SHOWN_SHELLS,
        labels=RESOLVED_PATH,
        source=digest_of("plot_coverage"),
    script:
        "../workflow_scripts/plot_coverage.py"


rule measure_residuals:
    """Correlates the residuals of the learned and, where it is known, the exact denoiser between times."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
    output:
        table="results/metrics/{dataset}/{schedule}/seed{seed}/residual_correlation.csv",
    log:
        "results/logs/measure_residuals/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/measure_residuals/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **MEASURING,
    params:
        dataset=dataset_of,
        samples=RESIDUALS["samples"],
        times=RESIDUALS["times"],
        seed=RESIDUALS["seed"],
        source=digest_of("measure_residuals"),
    script:
        "../workflow_scripts/measure_residuals.py"


rule plot_residuals:
    """Draws the auto-correlation of denoising residuals."""
    input:
        table="results/tables/residual_correlation.csv",
    output:
        pdf="results/figures/residual_correlation.pdf",
        png=in_report("results/figures/residual_correlation.png"),
    log:
        "results/logs/plot_residuals.log",
    benchmark:
        "results/benchmarks/plot_residuals.tsv"
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
        source=digest_of("plot_residuals"),
    script:
        "../workflow_scripts/plot_residuals.py"
