"""Flows beside injective flows: the same data, dimensions, parameters and time for all methods, by the same rules.

Needs results/data, results/references and the lists of baseline_runs.smk; makes results/baselines, and of results/tables and
results/figures what follows from it.
"""

# Logs and benchmarks of a search, and of a model.
OF_SEARCH = "{method}/{dataset}/{schedule}"
OF_MODEL = "{method}/{dataset}/{schedule}/seed{seed}"


rule baselines:
    """Makes the comparison of all methods: models, tables and figures."""
    input:
        per_search(f"{SEARCHED}settings.json"),
        per_model(f"{MODELLED}model.safetensors"),
        per_model(f"{MODELLED}training.jsonl"),
        per_model(f"{MODELLED}points.npz"),
        per_model(f"{MODELLED}frechet.json", BASELINE_IMAGES),
        [path for model in BASELINE_IMAGES for path in draw_files(*model)],
        [BASELINE_PARTS[table] for table in sorted(BASELINE_PARTS)],
        expand("results/tables/{table}.csv", table=sorted(BASELINE_PARTS)),
        ["results/tables/table4.csv"] if BASELINE_MODELS else [],
        expand(
            "results/figures/{figure}.{suffix}",
            figure=sorted(BASELINE_FIGURES),
            suffix=["pdf", "png"],
        ),


rule search_method:
    """Trains all candidates for a share of the steps. Makes how far they get, and the settings that get nearest."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
    output:
        table=f"{SEARCHED}search.csv",
        settings=f"{SEARCHED}settings.json",
    log:
        f"results/logs/search_method/{OF_SEARCH}.log",
    benchmark:
        f"results/benchmarks/search_method/{OF_SEARCH}.tsv"
    group:
        search_group
    conda:
        "../envs/baselines.yaml"
    threads: threads_of_method
    resources:
        **KEEPING_METHOD,
        runtime=search_runtime,
    params:
        kind=kind_of_method,
        defaults=defaults_of,
        candidates=candidates_of,
        steps=steps_of_search,
        samples=BASELINES.search_samples,
        schedule=schedule_of,
        network=network_of,
        training=training_of,
        solver=solver_of,
        compressed_prior=compressed_prior_of,
        budget=budget_of,
        seed=BASELINES.seed,
        state="results/.training",
        methods_source=digests_of_methods,
        source=digest_of("search_method"),
    script:
        "../workflow_scripts/search_method.py"


rule train_method:
    """Trains a method with the settings that were chosen. Makes the model and its training curve."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
        settings=f"{SEARCHED}settings.json",
    output:
        model=f"{MODELLED}model.safetensors",
        curve=f"{MODELLED}training.jsonl",
    log:
        f"results/logs/train_method/{OF_MODEL}.log",
    benchmark:
        f"results/benchmarks/train_method/{OF_MODEL}.tsv"
    group:
        fitting_group
    conda:
        "../envs/baselines.yaml"
    threads: threads_of_method
    resources:
        **KEEPING_METHOD,
        runtime=lambda wildcards, attempt: grown(spent_of(wildcards).runtime, attempt),
    params:
        kind=kind_of_method,
        defaults=defaults_of,
        steps=steps_of_method,
        schedule=schedule_of,
        network=network_of,
        training=training_of,
        solver=solver_of,
        compressed_prior=compressed_prior_of,
        budget=budget_of,
        seed=seed_of,
        state="results/.training",
        methods_source=digests_of_methods,
        source=digest_of("train_method"),
    script:
        "../workflow_scripts/train_method.py"


