"""Flows: one network for each data set, schedule and seed, or for all schedules, and the flows that users load.

Needs results/data; makes results/networks and results/flows. Training keeps its progress in results/.training/, no output,
because Snakemake deletes those of jobs that fail. Other seeds and variants, for comparison, become no flows of their own.
"""


rule train:
    """Trains all networks."""
    input:
        per_flow(NETWORK, STUDY.networks(STUDY.flows)),
        per_flow(CURVE, STUDY.networks(STUDY.flows)),


rule flows:
    """Assembles all flows."""
    input:
        per_flow(FLOW, STUDY.flows),


rule train_network:
    """Fits the denoiser of one schedule, or of those that share a network. Makes the averaged network and its training curve."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
    output:
        network=NETWORK,
        curve=CURVE,
    log:
        "results/logs/train_network/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/train_network/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        training_group
    conda:
        "../envs/train.yaml"
    threads: threads_of
    resources:
        **on_gpus(gpus_for_training),
        mem=training_mem,
        runtime=training_runtime,
        expected_seconds=expected(hours_of_training),
        lane=1,
        checkpoint_seconds=checkpoint_seconds_of(job_of),
    params:
        dataset=dataset_of,
        kernels=kernels_of,
        network=network_of,
        training=training_of,
        parts=parts_of_batch,
        seed=seed_of,
        state="results/.training",
        source=digest_of("train_network"),
    script:
        "../workflow_scripts/train_network.py"


rule assemble_flow:
    """Joins network, eigenbasis, schedule and solver. Makes the one file that `Flow.load` reads."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
        network=trained(NETWORK),
        curve=trained(CURVE),
    output:
        flow=FLOW,
    log:
        "results/logs/assemble_flow/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/assemble_flow/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/metrics.yaml"
    resources:
        **measuring(),
    params:
        schedule=schedule_of,
        solver=solver_of,
        compressed_prior=compressed_prior_of,
        source=digest_of("assemble_flow"),
    script:
        "../workflow_scripts/assemble_flow.py"
