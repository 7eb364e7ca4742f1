"""What the comparison with injective flows looks at: methods, data sets and budgets, and what their jobs ask for.

Needs common.smk, experiments.smk, resources.smk, groups.smk and image_runs.smk; makes nothing. A schedule gives the number of
kept dimensions, which all methods get; our own flow is one of them.
"""

from types import SimpleNamespace

from inflationary_flows.baselines.discovery import method_file

BASELINES = CONFIG.baselines
METHODS = sorted(BASELINES.methods)
# Data set, schedule; with the method, a search; with a seed of training, a model.
BASELINE_PAIRS = [
    (dataset, schedule)
    for dataset in sorted(BASELINES.datasets if METHODS else [])
    for schedule in sorted(BASELINES.datasets[dataset].schedules)
]
BASELINE_SEEDS = sorted(BASELINES.seeds)
BASELINE_SEARCHES = [(method, *pair) for method in METHODS for pair in BASELINE_PAIRS]
BASELINE_MODELS = [(*run, seed) for run in BASELINE_SEARCHES for seed in BASELINE_SEEDS]

# The density of toys is known, and with it how posteriors of clean points should cover.
BASELINE_TOYS = [
    model
    for model in BASELINE_MODELS
    if find_toy(settings.dataset_settings(CONFIG, model[1])) is not None
]
BASELINE_IMAGES = [
    model
    for model in BASELINE_MODELS
    if BASELINES.datasets[model[1]].images is not None
]

SEARCHED = "results/baselines/{method}/{dataset}/{schedule}/"
MODELLED = "results/baselines/{method}/{dataset}/{schedule}/seed{seed}/"
COSTS = "results/baselines/costs/{dataset}/{schedule}/seed{seed}.csv"

# Figures show points of the first seed.
SHOWN_MODELS = [model for model in BASELINE_MODELS if model[3] == BASELINE_SEEDS[0]]
# Sets of images among the compared data sets.
BASELINE_FORMATS = {
    dataset: image_of(dataset)
    for dataset in sorted({dataset for dataset, _ in BASELINE_PAIRS})
    if image_of(dataset) is not None
}
# What tables with published numbers know of schedules and methods; compared ones need not be those of flows.
METHOD_KINDS = {name: BASELINES.methods[name].kind for name in METHODS}
KNOWN_SCHEDULES = SCHEDULES | {
    name: settings.schedule_settings(CONFIG, name)
    for name in sorted({schedule for _, schedule in BASELINE_PAIRS})
}


def per_model(pattern, models=BASELINE_MODELS):
    """A pattern with {method}, {dataset}, {schedule} and {seed}, filled in for each model."""
    names = ("method", "dataset", "schedule", "seed")
    return [pattern.format(**dict(zip(names, model))) for model in models]


def per_search(pattern):
    """A pattern with {method}, {dataset} and {schedule}, filled in for each search."""
    names = ("method", "dataset", "schedule")
    return [pattern.format(**dict(zip(names, run))) for run in BASELINE_SEARCHES]


def per_method(pattern):
    """A pattern filled in for each method; the other wildcards are those of a job."""
    return expand(pattern, method=METHODS, allow_missing=True)


def per_pair(pattern):
    """A pattern with {dataset}, {schedule} and {seed}, filled in for what is measured once: with the first seed."""
    return per_flow(pattern, [(*pair, BASELINE_SEEDS[0]) for pair in BASELINE_PAIRS])


BASELINE_PARTS = {}
if BASELINE_MODELS:
    BASELINE_PARTS["baselines"] = [
        *per_model(f"{MODELLED}quality.csv"),
        *per_model(f"{MODELLED}tarp.csv", BASELINE_TOYS),
        *per_model(f"{MODELLED}frechet.csv", BASELINE_IMAGES),
        *per_pair(COSTS),
    ]
    BASELINE_PARTS["baseline_search"] = per_search(f"{SEARCHED}search.csv")
if BASELINE_TOYS:
    BASELINE_PARTS["baseline_coverage"] = per_model(
        f"{MODELLED}coverage.csv", BASELINE_TOYS
    )
PARTS.update(BASELINE_PARTS)

