"""The plan of a run: jobs, GPU hours and CPU hours of each stage, before anything runs.

Needs all other files of rules, whose lists it counts; makes nothing, reporting.smk writes it down. Hours of jobs that run a network
on images or train one are estimated as their time limits are, those of others are what they typically take.
"""

# Typical minutes of a job on one core, where they are more than MOMENT; with config.yaml, results/benchmarks has them.
MOMENT = 1
TYPICAL = {
    "measure_quality": 3,
    "compare_solvers": 5,
    "fit_eigenbasis": 2,
    "prepare_splits": 2,
    "measure_coverage": 5,
    "measure_tarp": 10,
    "integrate_latents": 5,
    "sample_collapsed": 5,
    "fetch_file": 10,
    "fit_reference": 10,
    "measure_frechet": 10,
}

# Small tables and the rules that make them; rules that make several stand at one of these.
MEASURED_BY = {
    "two_sample_floor": "measure_two_sample_floor",
    "scaling_study": "measure_scaling_study",
    "flow_quality": "measure_quality",
    "roundtrip": "measure_roundtrip",
    "solver_comparison": "compare_solvers",
    "propagation": "propagate",
    "hmc_convergence": "check_convergence",
    "hmc_diagnostics": "merge_chains",
    "hmc_weights": "summarise_weights",
    "hmc_particles": "integrate_latents",
    "tarp": "measure_tarp",
    "identifiability": "measure_identifiability",
    "coverage": "measure_coverage",
    "residual_correlation": "measure_residuals",
    "image_roundtrip": "measure_image_roundtrip",
    "evaluation_sweep": "sweep_evaluations",
    "frechet": "measure_frechet",
}
# Tables of flows themselves, counted flow by flow, because a network of images takes its time.
RUN_BY_METRICS = ("flow_quality", "roundtrip", "solver_comparison")
STAGE_OF_TABLES = {
    **dict.fromkeys(METRICS, "metrics"),
    **dict.fromkeys(INFERENCE_TABLES, "inference"),
    **dict.fromkeys(GENERATION_TABLES, "images"),
    **dict.fromkeys(BASELINE_PARTS, "baselines"),
}


def planned(stage, rule, jobs, **costs):
    """Jobs of equal cost: hours of each, GPUs and threads it asks for."""
    usual = {"hours": TYPICAL.get(rule, MOMENT) / 60, "gpus": 0}
    return {"stage": stage, "rule": rule, "jobs": jobs, **usual, **costs}


def planned_trainings():
    """Trainings, and the flows that they become."""
    for dataset, schedule, member in TRAINED:
        variant = member.partition("-")[2] or None
        job = settings.training_of(CONFIG, dataset, variant)
        hours = device_hours_of_training(dataset, variant)
        cost = {"hours": hours, "gpus": job.gpu, "threads": job.threads}
        yield planned("train", "train_network", 1, **cost)
        yield planned("flows", "assemble_flow", 1, gpus=min(1, job.gpu))


def planned_passes(dataset, rule, jobs, passes):
    """Jobs that carry images of a data set; passes are evaluations of single images in each job."""
    threads = settings.training_of(CONFIG, dataset).threads
    hours = device_hours_of_passes(dataset, passes) + MOMENT / 60
    gpus = images_of(dataset)["gpu"]
    return planned("images", rule, jobs, hours=hours, gpus=gpus, threads=threads)


