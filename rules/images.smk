"""Images: what flows generate, round trips in grey levels, and both against network evaluations.

Needs results/data and results/flows; makes results/images, and small tables of results/metrics that are merged into
results/tables.
"""


wildcard_constraints:
    draw=r"\d+",
    part=r"\d+",
    steps=r"\d+",


rule generate:
    """Generates all images, with a sheet of the first ones of each draw."""
    input:
        [path for run in IMAGE_RUNS for path in part_files(*run)],
        per_flow(
            "results/images/{dataset}/{schedule}/seed{seed}/pictures.npz", IMAGE_FLOWS
        ),
        expand(f"{IMAGES}contact_sheet.png", zip, **columns_of(IMAGE_RUNS)),


rule images:
    """Makes the tables of images: Frechet distances, round trips, and both against evaluations."""
    input:
        REFERENCES,
        [PARTS[table] for table in sorted(GENERATION_TABLES)],
        PROTOCOLS,
        expand("results/tables/{table}.csv", table=sorted(GENERATION_TABLES)),
        expand(f"{IMAGES}contact_sheet.png", zip, **columns_of(IMAGE_RUNS)),


rule image_speed:
    """Makes the table of the image path's speed beside the bare network's."""
    input:
        "results/benchmarks/image_speed.csv",


rule generate_images:
    """Generates one part of a draw. Makes images as grey levels."""
    input:
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
    output:
        images=f"{IMAGES}part{{part}}.safetensors",
    log:
        "results/logs/generate_images/{dataset}/{schedule}/seed{seed}/draw{draw}_part{part}.log",
    benchmark:
        "results/benchmarks/generate_images/{dataset}/{schedule}/seed{seed}/draw{draw}_part{part}.tsv"
    wildcard_constraints:
        schedule=ANY_SCHEDULE,
    group:
        carrying_group
    conda:
        "../envs/images.yaml"
    threads: lambda wildcards: job_of(wildcards).threads
    resources:
        **on_gpus(gpus_for_images),
        mem=generation_mem,
        runtime=generation_runtime,
        lane=1,
        checkpoint_seconds=lambda wildcards: math.ceil(
            images_of(wildcards.dataset)["checkpoint_seconds"]
        ),
    params:
        image=format_of,
        first=first_of,
        size=count_of,
        batch_size=lambda wildcards: images_of(wildcards.dataset).get("batch_size"),
        tf32=lambda wildcards: images_of(wildcards.dataset)["tf32"],
        compile=lambda wildcards: images_of(wildcards.dataset)["compile"],
        state="results/.generation",
        source=digest_of("generate_images"),
    script:
        "../workflow_scripts/generate_images.py"


rule sample_gaussian:
    """Draws one part of the images of a Gaussian with mean and covariance of the data, which flows have to beat."""
    input:
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
    output:
        images="results/images/{dataset}/gaussian/seed{seed}/draw{draw}/part{part}.safetensors",
    log:
        "results/logs/sample_gaussian/{dataset}/seed{seed}/draw{draw}_part{part}.log",
    benchmark:
        "results/benchmarks/sample_gaussian/{dataset}/seed{seed}/draw{draw}_part{part}.tsv"
    group:
        "prepare"
    conda:
        "../envs/images.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="4GB",
        runtime="1h",
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
        images="results/images/{dataset}/held_out/seed{seed}/draw{draw}/part0.safetensors",
    log:
        "results/logs/take_held_out/{dataset}/seed{seed}/draw{draw}.log",
    benchmark:
        "results/benchmarks/take_held_out/{dataset}/seed{seed}/draw{draw}.tsv"
    group:
        "prepare"
    conda:
        "../envs/images.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="4GB",
        runtime="30m",
    params:
        samples=lambda wildcards: images_of(wildcards.dataset)["samples"],
        source=digest_of("take_held_out"),
    script:
        "../workflow_scripts/take_held_out.py"


rule plot_contact_sheet:
    """Draws the first images of a draw on one sheet."""
    input:
        images=lambda wildcards: parts_of(wildcards)[0],
    output:
        sheet=f"{IMAGES}contact_sheet.png",
    log:
        "results/logs/plot_contact_sheet/{dataset}/{schedule}/seed{seed}/draw{draw}.log",
    benchmark:
        "results/benchmarks/plot_contact_sheet/{dataset}/{schedule}/seed{seed}/draw{draw}.tsv"
    group:
        "report"
    conda:
        "../envs/images.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="2GB",
        runtime="5m",
    params:
        source=digest_of("plot_contact_sheet"),
    script:
        "../workflow_scripts/plot_contact_sheet.py"


