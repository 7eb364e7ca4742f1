"""Flows beside injective flows: the same data, dimensions, parameters and time for all methods, by the same rules.

Needs results/data and results/references; makes results/baselines, from which the tables and figures of the comparison follow.
"""

# Logs and benchmarks of a search, and of a model.
OF_SEARCH = "{method}/{dataset}/{schedule}"
OF_MODEL = "{method}/{dataset}/{schedule}/seed{seed}"
# What a method is trained on, besides files.
TASK = {
    "schedule": schedule_of,
    "network": network_of,
    "training": training_of,
    "solver": solver_of,
    "compressed_prior": compressed_prior_of,
    "budget": lambda wildcards: COMPARISON.decisive_budget(
        wildcards.dataset, wildcards.schedule
    ),
}


rule baselines:
    """Makes the comparison of all methods: models, tables and figures."""
    input:
        COMPARISON.per_search(f"{SEARCH_DIR}settings.json"),
        COMPARISON.per_model(f"{MODEL_DIR}model.safetensors"),
        COMPARISON.per_model(f"{MODEL_DIR}training.jsonl"),
        COMPARISON.per_model(f"{MODEL_DIR}points.npz"),
        COMPARISON.per_model(f"{MODEL_DIR}frechet.json", COMPARISON.of_images),
        [path for model in COMPARISON.of_images for path in COMPARISON.images_of(model)],
        shown_by("baselines"),


rule search_method:
    """Trains all candidates for a share of the steps. Makes how far they get, and the settings that get nearest."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
    output:
        table=f"{SEARCH_DIR}search.csv",
        settings=f"{SEARCH_DIR}settings.json",
    log:
        f"results/logs/search_method/{OF_SEARCH}.log",
    benchmark:
        f"results/benchmarks/search_method/{OF_SEARCH}.tsv"
    group:
        method_group("train", hours_of_search)
    conda:
        "../envs/baselines.yaml"
    threads: threads_of_method
    resources:
        **running_method(search_runtime, hours_of_search),
        **KEEPING_METHOD,
    params:
        **TASK,
        kind=kind_of_method,
        defaults=defaults_of,
        candidates=candidates_of,
        steps=lambda wildcards: COMPARISON.search_steps(
            wildcards.method, wildcards.dataset, wildcards.schedule
        ),
        samples=COMPARISON.config.search_samples,
        seed=COMPARISON.config.seed,
        state="results/.training",
        source=digest_of("search_method", also=methods_of_job),
    script:
        "../workflow_scripts/search_method.py"


rule train_method:
    """Trains a method with the settings that were chosen. Makes the model and its training curve."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
        settings=f"{SEARCH_DIR}settings.json",
    output:
        model=f"{MODEL_DIR}model.safetensors",
        curve=f"{MODEL_DIR}training.jsonl",
    log:
        f"results/logs/train_method/{OF_MODEL}.log",
    benchmark:
        f"results/benchmarks/train_method/{OF_MODEL}.tsv"
    group:
        method_group("train", hours_of_method)
    conda:
        "../envs/baselines.yaml"
    threads: threads_of_method
    resources:
        **running_method(fitting_runtime, hours_of_method),
        **KEEPING_METHOD,
    params:
        **TASK,
        kind=kind_of_method,
        defaults=defaults_of,
        steps=lambda wildcards: COMPARISON.steps_of(
            wildcards.method, wildcards.dataset, wildcards.schedule
        ),
        seed=seed_of,
        state="results/.training",
        source=digest_of("train_method", also=methods_of_job),
    script:
        "../workflow_scripts/train_method.py"