def planned_images():
    """Images, round trips, sweeps, and the features of all of these."""
    for dataset, schedule, seed, draw in IMAGE_RUNS:
        names = {"dataset": dataset, "schedule": schedule, "draw": str(draw)}
        parts = part_files(dataset, schedule, seed, draw)
        yield planned("images", "plot_contact_sheet", 1)
        if schedule == "held_out":
            yield planned("images", "take_held_out", 1)
        elif schedule == "gaussian":
            yield planned("images", "sample_gaussian", len(parts))
        else:
            for part in range(len(parts)):
                passes = passes_of(SimpleNamespace(part=str(part), **names))
                yield planned_passes(dataset, "generate_images", 1, passes)
            passes = passes_of(SimpleNamespace(**names))
            yield planned_passes(dataset, "measure_image_roundtrip", 1, passes)
        extractors = len(images_of(dataset)["extractors"])
        gpus = images_of(dataset)["gpu"]
        yield planned("images", "measure_frechet", extractors, gpus=gpus)
    for dataset in IMAGE_DATASETS:
        chosen = images_of(dataset)
        extractors = chosen["extractors"]
        gpus = chosen["gpu"]
        yield planned("images", "fit_reference", len(extractors), gpus=gpus)
        flows = [flow for flow in IMAGE_FLOWS if flow[0] == dataset]
        for _, schedule, _ in flows:
            names = {"dataset": dataset, "schedule": schedule}
            passes = passes_of(SimpleNamespace(**names))
            yield planned_passes(dataset, "take_pictures", 1, passes)
            for solver, counts in (chosen.get("sweep") or {"steps": {}})[
                "steps"
            ].items():
                for steps in counts:
                    swept = SimpleNamespace(solver=solver, steps=str(steps), **names)
                    passes = passes_of(swept)
                    yield planned_passes(dataset, "sweep_evaluations", 1, passes)
    names = {name for d in IMAGE_DATASETS for name in images_of(d)["extractors"]}
    if "digits_classifier" in names:
        yield planned("images", "train_digits_classifier", 1)


def planned_inference():
    """Chains and what surrounds them; small tables are counted where they are merged."""
    flows = len(HMC_FLOWS)
    counts = [n for sampler, n in POSTERIORS if sampler == "joint"]
    collapsed = len(POSTERIORS) - len(counts)
    yield planned("inference", "draw_observations", flows)
    yield planned("inference", "linearise_observations", flows)
    jobs = flows * len(counts) * len(CHAINS)
    hours = hours_of_chain(HMC["joint"]["observations"])
    yield planned("inference", "sample_joint", jobs, hours=hours)
    yield planned("inference", "sample_collapsed", flows * collapsed)
    jobs = flows * SBC["batches"]
    hours = hours_of_replicates()
    yield planned("calibration", "calibrate_weights", jobs, hours=hours)
    yield planned("calibration", "summarise_sbc", flows)


def planned_methods():
    """Searches, trainings and measurements of all methods, and what is made of these."""
    for method, dataset, schedule in BASELINE_SEARCHES:
        run = SimpleNamespace(method=method, dataset=dataset, schedule=schedule)
        spent, models = spent_of(run), len(BASELINE_SEEDS)
        cost = {"gpus": spent.gpu, "threads": spent.threads}
        counts = {
            "search_method": (1, hours_of_search(run)),
            "train_method": (models, hours_of_method(run)),
            "measure_method": (models, hours_of_quality(run)),
        }
        if (method, dataset, schedule, BASELINE_SEEDS[0]) in BASELINE_TOYS:
            counts["measure_method_coverage"] = (models, hours_of_pool(run))
        images = compared_of(run).images
        if images is not None:
            draws = models * len(images.draws)
            counts["generate_method_images"] = (draws, hours_of_draw(run))
            features = {
                "hours": hours_of_features(run) + MOMENT / 60,
                "gpus": images_of(dataset)["gpu"],
            }
            yield planned("baselines", "measure_method_frechet", models, **features)
        for rule, (jobs, hours) in counts.items():
            hours += MOMENT / 60
            yield planned("baselines", rule, jobs, hours=hours, **cost)
    for dataset, schedule in BASELINE_PAIRS:
        gpus = spent_of(SimpleNamespace(dataset=dataset, schedule=schedule)).gpu
        yield planned("baselines", "measure_method_costs", 1, gpus=gpus)
    yield planned("baselines", "tabulate_table4", 1 if BASELINE_MODELS else 0)
    for figure in BASELINE_FIGURES:
        yield planned("baselines", f"plot_{figure}", 1)


