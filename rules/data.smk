"""Data sets: points, splits and eigenbases.

Needs the configuration and, for own tables, their files; makes results/data and the table of
participation ratios.
"""


rule data:
    """Makes all data sets and their eigenbases."""
    input:
        per_dataset("results/data/{dataset}/eigenbasis.safetensors"),
        "results/tables/participation_ratio.csv",


rule prepare_splits:
    """Draws or reads points and splits them. Makes the splits, and a record of how they came about."""
    input:
        table=table_of,
    output:
        splits="results/data/{dataset}/splits.safetensors",
        record="results/data/{dataset}/splits.json",
    log:
        "results/logs/prepare_splits/{dataset}.log",
    benchmark:
        "results/benchmarks/prepare_splits/{dataset}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem="2GB",
        runtime="15m",
        gpu=0,
    params:
        dataset=dataset_of,
        source=digest_of("prepare_splits"),
    script:
        "../workflow_scripts/prepare_splits.py"


rule fit_eigenbasis:
    """Diagonalises the covariance of the training split. Makes mean, directions and eigenvalues."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
    output:
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
    log:
        "results/logs/fit_eigenbasis/{dataset}.log",
    benchmark:
        "results/benchmarks/fit_eigenbasis/{dataset}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem="2GB",
        runtime="15m",
        gpu=0,
    params:
        source=digest_of("fit_eigenbasis"),
    script:
        "../workflow_scripts/fit_eigenbasis.py"


rule tabulate_participation_ratio:
    """Reads all eigenbases. Makes the table of dimensions and participation ratios."""
    input:
        per_dataset("results/data/{dataset}/eigenbasis.safetensors"),
    output:
        table="results/tables/participation_ratio.csv",
    log:
        "results/logs/tabulate_participation_ratio.log",
    benchmark:
        "results/benchmarks/tabulate_participation_ratio.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem="1GB",
        runtime="10m",
        gpu=0,
    params:
        datasets=DATASETS,
        source=digest_of("tabulate_participation_ratio"),
    script:
        "../workflow_scripts/tabulate_participation_ratio.py"
