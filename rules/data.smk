"""Data sets: files, points, splits, eigenbases and their spectra.

Needs the configuration and, for own tables and images, their files or a network; makes results/downloads,
results/data, the tables of participation ratios and spectra, and the figure of spectra.
"""

IMAGE_SETS = [name for name in DATASETS if image_of(name) is not None]
IMAGE_TABLES = ["results/tables/spectra.csv"] if IMAGE_SETS else []
# Figures of sets of images, for the target figures.
IMAGE_FIGURES = (
    expand("results/figures/spectra.{suffix}", suffix=["pdf", "png"])
    if IMAGE_SETS
    else []
)


rule data:
    """Makes all data sets and their eigenbases."""
    input:
        per_dataset("results/data/{dataset}/splits.safetensors"),
        per_dataset("results/data/{dataset}/splits.json"),
        per_dataset("results/data/{dataset}/eigenbasis.safetensors"),
        "results/tables/participation_ratio.csv",
        IMAGE_TABLES,


rule fetch:
    """Makes all downloads, on a machine with a network: no other rule needs one."""
    input:
        lambda wildcards: [downloaded(*key) for key in sorted(DOWNLOADS)],
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
    threads: 1
    resources:
        **NO_GPU,
        mem="1GB",
        runtime="12h",
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
    threads: 1
    resources:
        **SMALL,
        mem="4GB",
        runtime=preparation_runtime,
    params:
        dataset=dataset_of,
        checksum=checksum_of,
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
    threads: 1
    resources:
        **SMALL,
        mem="2GB",
        runtime="10m",
    params:
        source=digest_of("fit_eigenbasis"),
    script:
        "../workflow_scripts/fit_eigenbasis.py"


rule tabulate_participation_ratio:
    """Reads all eigenbases. Makes the table of dimensions and participation ratios."""
    input:
        per_dataset("results/data/{dataset}/eigenbasis.safetensors"),
    output:
        table=in_report("results/tables/participation_ratio.csv"),
    log:
        "results/logs/tabulate_participation_ratio.log",
    benchmark:
        "results/benchmarks/tabulate_participation_ratio.tsv"
    group:
        "report"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="1GB",
        runtime="5m",
    params:
        datasets=DATASETS,
        source=digest_of("tabulate_participation_ratio"),
    script:
        "../workflow_scripts/tabulate_participation_ratio.py"


rule tabulate_spectra:
    """Reads the eigenbases of images. Makes the table of their eigenvalues."""
    input:
        expand("results/data/{dataset}/eigenbasis.safetensors", dataset=IMAGE_SETS),
    output:
        table=in_report("results/tables/spectra.csv"),
    log:
        "results/logs/tabulate_spectra.log",
    benchmark:
        "results/benchmarks/tabulate_spectra.tsv"
    group:
        "report"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="1GB",
        runtime="5m",
    params:
        datasets=IMAGE_SETS,
        source=digest_of("tabulate_spectra"),
    script:
        "../workflow_scripts/tabulate_spectra.py"


rule plot_spectra:
    """Draws the eigenvalues of images against their number."""
    input:
        table="results/tables/spectra.csv",
    output:
        pdf="results/figures/spectra.pdf",
        png=in_report("results/figures/spectra.png"),
    log:
        "results/logs/plot_spectra.log",
    benchmark:
        "results/benchmarks/plot_spectra.tsv"
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
        source=digest_of("plot_spectra"),
    script:
        "../workflow_scripts/plot_spectra.py"