BASELINE_FIGURES = []
if BASELINE_MODELS:
    BASELINE_FIGURES += [
        f"baseline_{name}" for name in ("samples", "reconstruction", "costs", "points")
    ]
BASELINE_FIGURES += ["baseline_coverage"] if BASELINE_TOYS else []
BASELINE_FIGURES += ["baseline_frechet"] if BASELINE_IMAGES else []


def compared_of(wildcards):
    """Settings of a data set that methods are compared on."""
    return BASELINES.datasets[wildcards.dataset]


def budget_name_of(wildcards):
    """The name of what methods may spend on a data set and schedule."""
    return compared_of(wildcards).schedules[wildcards.schedule]


def spent_of(wildcards):
    """What methods may spend on a data set, with the resources of their jobs."""
    return BASELINES.budgets[budget_name_of(wildcards)]


def budget_of(wildcards):
    """What of that decides the result of a training."""
    chosen = settings.budget_settings(CONFIG, wildcards.dataset, wildcards.schedule)
    # The search alone depends on its share, by its steps.
    return {key: value for key, value in chosen.items() if key != "search_share"}


def kind_of_method(wildcards):
    """What a method is: the name of its module."""
    return BASELINES.methods[wildcards.method].kind


def defaults_of(wildcards):
    """Hyper-parameters that all candidates of a method share."""
    return settings.method_settings(CONFIG, wildcards.method)["settings"]


def candidates_of(wildcards):
    """Hyper-parameters that the search of a method tries."""
    return [dict(options) for options in BASELINES.methods[wildcards.method].candidates]


def steps_of_method(wildcards):
    """Steps of a method's training: what the budget of a data set buys."""
    return BASELINES.methods[wildcards.method].steps[budget_name_of(wildcards)]


def steps_of_search(wildcards):
    """Steps of the training of each candidate."""
    return max(1, round(spent_of(wildcards).search_share * steps_of_method(wildcards)))


def methods_of(wildcards):
    """Kind and steps of all methods on a data set, by name."""
    budget = budget_name_of(wildcards)
    return {
        name: {
            "kind": BASELINES.methods[name].kind,
            "steps": BASELINES.methods[name].steps[budget],
        }
        for name in METHODS
    }


@cache
def computed_digest_of_kind(kind):
    """Digest of a method's module and of all that it imports."""
    return source_digest(method_file(kind), LIBRARY)


def digests_of_methods(wildcards):
    """Digests of the methods that a job runs, by kind: scripts find them by name, so that their own digests leave them out."""
    chosen = [wildcards.method] if hasattr(wildcards, "method") else METHODS
    kinds = sorted({BASELINES.methods[name].kind for name in chosen})
    return {kind: computed_digest_of_kind(kind) for kind in kinds}


def extractors_of(wildcards):
    """The extractors whose features compare images of a data set."""
    return images_of(wildcards.dataset)["extractors"]


def inception_for_method(wildcards, name):
    """A setting of the extractor inception; none where it is not among the extractors."""
    chosen = "inception" if "inception" in extractors_of(wildcards) else None
    return inception_of(name, chosen)


def draw_files(method, dataset, schedule, seed):
    """All images of a model, draw by draw."""
    folder = MODELLED.format(
        method=method, dataset=dataset, schedule=schedule, seed=seed
    )
    draws = sorted(BASELINES.datasets[dataset].images.draws)
    return [f"{folder}images/draw{draw}.safetensors" for draw in draws]


def generated_of(wildcards):
    """All images of the model of a job."""
    return draw_files(**dict(wildcards.items()))


def references_of(wildcards):
    """Features of real images by all extractors, and the files of weights of those that do not come in packages."""
    dataset, extractors = wildcards.dataset, extractors_of(wildcards)
    folder = f"results/references/{dataset}"
    weights = {f"weights_{name}": extractor_weights_of(name) for name in extractors}
    return {
        "references": [f"{folder}/{name}.safetensors" for name in extractors],
        **{name: files[0] for name, files in weights.items() if files},
    }


def floors_of_baselines(wildcards):
    """Fresh against fresh points of the compared data sets; those of many coordinates have no such table."""
    datasets = sorted({dataset for dataset, _ in BASELINE_PAIRS})
    return [
        f"results/metrics/{dataset}/two_sample_floor.csv"
        for dataset in datasets
        if dataset in POINT_SETS
    ]


