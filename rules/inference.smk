"""Posterior of the weights of a latent mixture (figure 4), by a joint and a collapsed sampler, and its calibration.

Needs results/flows; makes results/inference, and small tables of results/metrics.
"""

HMC, SBC = SETTINGS["hmc"], SETTINGS["sbc"]
OF_FLOW = "results/inference/{dataset}/{schedule}/seed{seed}/"
TABLES = "results/metrics/{dataset}/{schedule}/seed{seed}/"
SBC_RANKS = f"{OF_FLOW}sbc/batch{{batch}}.safetensors"
POSTERIOR_FILES = [f"{OF_FLOW}{posterior}/posterior.nc" for posterior in POSTERIORS]


wildcard_constraints:
    batch=r"\d+",


rule inference:
    """Makes the tables and figures of inference, and the posteriors behind them."""
    input:
        intermediates(STUDY) if asks_for("hmc") else [],
        shown_by("inference"),


rule calibration:
    """Makes the tables and figures of calibration, and the networks that are there for comparison alone."""
    input:
        per_flow(NETWORK, STUDY.networks(TRAINED)),
        per_flow(CURVE, STUDY.networks(TRAINED)),
        [
            fill(SBC_RANKS, flow, batch=batch)
            for flow in (sampled(STUDY) if asks_for("sbc") else [])
            for batch in range(SBC["batches"])
        ],
        shown_by("calibration"),


rule draw_observations:
    """Draws latents of the mixture, generates from them, adds noise, and fits each observation's Laplace approximation."""
    input:
        flow=FLOW,
    output:
        observations=f"{OF_FLOW}observations.safetensors",
        laplace=f"{OF_FLOW}laplace.safetensors",
    log:
        "results/logs/draw_observations/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/draw_observations/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/inference.yaml"
    resources:
        **measuring(),
    params:
        **only(HMC, "mixture", "noise_std", "observations", "seed"),
        **only(HMC, "solver", "steps", "checkpointed"),
        source=digest_of("draw_observations"),
    script:
        "../workflow_scripts/draw_observations.py"


rule sample_joint:
    """Runs chains over the weights and all latents by particle Gibbs, side by side: their points are one batch."""
    input:
        flow=FLOW,
        observations=f"{OF_FLOW}observations.safetensors",
        laplace=f"{OF_FLOW}laplace.safetensors",
    output:
        posterior=f"{OF_FLOW}joint_n{HMC['joint']['observations']}/posterior.nc",
    log:
        "results/logs/sample_joint/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/sample_joint/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        chains_group
    conda:
        "../envs/inference.yaml"
    threads: HMC["joint"]["threads"]
    resources:
        **on_gpus(one_gpu_of),
        mem=growing(HMC["joint"]["mem"]),
        runtime=growing_outside(chains_group, HMC["joint"]["runtime"]),
        expected_seconds=expected(hours_of_chains),
        lane=1,
    params:
        **only(HMC["joint"], "observations", "warmup", "draws", "particles", "renewed"),
        **only(HMC, "solver", "steps", "chains", "seed"),
        source=digest_of("sample_joint"),
    script:
        "../workflow_scripts/sample_joint.py"


rule sample_collapsed:
    """Integrates out the latent of every observation by importance sampling, and runs NUTS over the weights alone.

    It is given as many observations as the joint sampler has, and more.
    """
    input:
        flow=FLOW,
        observations=f"{OF_FLOW}observations.safetensors",
        laplace=f"{OF_FLOW}laplace.safetensors",
    output:
        evidence=f"{OF_FLOW}evidence.safetensors",
        table=f"{TABLES}hmc_particles.csv",
        posteriors=[f"{OF_FLOW}collapsed_n{n}/posterior.nc" for n in COLLAPSED],
    log:
        "results/logs/sample_collapsed/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/sample_collapsed/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/inference.yaml"
    resources:
        **measuring(seconds_of=lambda wildcards: 300),
    params:
        **only(HMC, "particles", "solver", "steps", "chains", "seed"),
        **only(HMC["collapsed"], "warmup", "draws"),
        **only(HMC["collapsed"], "max_tree_depth", "target_acceptance"),
        observations=COLLAPSED,
        source=digest_of("sample_collapsed"),
    script:
        "../workflow_scripts/sample_collapsed.py"


