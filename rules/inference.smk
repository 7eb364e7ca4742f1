"""Inference through flows: uncertainty of examples, and the weights of a latent mixture (figure 4).

Needs results/data and results/flows; makes results/inference, and of results/tables and results/figures what
follows from it.
"""

INFERENCE_PARTS = {}
if PROPAGATED:
    INFERENCE_PARTS["propagation"] = per_flow(
        "results/metrics/{dataset}/{schedule}/seed{seed}/propagation.csv", PROPAGATED
    )
if HMC_FLOWS:
    INFERENCE_PARTS["hmc_convergence"] = per_flow(
        "results/metrics/{dataset}/{schedule}/seed{seed}/hmc_convergence.csv", HMC_FLOWS
    )
    INFERENCE_PARTS["hmc_diagnostics"] = per_posterior(f"{MEASURED}hmc_diagnostics.csv")
    INFERENCE_PARTS["hmc_weights"] = per_posterior(f"{MEASURED}hmc_weights.csv")
    INFERENCE_PARTS["hmc_particles"] = per_flow(
        "results/metrics/{dataset}/{schedule}/seed{seed}/hmc_particles.csv", HMC_FLOWS
    )

PARTS.update(INFERENCE_PARTS)
INFERENCE_TABLES = sorted(INFERENCE_PARTS)
INFERENCE_FIGURES = [
    f"propagation_{dataset}_{schedule}"
    for dataset, schedule, seed in PROPAGATED
    if seed == SEEDS[0]
]
INFERENCE_FIGURES += ["fig04", "hmc_samplers", "hmc_traces"] if HMC_FLOWS else []


wildcard_constraints:
    sampler="joint|collapsed",
    n=r"\d+",
    chain=r"\d+",


# What lies between flows and tables.
OBSERVED = [
    f"results/inference/{{dataset}}/{{schedule}}/seed{{seed}}/{name}.safetensors"
    for name in ("observations", "linearised", "evidence")
]
CHAINED = [f"{POSTERIOR}posterior.nc"]
CHAINED += [f"{POSTERIOR}chain{chain}.safetensors" for chain in CHAINS]


rule inference:
    """Makes the tables and figures of inference, and the posteriors behind them."""
    input:
        per_flow(
            "results/inference/{dataset}/{schedule}/seed{seed}/propagation.nc",
            PROPAGATED,
        ),
        [per_flow(pattern, HMC_FLOWS) for pattern in OBSERVED],
        [per_posterior(pattern) for pattern in CHAINED],
        [INFERENCE_PARTS[table] for table in INFERENCE_TABLES],
        expand("results/tables/{table}.csv", table=INFERENCE_TABLES),
        expand(
            "results/figures/{figure}.{suffix}",
            figure=INFERENCE_FIGURES,
            suffix=["pdf", "png"],
        ),


rule propagate:
    """Carries a Gaussian ball around each example to the latents. Makes their posterior."""
    input:
        unpack(example_file_of),
        splits="results/data/{dataset}/splits.safetensors",
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
    output:
        posterior="results/inference/{dataset}/{schedule}/seed{seed}/propagation.nc",
        table="results/metrics/{dataset}/{schedule}/seed{seed}/propagation.csv",
    log:
        "results/logs/propagate/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/propagate/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **MEASURING,
    params:
        indices=lambda wildcards: examples_of(wildcards)["indices"],
        noise_std=EXPERIMENTS["propagation"]["noise_std"],
        samples=EXPERIMENTS["propagation"]["samples"],
        levels=EXPERIMENTS["propagation"]["levels"],
        frames=EXPERIMENTS["propagation"]["frames"],
        seed=EXPERIMENTS["propagation"]["seed"],
        source=digest_of("propagate"),
    script:
        "../workflow_scripts/propagate.py"