rule measure_method:
    """Compares generated with held-out points, and held-out points with what is decoded from their kept latents."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
        model=f"{MODEL_DIR}model.safetensors",
    output:
        table=f"{MODEL_DIR}quality.csv",
        points=f"{MODEL_DIR}points.npz",
    log:
        f"results/logs/measure_method/{OF_MODEL}.log",
    benchmark:
        f"results/benchmarks/measure_method/{OF_MODEL}.tsv"
    group:
        method_group("measure", hours_of_quality)
    conda:
        "../envs/baselines.yaml"
    threads: threads_of_method
    resources:
        **measuring_method(method_group("measure", hours_of_quality), hours_of_quality),
    params:
        samples=COMPARISON.config.samples,
        shown=COMPARISON.config.shown,
        seed=COMPARISON.config.seed,
        source=digest_of("measure_method", also=methods_of_job),
    script:
        "../workflow_scripts/measure_method.py"


rule measure_comparison:
    """Measures posteriors of clean points under all models of a toy; references that know all, or little, beside them."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
        models=lambda wildcards: COMPARISON.per_model(
            f"{MODEL_DIR}model.safetensors", COMPARISON.judged(*wildcards)
        ),
    output:
        table=f"{COMPARISON_DIR}comparison.csv",
        coverage=f"{COMPARISON_DIR}coverage.csv",
    log:
        "results/logs/measure_comparison/{dataset}/{schedule}.log",
    benchmark:
        "results/benchmarks/measure_comparison/{dataset}/{schedule}.tsv"
    conda:
        "../envs/baselines.yaml"
    threads: threads_of_method
    resources:
        **measuring_method(lambda wildcards: None, hours_of_pool),
    params:
        **only(SETTINGS["tarp"], "noise_stds", "levels", "replicates", "references"),
        **only(SETTINGS["tarp"], "pool"),
        tarp_seed=SETTINGS["tarp"]["seed"],
        samples=COMPARISON.config.samples,
        seed=COMPARISON.config.seed,
        dataset=dataset_of,
        kept_dims=lambda wildcards: schedule_of(wildcards)["kept_dims"],
        models=lambda wildcards: [
            (m, n) for m, _, _, n in COMPARISON.judged(*wildcards)
        ],
        first_seed=COMPARISON.seeds[0],
        source=digest_of("measure_comparison", also=methods_of_job),
    script:
        "../workflow_scripts/measure_comparison.py"


rule generate_method_images:
    """Generates a set of images by a model. Makes them as grey levels."""
    input:
        model=f"{MODEL_DIR}model.safetensors",
    output:
        images=f"{MODEL_DIR}images/sample{{sample_seed}}.safetensors",
    log:
        f"results/logs/generate_method_images/{OF_MODEL}/sample{{sample_seed}}.log",
    benchmark:
        f"results/benchmarks/generate_method_images/{OF_MODEL}/sample{{sample_seed}}.tsv"
    group:
        method_group("images", hours_of_samples)
    conda:
        "../envs/baselines.yaml"
    threads: threads_of_method
    resources:
        **measuring_method(method_group("images", hours_of_samples), hours_of_samples),
        **KEEPING_METHOD,
    params:
        image=format_of,
        samples=lambda wildcards: compared_images_of(wildcards).samples,
        state="results/.generation",
        source=digest_of("generate_method_images", also=methods_of_job),
    script:
        "../workflow_scripts/generate_method_images.py"


rule measure_method_frechet:
    """Compares the images of a model with real ones. Makes Frechet distances by all extractors, and their protocol."""
    input:
        unpack(references_of),
        images=lambda wildcards: COMPARISON.images_of(tuple(wildcards)),
    output:
        table=f"{MODEL_DIR}frechet.csv",
        protocol=f"{MODEL_DIR}frechet.json",
    log:
        f"results/logs/measure_method_frechet/{OF_MODEL}.log",
    benchmark:
        f"results/benchmarks/measure_method_frechet/{OF_MODEL}.tsv"
    group:
        distances_group
    conda:
        "../envs/images.yaml"
    threads: threads_of
    resources:
        **reading_features(distances_group, expected(hours_of_features)),
    params:
        extractors=of_images("extractors"),
        feature_samples=of_images("feature_samples"),
        sha256=of_inception("sha256", of_images("extractors")),
        layer=of_inception("layer", of_images("extractors")),
        source=digest_of("measure_method_frechet"),
    script:
        "../workflow_scripts/measure_method_frechet.py"


rule measure_method_costs:
    """Times steps and samples of all methods in turn, in one process, and counts their parameters."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
        settings=expand(
            f"{SEARCH_DIR}settings.json", method=COMPARISON.methods, allow_missing=True
        ),
        models=expand(
            f"{MODEL_DIR}model.safetensors",
            method=COMPARISON.methods,
            allow_missing=True,
        ),
    output:
        table=COSTS,
    log:
        "results/logs/measure_method_costs/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/measure_method_costs/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        method_group("measure", hours_of_method)
    conda:
        "../envs/baselines.yaml"
    threads: threads_of_method
    resources:
        **measuring_method(
            method_group("measure", hours_of_method), lambda wildcards: 0
        ),
    params:
        **TASK,
        methods=lambda wildcards: COMPARISON.methods_of(
            wildcards.dataset, wildcards.schedule
        ),
        steps=COMPARISON.config.timing_steps,
        rounds=COMPARISON.config.timing_rounds,
        samples=COMPARISON.config.timing_samples,
        seed=seed_of,
        source=digest_of("measure_method_costs", also=methods_of_job),
    script:
        "../workflow_scripts/measure_method_costs.py"
