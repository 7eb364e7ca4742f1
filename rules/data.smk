"""Data sets: files, points, splits and eigenbases.

Needs the configuration and, for own tables and images, their files or a network; makes results/downloads and results/data.
"""


rule data:
    """Makes all data sets and their eigenbases."""
    input:
        per_dataset("results/data/{dataset}/splits.safetensors"),
        per_dataset("results/data/{dataset}/splits.json"),
        per_dataset("results/data/{dataset}/eigenbasis.safetensors"),
        shown_by("data"),


rule fetch:
    """Makes all downloads, on a machine with a network: no other rule needs one."""
    input:
        [downloaded(*key) for key in sorted(DOWNLOADS)],
    localrule: True


rule fetch_file:
    """Fetches a file and checks it. Makes the file, and its sha256 beside it."""
    output:
        file="results/downloads/{owner}/{file}",
        sha256="results/downloads/{owner}/{file}.sha256",
    log:
        "results/logs/fetch_file/{owner}/{file}.log",
    benchmark:
        "results/benchmarks/fetch_file/{owner}/{file}.tsv"
    wildcard_constraints:
        owner=r"[a-z0-9_]+",
        file=r"[^/]+(?<!\.sha256)",
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        **NO_GPU,
        mem="1GB",
        runtime="12h",
        expected_seconds=600,
    params:
        url=lambda wildcards: DOWNLOADS[wildcards.owner, wildcards.file]["url"],
        checksum=lambda wildcards: DOWNLOADS[wildcards.owner, wildcards.file][
            "checksum"
        ],
        source=digest_of("fetch_file"),
    script:
        "../workflow_scripts/fetch_file.py"


rule prepare_splits:
    """Draws or reads points and splits them. Makes the splits, and a record of how they came about."""
    input:
        files=files_of,
    output:
        splits="results/data/{dataset}/splits.safetensors",
        record="results/data/{dataset}/splits.json",
    log:
        "results/logs/prepare_splits/{dataset}.log",
    benchmark:
        "results/benchmarks/prepare_splits/{dataset}.tsv"
    group:
        "prepare"
    conda:
        "../envs/data.yaml"
    resources:
        **small("4GB", preparation_runtime, seconds=120),
    params:
        dataset=dataset_of,
        # Of the user's own file; those of fetched ones are checked as they arrive.
        checksum=lambda wildcards: SOURCES[wildcards.dataset].get("checksum"),
        fingerprint=lambda wildcards: fingerprint_of(PATHS[wildcards.dataset]),
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
    group:
        "prepare"
    conda:
        "../envs/data.yaml"
    resources:
        **small("2GB", "10m", seconds=120),
    params:
        source=digest_of("fit_eigenbasis"),
    script:
        "../workflow_scripts/fit_eigenbasis.py"