rule plot_propagation:
    """Draws a ball in data space, its images along the flow, and the latent posterior."""
    input:
        posterior=f"results/inference/{{dataset}}/{{schedule}}/seed{SEEDS[0]}/propagation.nc",
    output:
        pdf="results/figures/propagation_{dataset}_{schedule}.pdf",
        png=in_report("results/figures/propagation_{dataset}_{schedule}.png"),
    log:
        "results/logs/plot_propagation/{dataset}_{schedule}.log",
    benchmark:
        "results/benchmarks/plot_propagation/{dataset}_{schedule}.tsv"
    wildcard_constraints:
        dataset=ANY_DATASET,
        schedule=ANY_SCHEDULE,
    group:
        "report"
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="2GB",
        runtime="5m",
    params:
        source=digest_of("plot_propagation"),
    script:
        "../workflow_scripts/plot_propagation.py"


rule draw_observations:
    """Draws latents of the mixture, generates from them, and adds noise: the data of the HMC experiment."""
    input:
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
    output:
        observations="results/inference/{dataset}/{schedule}/seed{seed}/observations.safetensors",
    log:
        "results/logs/draw_observations/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/draw_observations/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **MEASURING,
    params:
        mixture=HMC["mixture"],
        noise_std=HMC["noise_std"],
        observations=HMC["observations"],
        seed=HMC["seed"],
        source=digest_of("draw_observations"),
    script:
        "../workflow_scripts/draw_observations.py"


rule check_convergence:
    """Compares log densities and gradients at growing numbers of solver steps with a fine reference."""
    input:
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
        observations="results/inference/{dataset}/{schedule}/seed{seed}/observations.safetensors",
    output:
        table="results/metrics/{dataset}/{schedule}/seed{seed}/hmc_convergence.csv",
    log:
        "results/logs/check_convergence/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/check_convergence/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **MEASURING,
    params:
        steps=tried_steps(HMC),
        samples=HMC["convergence_samples"],
        source=digest_of("check_convergence"),
    script:
        "../workflow_scripts/check_convergence.py"


rule linearise_observations:
    """Finds mode and curvature of the latent posterior of every observation."""
    input:
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
        observations="results/inference/{dataset}/{schedule}/seed{seed}/observations.safetensors",
    output:
        linearised="results/inference/{dataset}/{schedule}/seed{seed}/linearised.safetensors",
    log:
        "results/logs/linearise_observations/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/linearise_observations/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **MEASURING,
    params:
        solver=HMC["solver"],
        steps=HMC["steps"],
        checkpointed=HMC["checkpointed"],
        source=digest_of("linearise_observations"),
    script:
        "../workflow_scripts/linearise_observations.py"


rule integrate_latents:
    """Integrates out the latent of every observation by importance sampling. Makes n x K log likelihoods."""
    input:
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
        observations="results/inference/{dataset}/{schedule}/seed{seed}/observations.safetensors",
        linearised="results/inference/{dataset}/{schedule}/seed{seed}/linearised.safetensors",
    output:
        evidence="results/inference/{dataset}/{schedule}/seed{seed}/evidence.safetensors",
        table="results/metrics/{dataset}/{schedule}/seed{seed}/hmc_particles.csv",
    log:
        "results/logs/integrate_latents/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/integrate_latents/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **MEASURING,
    params:
        observations=HMC["collapsed"]["observations"],
        particles=HMC["particles"],
        solver=HMC["solver"],
        steps=HMC["steps"],
        seed=HMC["seed"],
        source=digest_of("integrate_latents"),
    script:
        "../workflow_scripts/integrate_latents.py"


