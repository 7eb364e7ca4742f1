"""What the experiments on images look at: flows, sets of images and their parts, extractors and their weights.

Needs common.smk and data.smk; makes nothing. The networks are those of the first training seed: `draw` counts
independent sets of images by one network, as in the paper, and is the column `seed` of tables.
"""

IMAGES = "results/images/{dataset}/{schedule}/seed{seed}/draw{draw}/"
IMAGE_DATASETS = sorted(EXPERIMENTS["images"])


def images_of(dataset):
    """Settings of a data set's experiments on images."""
    return EXPERIMENTS["images"][dataset]


def gpus_for_images(wildcards):
    """GPUs of a job that runs networks on images."""
    return images_of(wildcards.dataset)["gpu"]


def image_schedules(dataset):
    """Schedules of a data set whose flows generate images."""
    return sorted(CONFIG.datasets[dataset].schedules)


def draws_of(dataset):
    """Seeds of the sets of images of a data set."""
    return sorted(images_of(dataset)["draws"])


# Data set, schedule, training seed; and the same with draws, baselines among them. Held-out images are compared with
# others only: of a reference that holds them they would be a part.
IMAGE_FLOWS = [
    (dataset, schedule, SEEDS[0])
    for dataset in IMAGE_DATASETS
    for schedule in image_schedules(dataset)
]
GENERATED = [(*flow, draw) for flow in IMAGE_FLOWS for draw in draws_of(flow[0])]
IMAGE_RUNS = [
    *GENERATED,
    *(
        (dataset, "gaussian", SEEDS[0], draw)
        for dataset in IMAGE_DATASETS
        for draw in draws_of(dataset)
    ),
    *(
        (dataset, "held_out", SEEDS[0], draws_of(dataset)[0])
        for dataset in IMAGE_DATASETS
        if images_of(dataset)["reference"] == "train"
    ),
]


def first_images(dataset):
    """Numbers of the first images of all parts of a draw."""
    return range(0, images_of(dataset)["samples"], images_of(dataset)["part_size"])


def first_of(wildcards):
    """Number of the first image of a part."""
    return first_images(wildcards.dataset)[int(wildcards.part)]


def count_of(wildcards):
    """How many images a part has."""
    settings = images_of(wildcards.dataset)
    return min(settings["part_size"], settings["samples"] - first_of(wildcards))


def part_files(dataset, schedule, seed, draw):
    """All parts of a draw."""
    parts = [0] if schedule == "held_out" else range(len(first_images(dataset)))
    folder = IMAGES.format(dataset=dataset, schedule=schedule, seed=seed, draw=draw)
    return [f"{folder}part{part}.safetensors" for part in parts]


def parts_of(wildcards):
    """All parts of the draw of a job."""
    return part_files(
        wildcards.dataset, wildcards.schedule, wildcards.seed, wildcards.draw
    )


def extractor_weights_of(extractor):
    """The file of an extractor's weights, unless it comes in a package."""
    if extractor == "digits_classifier":
        return ["results/extractors/digits_classifier.safetensors"]
    inception = CONFIG.extractors.inception
    if extractor != "inception" or inception is None:
        return []
    if inception.download is None:
        return [inception.path]
    return [downloaded("extractors", file_name(inception.download.url))]


inception = CONFIG.extractors.inception
if inception is not None and inception.download is not None:
    DOWNLOADS["extractors", file_name(inception.download.url)] = {
        "url": inception.download.url,
        "checksum": inception.download.checksum,
    }


def sweep_of(wildcards):
    """Settings of a data set's measurements against evaluations."""
    return images_of(wildcards.dataset)["sweep"]


def swept_extractor(dataset):
    """The extractor that is measured against evaluations: the first one."""
    return images_of(dataset)["extractors"][0]


# One job for each flow, solver and number of steps.
SWEEP = "results/metrics/{dataset}/{schedule}/seed{seed}/sweep/{solver}_{steps}.csv"
SWEPT = [
    SWEEP.format(
        dataset=dataset, schedule=schedule, seed=seed, solver=solver, steps=steps
    )
    for dataset, schedule, seed in IMAGE_FLOWS
    if "sweep" in images_of(dataset)
    for solver, counts in images_of(dataset)["sweep"]["steps"].items()
    for steps in counts
]

if GENERATED:
    PARTS["image_roundtrip"] = [
        "results/metrics/{}/{}/seed{}/draw{}/image_roundtrip.csv".format(*run)
        for run in GENERATED
    ]
if SWEPT:
    PARTS["evaluation_sweep"] = SWEPT


GENERATION_TABLES = [
    name for name in ("image_roundtrip", "evaluation_sweep") if name in PARTS
]
GENERATION_TABLES += ["frechet"] if IMAGE_RUNS else []


def columns_of(runs):
    """Runs as lists of wildcards, for expand."""
    names = ("dataset", "schedule", "seed", "draw")
    return dict(zip(names, zip(*runs))) if runs else {name: [] for name in names}


def format_of(wildcards):
    """Format of a data set's images, as plain numbers."""
    return image_of(wildcards.dataset).describe()


def inception_of(name, extractor):
    """A setting of the extractor inception; none for the others."""
    settings = RESOLVED["extractors"].get("inception") or {}
    return settings.get(name) if extractor == "inception" else None


ANY_EXTRACTOR = "inception|efficientnet_lite0|digits_classifier"
CLASSIFIER = RESOLVED["extractors"]["digits_classifier"]
FRECHET = (
    "results/metrics/{dataset}/{schedule}/seed{seed}/draw{draw}/frechet_{extractor}"
)

if IMAGE_RUNS:
    PARTS["frechet"] = [
        f"{FRECHET}.csv".format(
            dataset=dataset,
            schedule=schedule,
            seed=seed,
            draw=draw,
            extractor=extractor,
        )
        for dataset, schedule, seed, draw in IMAGE_RUNS
        for extractor in images_of(dataset)["extractors"]
    ]
# What stands beside them: how they were measured.
PROTOCOLS = [path.removesuffix(".csv") + ".json" for path in PARTS.get("frechet", [])]
# Features of real images, and the classifier that reads those of digits.
REFERENCES = [
    f"results/references/{dataset}/{extractor}.{suffix}"
    for dataset in IMAGE_DATASETS
    for extractor in images_of(dataset)["extractors"]
    for suffix in ("safetensors", "json")
]
if any(
    "digits_classifier" in images_of(dataset)["extractors"]
    for dataset in IMAGE_DATASETS
):
    REFERENCES.append("results/extractors/digits_classifier.safetensors")


def digits_splits(wildcards):
    """The splits of the digits, that their classifier is trained on."""
    names = [name for name in DATASETS if CONFIG.datasets[name].kind == "digits"]
    if not names:
        raise WorkflowError(
            "extractors: digits_classifier needs a data set of kind digits.\nHint: list one, or another extractor."
        )
    return f"results/data/{names[0]}/splits.safetensors"


def weights_of(wildcards):
    """The file of an extractor's weights, if it is not in a package."""
    return extractor_weights_of(wildcards.extractor)
