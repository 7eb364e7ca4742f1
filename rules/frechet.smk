"""Distances between generated and real images, by the features of each extractor.

Needs results/data, results/images and files of weights; makes results/extractors, results/references and one small
table, with its protocol, for each set of images and extractor.
"""


rule train_digits_classifier:
    """Trains a small classifier on the digits. Makes the network whose last hidden layer is the features of digits."""
    input:
        splits=digits_splits,
    output:
        classifier="results/extractors/digits_classifier.safetensors",
    log:
        "results/logs/train_digits_classifier.log",
    benchmark:
        "results/benchmarks/train_digits_classifier.tsv"
    group:
        "prepare"
    conda:
        "../envs/images.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="2GB",
        runtime="15m",
    params:
        classifier={name: value for name, value in CLASSIFIER.items() if name != "seed"},
        seed=CLASSIFIER["seed"],
        source=digest_of("train_digits_classifier"),
    script:
        "../workflow_scripts/train_digits_classifier.py"


rule fit_reference:
    """Reads features of real images. Makes the statistics that generated images are held against, and their protocol."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        weights=weights_of,
    output:
        reference="results/references/{dataset}/{extractor}.safetensors",
        protocol="results/references/{dataset}/{extractor}.json",
    log:
        "results/logs/fit_reference/{dataset}/{extractor}.log",
    benchmark:
        "results/benchmarks/fit_reference/{dataset}/{extractor}.tsv"
    wildcard_constraints:
        extractor=ANY_EXTRACTOR,
    group:
        features_group
    conda:
        "../envs/images.yaml"
    threads: lambda wildcards: job_of(wildcards).threads
    resources:
        **on_gpus(gpus_for_images),
        mem=growing(FEATURES.mem),
        runtime=growing_outside(features_group, FEATURES.runtime),
        lane=1,
    params:
        reference=lambda wildcards: images_of(wildcards.dataset)["reference"],
        feature_samples=lambda wildcards: images_of(wildcards.dataset)[
            "feature_samples"
        ],
        sha256=lambda wildcards: inception_of("sha256", wildcards.extractor),
        layer=lambda wildcards: inception_of("layer", wildcards.extractor),
        source=digest_of("fit_reference"),
    script:
        "../workflow_scripts/fit_reference.py"


rule measure_frechet:
    """Compares images with real ones. Makes Frechet and kernel distance, precision and recall, and their protocol."""
    input:
        images=parts_of,
        reference="results/references/{dataset}/{extractor}.safetensors",
        weights=weights_of,
    output:
        table=f"{FRECHET}.csv",
        protocol=f"{FRECHET}.json",
    log:
        "results/logs/measure_frechet/{dataset}/{schedule}/seed{seed}/draw{draw}_{extractor}.log",
    benchmark:
        "results/benchmarks/measure_frechet/{dataset}/{schedule}/seed{seed}/draw{draw}_{extractor}.tsv"
    wildcard_constraints:
        extractor=ANY_EXTRACTOR,
    group:
        features_group
    conda:
        "../envs/images.yaml"
    threads: lambda wildcards: job_of(wildcards).threads
    resources:
        **on_gpus(gpus_for_images),
        mem=growing(FEATURES.mem),
        runtime=growing_outside(features_group, FEATURES.runtime),
        lane=1,
    params:
        feature_samples=lambda wildcards: images_of(wildcards.dataset)[
            "feature_samples"
        ],
        sha256=lambda wildcards: inception_of("sha256", wildcards.extractor),
        layer=lambda wildcards: inception_of("layer", wildcards.extractor),
        source=digest_of("measure_frechet"),
    script:
        "../workflow_scripts/measure_frechet.py"