rule measure_image_roundtrip:
    """Carries images to latents and back. Makes the true error in grey levels, and the one as published."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
    output:
        table="results/metrics/{dataset}/{schedule}/seed{seed}/draw{draw}/image_roundtrip.csv",
    log:
        "results/logs/measure_image_roundtrip/{dataset}/{schedule}/seed{seed}/draw{draw}.log",
    benchmark:
        "results/benchmarks/measure_image_roundtrip/{dataset}/{schedule}/seed{seed}/draw{draw}.tsv"
    group:
        carrying_group
    conda:
        "../envs/images.yaml"
    threads: lambda wildcards: job_of(wildcards).threads
    resources:
        **on_gpus(gpus_for_images),
        mem=generation_mem,
        runtime=generation_runtime,
        lane=1,
        checkpoint_seconds=lambda wildcards: math.ceil(
            images_of(wildcards.dataset)["checkpoint_seconds"]
        ),
    params:
        samples=lambda wildcards: images_of(wildcards.dataset)["roundtrip"],
        split=lambda wildcards: images_of(wildcards.dataset)["roundtrip_split"],
        batch_size=lambda wildcards: images_of(wildcards.dataset).get("batch_size"),
        tf32=lambda wildcards: images_of(wildcards.dataset)["tf32"],
        compile=lambda wildcards: images_of(wildcards.dataset)["compile"],
        state="results/.generation",
        source=digest_of("measure_image_roundtrip"),
    script:
        "../workflow_scripts/measure_image_roundtrip.py"


rule sweep_evaluations:
    """Generates images and carries them there and back with one solver and number of steps."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
        reference=lambda wildcards: "results/references/{}/{}.safetensors".format(
            wildcards.dataset, swept_extractor(wildcards.dataset)
        ),
        weights=lambda wildcards: extractor_weights_of(
            swept_extractor(wildcards.dataset)
        ),
    output:
        table=SWEEP,
    log:
        "results/logs/sweep_evaluations/{dataset}/{schedule}/seed{seed}/{solver}_{steps}.log",
    benchmark:
        "results/benchmarks/sweep_evaluations/{dataset}/{schedule}/seed{seed}/{solver}_{steps}.tsv"
    wildcard_constraints:
        solver=r"[a-z0-9_]+",
    group:
        carrying_group
    conda:
        "../envs/images.yaml"
    threads: lambda wildcards: job_of(wildcards).threads
    resources:
        **on_gpus(gpus_for_images),
        mem=generation_mem,
        runtime=generation_runtime,
        lane=1,
        checkpoint_seconds=lambda wildcards: math.ceil(
            images_of(wildcards.dataset)["checkpoint_seconds"]
        ),
    params:
        samples=lambda wildcards: sweep_of(wildcards)["samples"],
        roundtrip=lambda wildcards: sweep_of(wildcards)["roundtrip"],
        split=lambda wildcards: images_of(wildcards.dataset)["roundtrip_split"],
        draw=lambda wildcards: draws_of(wildcards.dataset)[0],
        extractor=lambda wildcards: swept_extractor(wildcards.dataset),
        sha256=lambda wildcards: inception_of(
            "sha256", swept_extractor(wildcards.dataset)
        ),
        layer=lambda wildcards: inception_of(
            "layer", swept_extractor(wildcards.dataset)
        ),
        batch_size=lambda wildcards: images_of(wildcards.dataset).get("batch_size"),
        tf32=lambda wildcards: images_of(wildcards.dataset)["tf32"],
        compile=lambda wildcards: images_of(wildcards.dataset)["compile"],
        state="results/.generation",
        source=digest_of("sweep_evaluations"),
    script:
        "../workflow_scripts/sweep_evaluations.py"


rule take_pictures:
    """Takes pictures of images, their latents, what is recovered from these, and new ones (figure 5)."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
    output:
        pictures="results/images/{dataset}/{schedule}/seed{seed}/pictures.npz",
    log:
        "results/logs/take_pictures/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/take_pictures/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        carrying_group
    conda:
        "../envs/images.yaml"
    threads: lambda wildcards: job_of(wildcards).threads
    resources:
        **on_gpus(gpus_for_images),
        mem=generation_mem,
        runtime=generation_runtime,
        lane=1,
    params:
        pictures=lambda wildcards: images_of(wildcards.dataset)["pictures"],
        draw=lambda wildcards: draws_of(wildcards.dataset)[0],
        source=digest_of("take_pictures"),
    script:
        "../workflow_scripts/take_pictures.py"


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
    threads: EXPERIMENTS["image_speed"]["threads"]
    resources:
        **on_gpus(lambda wildcards: EXPERIMENTS["image_speed"]["gpu"]),
        mem=growing(EXPERIMENTS["image_speed"]["mem"]),
        runtime=growing(EXPERIMENTS["image_speed"]["runtime"]),
    params:
        presets=EXPERIMENTS["image_speed"]["presets"],
        batch_size=EXPERIMENTS["image_speed"]["batch_size"],
        repeats=EXPERIMENTS["image_speed"]["repeats"],
        source=digest_of("measure_image_speed"),
    script:
        "../workflow_scripts/measure_image_speed.py"
