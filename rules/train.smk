"""Training: one network for each data set, schedule and seed.

Needs results/data; makes results/networks. Progress is kept in results/.training/, in a folder that
is named by a digest of all that decides the result: it is no output, because Snakemake deletes the
outputs of a job that fails.
"""


rule train:
    """Trains all networks."""
    input:
        per_flow("results/networks/{dataset}/{schedule}/seed{seed}/network.safetensors"),
        per_flow("results/networks/{dataset}/{schedule}/seed{seed}/training.jsonl"),


rule train_network:
    """Fits the denoiser of one schedule. Makes the averaged network and its training curve."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
    output:
        network="results/networks/{dataset}/{schedule}/seed{seed}/network.safetensors",
        curve="results/networks/{dataset}/{schedule}/seed{seed}/training.jsonl",
    log:
        "results/logs/train_network/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/train_network/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        training_group
    conda:
        "../envs/train.yaml"
    threads: lambda wildcards: job_of(wildcards).threads
    resources:
        **on_gpus(gpus_for_training),
        mem=training_mem,
        runtime=training_runtime,
        lane=1,
        checkpoint_seconds=lambda wildcards: math.ceil(
            job_of(wildcards).checkpoint_seconds
        ),
    params:
        dataset=dataset_of,
        schedule=schedule_of,
        network=network_of,
        training=training_of,
        parts=parts_of_batch,
        seed=seed_of,
        state="results/.training",
        source=digest_of("train_network"),
    script:
        "../workflow_scripts/train_network.py"
