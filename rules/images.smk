"""Images: what flows generate, how far it is from real images, round trips in grey levels, and both against evaluations.

Needs results/data, results/flows and files of weights; makes results/images, results/extractors, results/references, and
small tables of results/metrics. Baselines are a Gaussian of the data, to be beaten, and held-out images.
"""

# How networks run on images, for three rules.
RUNNING = {name: of_images(name) for name in ("batch_size", "tf32", "compile")}


wildcard_constraints:
    sample_seed=r"\d+",
    shard=r"\d+",
    steps=r"\d+",
    solver=r"[a-z0-9_]+",
    extractor="inception|efficientnet_lite0|digits_classifier",


rule generate:
    """Generates all images, with sheets of them, and pictures for figures."""
    input:
        IMAGES.all_shards,
        per_flow(PICTURES, IMAGES.flows),


rule images:
    """Makes the tables of images: Frechet distances, round trips, and both against evaluations."""
    input:
        IMAGES.references,
        [path.removesuffix("csv") + "json" for path in IMAGES.frechet_tables],
        shown_by("images"),


rule generate_images:
    """Generates one shard of a set of images. Makes images as grey levels, and a sheet of the first ones."""
    input:
        flow=FLOW,
    output:
        images=f"{SAMPLES}shard{{shard}}.safetensors",
        sheet=f"{SAMPLES}shard{{shard}}.png",
    log:
        "results/logs/generate_images/{dataset}/{schedule}/seed{seed}/sample{sample_seed}_shard{shard}.log",
    benchmark:
        "results/benchmarks/generate_images/{dataset}/{schedule}/seed{seed}/sample{sample_seed}_shard{shard}.tsv"
    wildcard_constraints:
        schedule="|".join(map(re.escape, CONFIG.schedules)),
    group:
        carrying_group
    conda:
        "../envs/images.yaml"
    threads: threads_of
    resources:
        **KEEPING,
    params:
        **RUNNING,
        image=format_of,
        first=first_of,
        size=count_of,
        state="results/.generation",
        source=digest_of("generate_images"),
    script:
        "../workflow_scripts/generate_images.py"


rule sample_gaussian:
    """Draws one shard of images of a Gaussian with mean and covariance of the data, which flows have to beat."""
    input:
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
    output:
        images="results/images/{dataset}/gaussian/seed{seed}/sample{sample_seed}/shard{shard}.safetensors",
        sheet="results/images/{dataset}/gaussian/seed{seed}/sample{sample_seed}/shard{shard}.png",
    log:
        "results/logs/sample_gaussian/{dataset}/seed{seed}/sample{sample_seed}_shard{shard}.log",
    benchmark:
        "results/benchmarks/sample_gaussian/{dataset}/seed{seed}/sample{sample_seed}_shard{shard}.tsv"
    group:
        "prepare"
    conda:
        "../envs/images.yaml"
    resources:
        **small("4GB", "1h"),
    params:
        image=format_of,
        first=first_of,
        size=count_of,
        source=digest_of("sample_gaussian"),
    script:
        "../workflow_scripts/sample_gaussian.py"


rule take_held_out:
    """Takes held-out images as if a flow had made them: what a perfect one would score."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
    output:
        images="results/images/{dataset}/held_out/seed{seed}/sample{sample_seed}/shard0.safetensors",
        sheet="results/images/{dataset}/held_out/seed{seed}/sample{sample_seed}/shard0.png",
    log:
        "results/logs/take_held_out/{dataset}/seed{seed}/sample{sample_seed}.log",
    benchmark:
        "results/benchmarks/take_held_out/{dataset}/seed{seed}/sample{sample_seed}.tsv"
    group:
        "prepare"
    conda:
        "../envs/images.yaml"
    resources:
        **small("4GB", "30m"),
    params:
        samples=of_images("samples"),
        source=digest_of("take_held_out"),
    script:
        "../workflow_scripts/take_held_out.py"


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
    resources:
        **small("2GB", "15m"),
    params:
        **STUDY.resolved["extractors"]["digits_classifier"],
        source=digest_of("train_digits_classifier"),
    script:
        "../workflow_scripts/train_digits_classifier.py"


rule fit_reference:
    """Reads features of real images. Makes the statistics that generated images are held against, and their protocol."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        weights=lambda wildcards: IMAGES.weights_of(wildcards.extractor),
    output:
        reference="results/references/{dataset}/{extractor}.safetensors",
        protocol="results/references/{dataset}/{extractor}.json",
    log:
        "results/logs/fit_reference/{dataset}/{extractor}.log",
    benchmark:
        "results/benchmarks/fit_reference/{dataset}/{extractor}.tsv"
    group:
        features_group
    conda:
        "../envs/images.yaml"
    threads: threads_of
    resources:
        **reading_features(features_group, seconds_of_features),
    params:
        reference=of_images("reference"),
        feature_samples=of_images("feature_samples"),
        sha256=of_inception("sha256", lambda wildcards: wildcards.extractor),
        layer=of_inception("layer", lambda wildcards: wildcards.extractor),
        source=digest_of("fit_reference"),
    script:
        "../workflow_scripts/fit_reference.py"