def passes_on_points(name, schedule):
    """Evaluations of single points behind the small table of a flow, as far as they count."""
    solver, compared = settings.solver_settings(CONFIG, schedule), EXPERIMENTS
    way = evaluations_of(solver["method"], solver["steps"])
    if name == "measure_quality":
        # Up to three sources of latents, latents of held-out points, and neighbours there and back.
        return 5 * way * compared["flow_quality"]["samples"]
    if name == "measure_roundtrip":
        section = compared["roundtrip"]
        return 2 * (way + section["paper_steps"]) * section["samples"]
    section = compared["solver_comparison"]
    tried = [(m, n) for m, counts in section["steps"].items() for n in counts]
    tried += [("rk5", section["reference_steps"]) for _ in range(2)]
    tried += [("dopri5", way // 10) for _ in section["tolerances"]]
    return 3 * section["samples"] * sum(evaluations_of(*pair) for pair in tried)


def planned_metrics():
    """Small tables of flows themselves, of which each is a job."""
    for table in RUN_BY_METRICS:
        for path in METRICS.get(table, []):
            dataset, schedule = path.split("/")[2:4]
            gpus = min(1, settings.training_of(CONFIG, dataset).gpu)
            passes = passes_on_points(MEASURED_BY[table], schedule)
            speed = tflops_of(gpus, 1)
            hours = generation_hours(cost_of(dataset), passes, 1, speed)
            hours += TYPICAL.get(MEASURED_BY[table], MOMENT) / 60
            yield planned("metrics", MEASURED_BY[table], 1, hours=hours, gpus=gpus)


def planned_tables():
    """Small tables, one for each flow or data set, and the merged ones."""
    yield planned("metrics", "trace_participation_ratio", 1)
    for table, files in PARTS.items():
        stage = STAGE_OF_TABLES.get(table, "calibration")
        known = table in MEASURED_BY and table not in RUN_BY_METRICS
        if known and stage != "images":
            yield planned(stage, MEASURED_BY[table], len(files))
        yield planned(stage, "merge_table", 1)


def planned_data():
    """Downloads, splits and eigenbases."""
    yield planned("data", "fetch_file", len(DOWNLOADS))
    for name in ("prepare_splits", "fit_eigenbasis"):
        yield planned("data", name, len(DATASETS))
    yield planned("data", "tabulate_participation_ratio", 1)
    yield planned("data", "tabulate_spectra", 1 if IMAGE_SETS else 0)


def planned_figures():
    """Figures; several that one rule draws count once."""
    drawn = {
        "figures": {
            "fig01": "plot_marginals",
            "fig02": "plot_prp_toys",
            "fig03": "plot_prr_toys",
            "embedded_toys": "plot_embedded_toys",
            "scaling_study": "plot_scaling_study",
            "digits_samples": "plot_digits",
            "training_curves": "plot_training_curves",
            "solver_comparison": "plot_solver_comparison",
            "pr_over_time": "plot_pr_over_time",
            "flow_quality": "plot_flow_quality",
        },
        "inference": {"fig04": "plot_hmc", "hmc_traces": "plot_hmc_traces"},
        "calibration": {
            "sbc": "plot_sbc",
            "tarp": "plot_tarp",
            "posterior_ranks": "plot_posterior_ranks",
            "identifiability": "plot_identifiability",
            "coverage": "plot_coverage",
            "residual_correlation": "plot_residuals",
        },
        "reporting": {
            "paper_comparison": "plot_paper_comparison",
            "evaluation_sweep": "plot_evaluation_sweep",
            **{f"samples_{dataset}": "plot_image_samples" for dataset in PICTURED},
            **{f"fig05_{dataset}": "plot_round_trips" for dataset in PICTURED},
        },
    }
    asked = {*FIGURES, *INFERENCE_FIGURES, *CALIBRATION_FIGURES, *REPORTED_FIGURES}
    yield planned("figures", "plot_spectra", 1 if IMAGE_SETS else 0)
    for name in ("trace_animation", "plot_animation"):
        yield planned("animations", name, len(TRACED))
    yield planned("metrics", "trace_marginals", 1)
    yield planned("figures", "trace_flow", len(TRACED))
    for stage, rules_of in drawn.items():
        for figure, drawer in rules_of.items():
            yield planned(stage, drawer, 1 if figure in asked else 0)
    shown = sum(1 for figure in INFERENCE_FIGURES if figure.startswith("propagation_"))
    yield planned("inference", "plot_propagation", shown)
    yield planned("reporting", "compare_with_paper", 1)


def planned_jobs():
    """All jobs of the target `all`, none of them done yet."""
    return [
        *planned_data(),
        *planned_trainings(),
        *planned_metrics(),
        *planned_tables(),
        *planned_images(),
        *planned_methods(),
        *planned_inference(),
        *planned_figures(),
    ]