rule measure_method:
    """Compares generated with held-out points, and held-out points with what few numbers tell of them."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
        model=f"{MODELLED}model.safetensors",
    output:
        table=f"{MODELLED}quality.csv",
        points=f"{MODELLED}points.npz",
    log:
        f"results/logs/measure_method/{OF_MODEL}.log",
    benchmark:
        f"results/benchmarks/measure_method/{OF_MODEL}.tsv"
    group:
        quality_group
    conda:
        "../envs/baselines.yaml"
    threads: threads_of_method
    resources:
        **RUNNING_METHOD,
        runtime=measuring_runtime(quality_group),
    params:
        samples=BASELINES.samples,
        shown=BASELINES.shown,
        seed=BASELINES.seed,
        methods_source=digests_of_methods,
        source=digest_of("measure_method"),
    script:
        "../workflow_scripts/measure_method.py"


rule measure_method_coverage:
    """Measures the coverage of posteriors of clean points under a model of a toy, as measure_tarp does under flows."""
    input:
        model=f"{MODELLED}model.safetensors",
    output:
        table=f"{MODELLED}coverage.csv",
        summary=f"{MODELLED}tarp.csv",
    log:
        f"results/logs/measure_method_coverage/{OF_MODEL}.log",
    benchmark:
        f"results/benchmarks/measure_method_coverage/{OF_MODEL}.tsv"
    group:
        posterior_group
    conda:
        "../envs/baselines.yaml"
    threads: threads_of_method
    resources:
        **RUNNING_METHOD,
        runtime=measuring_runtime(posterior_group),
    params:
        dataset=dataset_of,
        noise_stds=TARP["noise_stds"],
        levels=TARP["levels"],
        replicates=TARP["replicates"],
        references=TARP["references"],
        pool=TARP["pool"],
        seed=TARP["seed"],
        methods_source=digests_of_methods,
        source=digest_of("measure_method_coverage"),
    script:
        "../workflow_scripts/measure_method_coverage.py"


rule generate_method_images:
    """Generates a draw of images by a model. Makes them as grey levels."""
    input:
        model=f"{MODELLED}model.safetensors",
    output:
        images=f"{MODELLED}images/draw{{draw}}.safetensors",
    log:
        f"results/logs/generate_method_images/{OF_MODEL}/draw{{draw}}.log",
    benchmark:
        f"results/benchmarks/generate_method_images/{OF_MODEL}/draw{{draw}}.tsv"
    group:
        draw_group
    conda:
        "../envs/baselines.yaml"
    threads: threads_of_method
    resources:
        **KEEPING_METHOD,
        runtime=measuring_runtime(draw_group),
    params:
        image=format_of,
        samples=lambda wildcards: compared_of(wildcards).images.samples,
        state="results/.generation",
        methods_source=digests_of_methods,
        source=digest_of("generate_method_images"),
    script:
        "../workflow_scripts/generate_method_images.py"


rule measure_method_frechet:
    """Compares the images of a model with real ones. Makes Frechet distances by all extractors, and their protocol."""
    input:
        unpack(references_of),
        images=generated_of,
    output:
        table=f"{MODELLED}frechet.csv",
        protocol=f"{MODELLED}frechet.json",
    log:
        f"results/logs/measure_method_frechet/{OF_MODEL}.log",
    benchmark:
        f"results/benchmarks/measure_method_frechet/{OF_MODEL}.tsv"
    group:
        distances_group
    conda:
        "../envs/images.yaml"
    threads: lambda wildcards: job_of(wildcards).threads
    resources:
        **on_gpus(gpus_for_images),
        mem=growing(FEATURES.mem),
        runtime=growing_outside(distances_group, FEATURES.runtime),
        lane=1,
    params:
        extractors=extractors_of,
        feature_samples=lambda wildcards: images_of(wildcards.dataset)[
            "feature_samples"
        ],
        sha256=lambda wildcards: inception_for_method(wildcards, "sha256"),
        layer=lambda wildcards: inception_for_method(wildcards, "layer"),
        source=digest_of("measure_method_frechet"),
    script:
        "../workflow_scripts/measure_method_frechet.py"


rule measure_method_costs:
    """Times steps and samples of all methods in turn, in one process, and counts their parameters."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
        settings=per_method(f"{SEARCHED}settings.json"),
        models=per_method(f"{MODELLED}model.safetensors"),
    output:
        table=COSTS,
    log:
        f"results/logs/measure_method_costs/{{dataset}}/{{schedule}}/seed{{seed}}.log",
    benchmark:
        f"results/benchmarks/measure_method_costs/{{dataset}}/{{schedule}}/seed{{seed}}.tsv"
    group:
        costs_group
    conda:
        "../envs/baselines.yaml"
    threads: threads_of_method
    resources:
        **RUNNING_METHOD,
        runtime=measuring_runtime(costs_group),
    params:
        methods=methods_of,
        steps=BASELINES.timing_steps,
        rounds=BASELINES.timing_rounds,
        samples=BASELINES.timing_samples,
        schedule=schedule_of,
        network=network_of,
        training=training_of,
        solver=solver_of,
        compressed_prior=compressed_prior_of,
        budget=budget_of,
        seed=seed_of,
        methods_source=digests_of_methods,
        source=digest_of("measure_method_costs"),
    script:
        "../workflow_scripts/measure_method_costs.py"