rule sample_joint:
    """Runs one chain of NUTS over the weights and all latents."""
    input:
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
        observations="results/inference/{dataset}/{schedule}/seed{seed}/observations.safetensors",
        linearised="results/inference/{dataset}/{schedule}/seed{seed}/linearised.safetensors",
    output:
        chain="results/inference/{dataset}/{schedule}/seed{seed}/joint_n{n}/chain{chain}.safetensors",
    log:
        "results/logs/sample_joint/{dataset}/{schedule}/seed{seed}/n{n}_chain{chain}.log",
    benchmark:
        "results/benchmarks/sample_joint/{dataset}/{schedule}/seed{seed}/n{n}_chain{chain}.tsv"
    group:
        chain_group
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **on_gpus(one_gpu_of),
        mem=growing(HMC["joint"]["mem"]),
        runtime=growing_outside(chain_group, HMC["joint"]["runtime"]),
        lane=1,
    params:
        coordinates=HMC["joint"]["coordinates"],
        solver=HMC["joint"]["solver"],
        steps=HMC["joint"]["steps"],
        checkpointed=HMC["checkpointed"],
        warmup=HMC["joint"]["warmup"],
        draws=HMC["joint"]["draws"],
        max_tree_depth=HMC["joint"]["max_tree_depth"],
        target_acceptance=HMC["joint"]["target_acceptance"],
        adapt_mass=HMC["joint"]["adapt_mass"],
        seed=HMC["seed"],
        source=digest_of("sample_joint"),
    script:
        "../workflow_scripts/sample_joint.py"


rule sample_collapsed:
    """Runs the chains of NUTS over the weights alone: no flow, so that one job has time for all of them."""
    input:
        evidence="results/inference/{dataset}/{schedule}/seed{seed}/evidence.safetensors",
    output:
        chains=expand(
            "results/inference/{{dataset}}/{{schedule}}/seed{{seed}}/collapsed_n{{n}}/chain{chain}.safetensors",
            chain=CHAINS,
        ),
    log:
        "results/logs/sample_collapsed/{dataset}/{schedule}/seed{seed}/n{n}.log",
    benchmark:
        "results/benchmarks/sample_collapsed/{dataset}/{schedule}/seed{seed}/n{n}.tsv"
    group:
        "measure"
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="2GB",
        runtime="1h",
    params:
        warmup=HMC["collapsed"]["warmup"],
        draws=HMC["collapsed"]["draws"],
        max_tree_depth=HMC["collapsed"]["max_tree_depth"],
        target_acceptance=HMC["collapsed"]["target_acceptance"],
        seed=HMC["seed"],
        source=digest_of("sample_collapsed"),
    script:
        "../workflow_scripts/sample_collapsed.py"


rule merge_chains:
    """Joins the chains of one posterior and measures how well they agree. Never refuses: see summarise_weights."""
    input:
        chains=expand(
            "results/inference/{{dataset}}/{{schedule}}/seed{{seed}}/{{sampler}}_n{{n}}/chain{chain}.safetensors",
            chain=CHAINS,
        ),
    output:
        posterior="results/inference/{dataset}/{schedule}/seed{seed}/{sampler}_n{n}/posterior.nc",
        table="results/metrics/{dataset}/{schedule}/seed{seed}/{sampler}_n{n}/hmc_diagnostics.csv",
    log:
        "results/logs/merge_chains/{dataset}/{schedule}/seed{seed}/{sampler}_n{n}.log",
    benchmark:
        "results/benchmarks/merge_chains/{dataset}/{schedule}/seed{seed}/{sampler}_n{n}.tsv"
    group:
        "report"
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="2GB",
        runtime="15m",
    params:
        gate=HMC["gate"],
        source=digest_of("merge_chains"),
    script:
        "../workflow_scripts/merge_chains.py"


rule summarise_weights:
    """Reports the posterior of the weights, if its chains have passed the gate."""
    input:
        posterior="results/inference/{dataset}/{schedule}/seed{seed}/{sampler}_n{n}/posterior.nc",
        diagnostics="results/metrics/{dataset}/{schedule}/seed{seed}/{sampler}_n{n}/hmc_diagnostics.csv",
    output:
        table="results/metrics/{dataset}/{schedule}/seed{seed}/{sampler}_n{n}/hmc_weights.csv",
    log:
        "results/logs/summarise_weights/{dataset}/{schedule}/seed{seed}/{sampler}_n{n}.log",
    benchmark:
        "results/benchmarks/summarise_weights/{dataset}/{schedule}/seed{seed}/{sampler}_n{n}.tsv"
    group:
        "report"
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="2GB",
        runtime="15m",
    params:
        truth=HMC["mixture"]["weights"],
        gate=HMC["gate"],
        source=digest_of("summarise_weights"),
    script:
        "../workflow_scripts/summarise_weights.py"