rule diagnose_samplers:
    """Measures how well chains agree, and how far off solver steps are, in all flows. Refuses none: see summarise_weights."""
    input:
        flows=of_sampled(FLOW),
        observations=of_sampled(f"{OF_FLOW}observations.safetensors"),
        posteriors=of_sampled(*POSTERIOR_FILES),
    output:
        diagnostics="results/metrics/{dataset}/hmc_diagnostics.csv",
        convergence="results/metrics/{dataset}/hmc_convergence.csv",
    log:
        "results/logs/diagnose_samplers/{dataset}.log",
    benchmark:
        "results/benchmarks/diagnose_samplers/{dataset}.tsv"
    group:
        "report"
    conda:
        "../envs/inference.yaml"
    resources:
        **small("4GB", "1h"),
    params:
        flows=sampled_in,
        posteriors=POSTERIORS,
        gate=HMC["gate"],
        solver=HMC["solver"],
        steps=tried_steps(STUDY),
        samples=HMC["convergence_samples"],
        source=digest_of("diagnose_samplers"),
    script:
        "../workflow_scripts/diagnose_samplers.py"


rule summarise_weights:
    """Reports the posteriors of the weights of all flows of a data set, if their chains have passed the gate."""
    input:
        posteriors=of_sampled(*POSTERIOR_FILES),
    output:
        table="results/metrics/{dataset}/hmc_weights.csv",
    log:
        "results/logs/summarise_weights/{dataset}.log",
    benchmark:
        "results/benchmarks/summarise_weights/{dataset}.tsv"
    group:
        "report"
    conda:
        "../envs/inference.yaml"
    resources:
        **small("2GB", "15m"),
    params:
        flows=sampled_in,
        posteriors=POSTERIORS,
        truth=HMC["mixture"]["weights"],
        gate=HMC["gate"],
        source=digest_of("summarise_weights"),
    script:
        "../workflow_scripts/summarise_weights.py"


rule run_sbc:
    """Ranks the true weights of one batch of replicates among draws of their posteriors."""
    input:
        flow=FLOW,
        generator=generator_of_sbc,
    output:
        ranks=SBC_RANKS,
    log:
        "results/logs/run_sbc/{dataset}/{schedule}/seed{seed}/batch{batch}.log",
    benchmark:
        "results/benchmarks/run_sbc/{dataset}/{schedule}/seed{seed}/batch{batch}.tsv"
    group:
        replicates_group
    conda:
        "../envs/inference.yaml"
    resources:
        **on_gpus(one_gpu_of),
        mem=growing(SBC["mem"]),
        runtime=growing_outside(replicates_group, SBC["runtime"]),
        expected_seconds=expected(hours_of_replicates),
        lane=1,
    params:
        **only(HMC, "mixture", "noise_std", "solver", "steps"),
        **only(SBC, "observations", "particles", "warmup", "draws", "ranks", "seed"),
        **only(SBC, "noise_factors"),
        replicates=lambda wildcards: list(
            range(int(wildcards.batch), SBC["replicates"], SBC["batches"])
        ),
        source=digest_of("run_sbc"),
    script:
        "../workflow_scripts/run_sbc.py"


rule summarise_sbc:
    """Makes rank histograms of the weights, with simultaneous bands and a test of uniformity."""
    input:
        ranks=expand(SBC_RANKS, batch=range(SBC["batches"]), allow_missing=True),
    output:
        table=f"{TABLES}sbc.csv",
    log:
        "results/logs/summarise_sbc/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/summarise_sbc/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        "report"
    conda:
        "../envs/inference.yaml"
    resources:
        **small("1GB", "15m"),
    params:
        **only(SBC, "ranks", "bins", "seed"),
        noise_std=HMC["noise_std"],
        source=digest_of("summarise_sbc"),
    script:
        "../workflow_scripts/summarise_sbc.py"