rule tabulate_table4:
    """Puts the paper's Frechet distances of injective flows beside ours. Makes a row for each published one."""
    input:
        table="results/tables/baselines.csv",
        participation="results/tables/participation_ratio.csv",
    output:
        table=in_report("results/tables/table4.csv"),
    log:
        "results/logs/tabulate_table4.log",
    benchmark:
        "results/benchmarks/tabulate_table4.tsv"
    group:
        "report"
    conda:
        "../envs/metrics.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="1GB",
        runtime="5m",
    params:
        published=sha256_of(PAPER_TABLES),
        schedules=KNOWN_SCHEDULES,
        kinds={name: CONFIG.datasets[name].kind for name in DATASETS},
        methods=METHOD_KINDS,
        source=digest_of("tabulate_table4"),
    script:
        "../workflow_scripts/tabulate_table4.py"


rule plot_baseline_samples:
    """Draws the distance of generated to held-out points by method, above that of fresh points."""
    input:
        table="results/tables/baselines.csv",
        floors=floors_of_baselines,
    output:
        pdf="results/figures/baseline_samples.pdf",
        png=in_report("results/figures/baseline_samples.png"),
    log:
        "results/logs/plot_baseline_samples.log",
    benchmark:
        "results/benchmarks/plot_baseline_samples.tsv"
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
        source=digest_of("plot_baseline_samples"),
    script:
        "../workflow_scripts/plot_baseline_samples.py"


rule plot_baseline_reconstruction:
    """Draws the errors of points from few numbers, and of round trips, by method."""
    input:
        table="results/tables/baselines.csv",
    output:
        pdf="results/figures/baseline_reconstruction.pdf",
        png=in_report("results/figures/baseline_reconstruction.png"),
    log:
        "results/logs/plot_baseline_reconstruction.log",
    benchmark:
        "results/benchmarks/plot_baseline_reconstruction.tsv"
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
        source=digest_of("plot_baseline_reconstruction"),
    script:
        "../workflow_scripts/plot_baseline_reconstruction.py"


rule plot_baseline_frechet:
    """Draws the Frechet distances of generated images by method."""
    input:
        table="results/tables/baselines.csv",
    output:
        pdf="results/figures/baseline_frechet.pdf",
        png=in_report("results/figures/baseline_frechet.png"),
    log:
        "results/logs/plot_baseline_frechet.log",
    benchmark:
        "results/benchmarks/plot_baseline_frechet.tsv"
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
        source=digest_of("plot_baseline_frechet"),
    script:
        "../workflow_scripts/plot_baseline_frechet.py"


rule plot_baseline_coverage:
    """Draws the coverage of posteriors against their level by method."""
    input:
        table="results/tables/baseline_coverage.csv",
    output:
        pdf="results/figures/baseline_coverage.pdf",
        png=in_report("results/figures/baseline_coverage.png"),
    log:
        "results/logs/plot_baseline_coverage.log",
    benchmark:
        "results/benchmarks/plot_baseline_coverage.tsv"
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
        source=digest_of("plot_baseline_coverage"),
    script:
        "../workflow_scripts/plot_baseline_coverage.py"


rule plot_baseline_costs:
    """Draws parameters and times by method."""
    input:
        table="results/tables/baselines.csv",
    output:
        pdf="results/figures/baseline_costs.pdf",
        png=in_report("results/figures/baseline_costs.png"),
    log:
        "results/logs/plot_baseline_costs.log",
    benchmark:
        "results/benchmarks/plot_baseline_costs.tsv"
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
        source=digest_of("plot_baseline_costs"),
    script:
        "../workflow_scripts/plot_baseline_costs.py"


rule plot_baseline_points:
    """Draws generated points of all methods beside held-out ones."""
    input:
        points=per_model(f"{MODELLED}points.npz", SHOWN_MODELS),
    output:
        pdf="results/figures/baseline_points.pdf",
        png=in_report("results/figures/baseline_points.png"),
    log:
        "results/logs/plot_baseline_points.log",
    benchmark:
        "results/benchmarks/plot_baseline_points.tsv"
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
        models=SHOWN_MODELS,
        images={
            name: {"shape": list(image.shape), "levels": image.levels}
            for name, image in BASELINE_FORMATS.items()
        },
        labels=RESOLVED_PATH,
        source=digest_of("plot_baseline_points"),
    script:
        "../workflow_scripts/plot_baseline_points.py"