rule plot_hmc:
    """Draws the generative mixture and the posteriors of its weights (figure 4), and both samplers on the same data."""
    input:
        posteriors=per_hmc_schedule(
            one_posterior("collapsed", HMC["collapsed"]["observations"])
        ),
        joint=per_hmc_schedule(one_posterior("joint", HMC["joint"]["observations"])),
        collapsed=per_hmc_schedule(
            one_posterior("collapsed", HMC["joint"]["observations"])
        ),
        observations=per_hmc_schedule(
            "results/inference/{dataset}/{schedule}/seed{seed}/observations.safetensors"
        ),
        gate=PARTS.get("hmc_weights", []),
    output:
        pdf="results/figures/fig04.pdf",
        png=in_report("results/figures/fig04.png"),
        samplers_pdf="results/figures/hmc_samplers.pdf",
        samplers_png=in_report("results/figures/hmc_samplers.png"),
    log:
        "results/logs/plot_hmc.log",
    benchmark:
        "results/benchmarks/plot_hmc.tsv"
    group:
        "report"
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="2GB",
        runtime="5m",
    params:
        flows=[flow for flow in HMC_FLOWS if flow[2] == SEEDS[0]],
        truth=HMC["mixture"]["weights"],
        observations=HMC["joint"]["observations"],
        labels=RESOLVED_PATH,
        source=digest_of("plot_hmc"),
    script:
        "../workflow_scripts/plot_hmc.py"


rule plot_hmc_traces:
    """Draws traces and rank plots of all chains."""
    input:
        posteriors=per_posterior(f"{POSTERIOR}posterior.nc"),
    output:
        pdf="results/figures/hmc_traces.pdf",
        png=in_report("results/figures/hmc_traces.png"),
    log:
        "results/logs/plot_hmc_traces.log",
    benchmark:
        "results/benchmarks/plot_hmc_traces.tsv"
    group:
        "report"
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="2GB",
        runtime="5m",
    params:
        posteriors=[
            (dataset, schedule, sampler, n)
            for sampler, n in POSTERIORS
            for dataset, schedule, _ in HMC_FLOWS
        ],
        labels=RESOLVED_PATH,
        source=digest_of("plot_hmc_traces"),
    script:
        "../workflow_scripts/plot_hmc_traces.py"


rule sampler_efficiency:
    """Makes the tables of effective samples a second, against the paper's setting. Takes half an hour a flow."""
    input:
        per_hmc_schedule(
            "results/benchmarks/sampler_efficiency/{dataset}/{schedule}/seed{seed}.csv"
        ),


rule measure_sampler_efficiency:
    """Runs the samplers and the paper's setting on the same few observations."""
    input:
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
    output:
        table="results/benchmarks/sampler_efficiency/{dataset}/{schedule}/seed{seed}.csv",
    log:
        "results/logs/measure_sampler_efficiency/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/measure_sampler_efficiency/{dataset}/{schedule}/seed{seed}.tsv"
    conda:
        "../envs/inference.yaml"
    threads: 1
    resources:
        **NO_GPU,
        mem="8GB",
        runtime="12h",
    params:
        mixture=HMC["mixture"],
        noise_std=HMC["noise_std"],
        observations=EFFICIENCY["observations"],
        paper_steps=EFFICIENCY["paper_steps"],
        paper=sampling_of(EFFICIENCY),
        joint=sampling_of(HMC["joint"]),
        joint_options={
            key: HMC["joint"][key] for key in ("coordinates", "solver", "steps")
        },
        collapsed=sampling_of(HMC["collapsed"]),
        particles=HMC["particles"],
        solver=HMC["solver"],
        steps=HMC["steps"],
        seed=HMC["seed"],
        source=digest_of("measure_sampler_efficiency"),
    script:
        "../workflow_scripts/measure_sampler_efficiency.py"