rule measure_frechet:
    """Compares images with real ones. Makes Frechet and kernel distance, precision and recall, and their protocol."""
    input:
        images=lambda wildcards: IMAGES.shards(tuple(wildcards)),
        held_out=lambda wildcards: IMAGES.held_out_shards(wildcards.dataset),
        reference="results/references/{dataset}/{extractor}.safetensors",
        weights=lambda wildcards: IMAGES.weights_of(wildcards.extractor),
    output:
        table=f"{FRECHET}.csv",
        protocol=f"{FRECHET}.json",
    log:
        "results/logs/measure_frechet/{dataset}/{schedule}/seed{seed}/sample{sample_seed}_{extractor}.log",
    benchmark:
        "results/benchmarks/measure_frechet/{dataset}/{schedule}/seed{seed}/sample{sample_seed}_{extractor}.tsv"
    group:
        features_group
    conda:
        "../envs/images.yaml"
    threads: threads_of
    resources:
        **reading_features(features_group, seconds_of_features),
    params:
        feature_samples=of_images("feature_samples"),
        sha256=of_inception("sha256", lambda wildcards: wildcards.extractor),
        layer=of_inception("layer", lambda wildcards: wildcards.extractor),
        source=digest_of("measure_frechet"),
    script:
        "../workflow_scripts/measure_frechet.py"


rule measure_image_roundtrip:
    """Carries images to latents and back. Makes the true error in grey levels, and the one as published."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        flow=FLOW,
    output:
        table=ROUNDTRIP,
    log:
        "results/logs/measure_image_roundtrip/{dataset}/{schedule}/seed{seed}/sample{sample_seed}.log",
    benchmark:
        "results/benchmarks/measure_image_roundtrip/{dataset}/{schedule}/seed{seed}/sample{sample_seed}.tsv"
    group:
        carrying_group
    conda:
        "../envs/images.yaml"
    threads: threads_of
    resources:
        **KEEPING,
    params:
        **RUNNING,
        samples=of_images("roundtrip"),
        split=of_images("roundtrip_split"),
        state="results/.generation",
        source=digest_of("measure_image_roundtrip"),
    script:
        "../workflow_scripts/measure_image_roundtrip.py"


rule sweep_evaluations:
    """Generates images and carries them there and back with one solver and number of steps."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        flow=FLOW,
        reference=lambda wildcards: f"results/references/{wildcards.dataset}/{swept_extractor(wildcards)}.safetensors",
        weights=lambda wildcards: IMAGES.weights_of(swept_extractor(wildcards)),
    output:
        table=SWEEP,
    log:
        "results/logs/sweep_evaluations/{dataset}/{schedule}/seed{seed}/{solver}_{steps}.log",
    benchmark:
        "results/benchmarks/sweep_evaluations/{dataset}/{schedule}/seed{seed}/{solver}_{steps}.tsv"
    group:
        carrying_group
    conda:
        "../envs/images.yaml"
    threads: threads_of
    resources:
        **KEEPING,
    params:
        **RUNNING,
        samples=of_sweep("samples"),
        roundtrip=of_sweep("roundtrip"),
        split=of_images("roundtrip_split"),
        sample_seed=lambda wildcards: IMAGES.sample_seeds_of(wildcards.dataset)[0],
        extractor=swept_extractor,
        sha256=of_inception("sha256", swept_extractor),
        layer=of_inception("layer", swept_extractor),
        state="results/.generation",
        source=digest_of("sweep_evaluations"),
    script:
        "../workflow_scripts/sweep_evaluations.py"


rule take_pictures:
    """Takes pictures of images, their latents, what is recovered from these, and new ones (figure 5)."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        flow=FLOW,
    output:
        pictures=PICTURES,
    log:
        "results/logs/take_pictures/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/take_pictures/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        carrying_group
    conda:
        "../envs/images.yaml"
    threads: threads_of
    resources:
        **CARRYING,
    params:
        pictures=of_images("pictures"),
        sample_seed=lambda wildcards: IMAGES.sample_seeds_of(wildcards.dataset)[0],
        source=digest_of("take_pictures"),
    script:
        "../workflow_scripts/take_pictures.py"


rule image_speed:
    """Makes the table of the image path's speed beside the bare network's."""
    input:
        "results/benchmarks/image_speed.csv",


rule measure_image_speed:
    """Times evaluations, generation and training of images beside the bare network, in turns."""
    output:
        table="results/benchmarks/image_speed.csv",
    log:
        "results/logs/measure_image_speed.log",
    benchmark:
        "results/benchmarks/measure_image_speed.tsv"
    conda:
        "../envs/train.yaml"
    threads: SETTINGS["image_speed"]["threads"]
    resources:
        **on_gpus(lambda wildcards: SETTINGS["image_speed"]["gpu"]),
        mem=growing(SETTINGS["image_speed"]["mem"]),
        runtime=growing(SETTINGS["image_speed"]["runtime"]),
        expected_seconds=1800,
    params:
        **only(SETTINGS["image_speed"], "presets", "batch_size", "repeats"),
        source=digest_of("measure_image_speed"),
    script:
        "../workflow_scripts/measure_image_speed.py"