def gpus_of_method(wildcards):
    """GPUs of a job that trains or runs a method."""
    return spent_of(wildcards).gpu


def hours_of_method(wildcards):
    """Hours that one training takes. Methods are given equal time: that of our flow is known from its operations."""
    spent = spent_of(wildcards)
    steps = [
        method["steps"]
        for method in methods_of(wildcards).values()
        if method["kind"] == "inflationary_flow"
    ]
    if not steps:
        return int(grown(spent.runtime, 1).removesuffix("m")) / 60
    batch = settings.training_of(CONFIG, wildcards.dataset).batch_size
    speed = tflops_of(spent.gpu, spent.threads)
    return training_hours(cost_of(wildcards.dataset), max(steps) * batch, speed)


def hours_of_search(wildcards):
    """Hours that all candidates of a method take."""
    candidates = max(len(method.candidates) for method in BASELINES.methods.values())
    return candidates * spent_of(wildcards).search_share * hours_of_method(wildcards)


def hours_of_ways(wildcards, points):
    """Hours that so many points take one way through our flow; other methods need a single pass."""
    spent, passes = spent_of(wildcards), points * evaluations_of_flow(wildcards)
    speed = tflops_of(spent.gpu, spent.threads)
    return generation_hours(cost_of(wildcards.dataset), passes, 1, speed)


def hours_of_quality(wildcards):
    """Hours of samples, of reconstructions, and of round trips."""
    return hours_of_ways(wildcards, 5 * BASELINES.samples)


def hours_of_pool(wildcards):
    """Hours of the samples that posteriors are made from."""
    return hours_of_ways(wildcards, TARP["pool"])


def hours_of_draw(wildcards):
    """Hours of a draw of images."""
    return hours_of_ways(wildcards, compared_of(wildcards).images.samples)


def hours_of_features(wildcards):
    """Hours of features of all draws, by all extractors."""
    chosen = compared_of(wildcards).images
    images = len(extractors_of(wildcards)) * len(chosen.draws) * chosen.samples
    return images * SECONDS_OF_FEATURES / 3600


def short(name, hours_of):
    """A group of jobs of methods, for those that take moments of a single core."""

    def group(wildcards):
        spent = spent_of(wildcards)
        small = spent.threads == 1 and 60 * hours_of(wildcards) < SHORT_MINUTES
        return name if small and not spent.gpu else None

    return group


search_group = short("train", hours_of_search)
fitting_group = short("train", hours_of_method)
quality_group = short("measure", hours_of_quality)
posterior_group = short("measure", hours_of_pool)
draw_group = short("images", hours_of_draw)
# Few steps of each method are timed.
costs_group = short("measure", hours_of_method)


def distances_group(wildcards):
    """Group of jobs that read features of few images, likewise."""
    return image_group(wildcards, hours_of_features(wildcards))


def search_runtime(wildcards, attempt):
    """Time limit of a search: that of a training, unless its candidates together take longer than one."""
    candidates = len(BASELINES.methods[wildcards.method].candidates)
    longer = max(1, math.ceil(candidates * spent_of(wildcards).search_share))
    return grown(spent_of(wildcards).runtime, longer * attempt)


def measuring_runtime(group_of):
    """Time limit of jobs that carry points through a model: small ones, in groups, count for no more than others."""
    return lambda wildcards, attempt: grown(
        MEASURE.runtime if group_of(wildcards) else spent_of(wildcards).runtime,
        attempt,
    )


# Resources of jobs that run a method, and of those that keep their progress.
RUNNING_METHOD = on_gpus(gpus_of_method) | {
    "mem": lambda wildcards, attempt: grown(spent_of(wildcards).mem, attempt),
    "lane": 1,
}
KEEPING_METHOD = RUNNING_METHOD | {
    "checkpoint_seconds": lambda wildcards: math.ceil(
        spent_of(wildcards).checkpoint_seconds
    ),
}


def threads_of_method(wildcards):
    """Threads of these jobs."""
    return spent_of(wildcards).threads
