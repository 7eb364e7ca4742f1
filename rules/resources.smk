"""What jobs ask for: GPUs, time limits and memory, expected seconds, and groups of small jobs.

Needs common.smk; makes nothing. Limits are as configured or, for `auto`, estimated from the size of the network, and grow
with each attempt. They stand, with the speeds of machines, under `hardware` and `limits` of the configuration and with
training and images; they change no result and are no params. `expected_seconds` is what `snakemake plan` adds up.

A group of small jobs is one submission on a cluster; without a cluster groups mean nothing. slurm/config.yaml says how large
groups are. Between the groups lie only jobs of their own, so that no group waits for itself:

    prepare    data sets, and what their images are compared with
    train      short trainings, and searches of hyper-parameters
    measure    flows of a data set or a compared model, and what is measured with them
    images     few images of a flow, and distances of these
    report     tables and figures
"""

import math

from inflationary_flows.config.limits import grown, megabytes, minutes
from inflationary_flows.networks import costs
from inflationary_flows.runtime.host import limit_of_gpus

# Memory of a process without its network: libraries and, with a GPU, its runtime.
PROCESS_GB, GPU_PROCESS_GB = 2.0, 5.0
# Seconds of a job that does next to nothing: it starts and imports (results/benchmarks of config.yaml).
MOMENT = 10
# Seconds of a particle of the joint sampler.
PARTICLE_SECONDS = 1e-4
# Seconds that a posterior of a replicate takes for one observation and particle.
REPLICATE_SECONDS = 98 / 2000 / 128
# Seconds of an image on a CPU whose features Inception reads, and elsewhere: on a GPU, or by small extractors.
SECONDS_OF_FEATURES, SECONDS_OF_QUICK_FEATURES = 0.1, 0.012
# What takes longer is a job of its own.
SHORT_MINUTES = 5


def growing(limit):
    """A limit, such as 2h or 4GB, that grows with each attempt."""
    return lambda wildcards, attempt: grown(limit, attempt)


def expected(hours_of):
    """Expected seconds of a job, from a function that gives hours of arithmetic; its start comes on top."""
    return lambda wildcards: MOMENT + math.ceil(3600 * hours_of(wildcards))


def on_gpus(number_of):
    """Resources of jobs that run networks: as many GPUs as a function of wildcards says, in the words of this cluster."""
    model, generic = CONFIG.hardware.gpu_model, CONFIG.hardware.gpu_request == "gres"

    def gpu(wildcards):
        return 0 if generic else number_of(wildcards)

    def gpu_model(wildcards):
        return model if gpu(wildcards) else ""

    def gres(wildcards):
        kind, number = f"gpu:{model}" if model else "gpu", number_of(wildcards)
        return f"{kind}:{number}" if number else ""

    asked = {"gpu": gpu}
    if generic:
        return asked | {"gres": gres}
    return asked | {"gpu_model": gpu_model} if model else asked


NO_GPU = on_gpus(lambda wildcards: 0)


def small(mem, runtime, seconds=MOMENT):
    """Resources of jobs that take moments on a CPU; slurm/config.yaml says how many of them a group runs side by side.

    The words for GPUs are there too, because all jobs of a group have to use the same ones.
    """
    return NO_GPU | {
        "lane": 1,
        "mem": mem,
        "runtime": runtime,
        "expected_seconds": seconds,
    }


# Jobs of one machine share its GPUs: no more of them run beside each other, unless --resources gpu=... says otherwise.
if workflow.is_main_process and workflow.resource_settings.nodes is None:
    gpus = limit_of_gpus(max(known.gpu for known in CONFIG.training.values()))
    if gpus and "gpu" not in workflow.global_resources:
        workflow.register_resource("gpu", gpus)

MEASURE, FEATURES = CONFIG.limits.measure, CONFIG.limits.features


def measuring(flows_of=lambda wildcards: 1, seconds_of=lambda wildcards: MOMENT):
    """Resources of jobs that carry points through flows: as many as a function of wildcards says."""
    return on_gpus(one_gpu_of) | {
        "mem": growing(MEASURE.mem),
        "runtime": lambda wildcards, attempt: grown(
            MEASURE.runtime, attempt * max(1, flows_of(wildcards))
        ),
        "expected_seconds": seconds_of,
        "lane": 1,
    }


def growing_outside(group_of, limit):
    """A time limit of jobs of which the small ones, in groups, count for no more than those that measure points."""
    return lambda wildcards, attempt: grown(
        MEASURE.runtime if group_of(wildcards) else limit, attempt
    )


def threads_of(wildcards):
    """Threads of a training, and of what runs its network on images."""
    return job_of(wildcards).threads


def checkpoint_seconds_of(settings_of):
    """Seconds between saved states, of settings that have them."""

    def seconds(wildcards):
        chosen = settings_of(wildcards)
        chosen = chosen if isinstance(chosen, dict) else vars(chosen)
        return math.ceil(chosen["checkpoint_seconds"])

    return seconds


# Networks: what they cost, and the jobs that train and run them.


@cache
def cost_of(dataset, variant=None):
    """Cost of the network of a data set, or of a variant of its flows."""
    network = settings.network_settings(CONFIG, dataset, variant)
    return costs.network_cost(network, STUDY.dimension_of(dataset))


def tflops_of(gpus, threads):
    """Sustained speed of a job."""
    if gpus:
        return gpus * CONFIG.hardware.gpu_tflops
    return threads * CONFIG.hardware.cpu_gflops / 1000


def points_gb(dataset):
    """Memory of a data set's points as numbers of four bytes; archives hold at most 70,000 of them."""
    return 4e-9 * 70_000 * STUDY.dimension_of(dataset)


def gpus_for_training(wildcards):
    """GPUs of a training."""
    return job_of(wildcards).gpu


def one_gpu_of(wildcards):
    """One GPU for what evaluates a network that was trained on any."""
    return min(1, job_of(wildcards).gpu)


def hours_of_training(wildcards):
    """Hours that the devices of a training compute."""
    job = job_of(wildcards)
    cost = cost_of(wildcards.dataset, variant_of(wildcards))
    speed = tflops_of(job.gpu, job.threads)
    return costs.training_hours(cost, job.steps * job.batch_size, speed)


def preparation_runtime(wildcards, attempt):
    """Time limit of reading and splitting a data set: archives of images take their time."""
    return grown("1h" if STUDY.image_of(wildcards.dataset) else "5m", attempt)


def training_runtime(wildcards, attempt):
    """Time limit of a training."""
    configured = job_of(wildcards).runtime
    if configured != "auto":
        return grown(configured, attempt)
    return minutes(hours_of_training(wildcards), attempt)


def training_mem(wildcards, attempt):
    """Memory of a training: of the host, where GPUs hold the network."""
    job = job_of(wildcards)
    if job.mem != "auto":
        return grown(job.mem, attempt)
    points = points_gb(wildcards.dataset)
    if job.gpu:
        return megabytes(job.gpu * (GPU_PROCESS_GB + points), attempt)
    cost = cost_of(wildcards.dataset, variant_of(wildcards))
    network = costs.training_memory_gb(cost, job.batch_size // job.accumulate)
    return megabytes(PROCESS_GB + points + network, attempt)


def training_group(wildcards):
    """Group of trainings that take moments, such as those of toys with many seeds."""
    one_core = job_of(wildcards).threads == 1
    quick = one_core and 60 * hours_of_training(wildcards) < SHORT_MINUTES
    return "train" if quick and not job_of(wildcards).gpu else None


def measuring_group(wildcards):
    """Group of jobs that measure flows: on a CPU these are small ones."""
    return None if one_gpu_of(wildcards) else "measure"


# Inference: chains and replicates.


def hours_of_chains(wildcards):
    """Hours that the chains of a flow over so many latents take."""
    joint, chains = SETTINGS["hmc"]["joint"], SETTINGS["hmc"]["chains"]
    draws = joint["particles"] / joint["renewed"] + joint["warmup"] + joint["draws"]
    points = draws * joint["renewed"] * joint["observations"] * chains
    return points * PARTICLE_SECONDS / joint["threads"] / 3600


def hours_of_replicates(wildcards):
    """Hours that one batch of replicated posteriors takes on one core."""
    sbc = SETTINGS["sbc"]
    cases = 1 + len(sbc["noise_factors"]) + ("generator_seed" in sbc)
    work = cases * sbc["replicates"] * sbc["observations"] * sbc["particles"]
    return work / sbc["batches"] * REPLICATE_SECONDS / 3600


def measuring_if_short(hours_of):
    """Group of jobs that run a flow for so many hours, if they are short."""

    def group(wildcards):
        short = 60 * hours_of(wildcards) < SHORT_MINUTES
        return measuring_group(wildcards) if short else None

    return group


chains_group = measuring_if_short(hours_of_chains)
replicates_group = measuring_if_short(hours_of_replicates)

# Images: generation, round trips, and features.


def images_of(wildcards):
    """Settings of a data set's experiments on images."""
    return IMAGES.settings_of(wildcards.dataset)


def gpus_for_images(wildcards):
    """GPUs of a job that runs networks on images."""
    return images_of(wildcards)["gpu"]


def evaluations_of_flow(wildcards):
    """Evaluations of the network that one way through a flow costs; a Gaussian and real images need none."""
    if wildcards.schedule not in CONFIG.schedules:
        return 0
    solver = solver_of(wildcards)
    return costs.evaluations_of(solver["method"], solver["steps"])


def hours_of_carrying(wildcards):
    """Hours of a job that carries images through a flow; its wildcards tell which job it is."""
    way = evaluations_of_flow(wildcards)
    passes = IMAGES.evaluations(wildcards.dataset, way, wildcards)
    threads = settings.training_of(CONFIG, wildcards.dataset).threads
    speed = tflops_of(gpus_for_images(wildcards), threads)
    return costs.generation_hours(cost_of(wildcards.dataset), passes, 1, speed)


def image_group(wildcards, hours):
    """Group of jobs on images, if one takes moments of a single core."""
    quick = job_of(wildcards).threads == 1 and 60 * hours < SHORT_MINUTES
    return "images" if quick and not gpus_for_images(wildcards) else None


def carrying_group(wildcards):
    """Group of jobs that carry few images through a flow."""
    return image_group(wildcards, hours_of_carrying(wildcards))


def features_group(wildcards):
    """Group of jobs that read features of few images."""
    hours = images_of(wildcards)["samples"] * SECONDS_OF_FEATURES / 3600
    return image_group(wildcards, hours)


def seconds_of_features(wildcards):
    """Expected seconds of a job that reads features of one set of images."""
    slow = wildcards.extractor == "inception" and not gpus_for_images(wildcards)
    each = SECONDS_OF_FEATURES if slow else SECONDS_OF_QUICK_FEATURES
    return MOMENT + math.ceil(images_of(wildcards)["samples"] * each)


def carrying_runtime(wildcards, attempt):
    """Time limit of a job that carries images through a flow; small ones count for no more than those of points."""
    configured = images_of(wildcards)["runtime"]
    if carrying_group(wildcards):
        return grown(MEASURE.runtime, attempt)
    if configured != "auto":
        return grown(configured, attempt)
    return minutes(hours_of_carrying(wildcards), attempt)


def carrying_mem(wildcards, attempt):
    """Memory of a job that carries images: of the host, where a GPU holds the network."""
    chosen, points = images_of(wildcards), points_gb(wildcards.dataset)
    if chosen["mem"] != "auto":
        return grown(chosen["mem"], attempt)
    if chosen["gpu"]:
        return megabytes(GPU_PROCESS_GB + points, attempt)
    batch = chosen.get("batch_size") or 64
    network = costs.generation_memory_gb(cost_of(wildcards.dataset), batch)
    return megabytes(PROCESS_GB + points + network, attempt)


CARRYING = on_gpus(gpus_for_images) | {
    "mem": carrying_mem,
    "runtime": carrying_runtime,
    "expected_seconds": expected(hours_of_carrying),
    "lane": 1,
}
# Those of them that keep their progress.
KEEPING = CARRYING | {"checkpoint_seconds": checkpoint_seconds_of(images_of)}


def reading_features(group_of, seconds):
    """Resources of jobs that read features of images."""
    return on_gpus(gpus_for_images) | {
        "mem": growing(FEATURES.mem),
        "runtime": growing_outside(group_of, FEATURES.runtime),
        "expected_seconds": seconds,
        "lane": 1,
    }


# Compared methods: searches, trainings, and what is measured of models.


def budget_of(wildcards):
    """What methods may spend on a data set, with the resources of their jobs."""
    return COMPARISON.budget_of(wildcards.dataset, wildcards.schedule)


def gpus_of_method(wildcards):
    """GPUs of a job that trains or runs a method."""
    return budget_of(wildcards).gpu


def threads_of_method(wildcards):
    """Threads of these jobs."""
    return budget_of(wildcards).threads


def hours_of_method(wildcards):
    """Hours that one training takes. Methods are given equal time: that of our flow is known from its operations."""
    budget = budget_of(wildcards)
    methods = COMPARISON.methods_of(wildcards.dataset, wildcards.schedule).values()
    steps = [m["steps"] for m in methods if m["kind"] == "inflationary_flow"]
    if not steps:
        return int(grown(budget.runtime, 1).removesuffix("m")) / 60
    batch = settings.training_of(CONFIG, wildcards.dataset).batch_size
    speed = tflops_of(budget.gpu, budget.threads)
    return costs.training_hours(cost_of(wildcards.dataset), max(steps) * batch, speed)


def hours_of_search(wildcards):
    """Hours that all candidates of a method take."""
    candidates = max(len(m.candidates) for m in COMPARISON.config.methods.values())
    share = budget_of(wildcards).search_share
    return candidates * share * hours_of_method(wildcards)


def hours_of_ways(points_of):
    """Hours that so many points take one way through our flow; other methods need a single pass."""

    def hours(wildcards):
        budget = budget_of(wildcards)
        passes = points_of(wildcards) * evaluations_of_flow(wildcards)
        speed = tflops_of(budget.gpu, budget.threads)
        return costs.generation_hours(cost_of(wildcards.dataset), passes, 1, speed)

    return hours


def compared_images_of(wildcards):
    """Settings of the images that methods generate of a data set."""
    return COMPARISON.config.datasets[wildcards.dataset].images


# Samples, reconstructions and round trips; samples that posteriors are made from; images of a sample seed.
hours_of_quality = hours_of_ways(lambda wildcards: 5 * COMPARISON.config.samples)
hours_of_pool = hours_of_ways(
    lambda wildcards: len(COMPARISON.judged(*wildcards)) * SETTINGS["tarp"]["pool"]
)
hours_of_samples = hours_of_ways(lambda job: compared_images_of(job).samples)


def hours_of_features(wildcards):
    """Hours of features of the images of all sample seeds, by all extractors."""
    chosen = compared_images_of(wildcards)
    images = len(chosen.sample_seeds) * chosen.samples
    extractors = len(images_of(wildcards)["extractors"])
    return extractors * images * SECONDS_OF_FEATURES / 3600


def method_group(name, hours_of):
    """A group of jobs of methods, for those that take moments of a single core."""

    def group(wildcards):
        budget = budget_of(wildcards)
        quick = budget.threads == 1 and 60 * hours_of(wildcards) < SHORT_MINUTES
        return name if quick and not budget.gpu else None

    return group


def distances_group(wildcards):
    """Group of jobs that read features of few images of a method."""
    return image_group(wildcards, hours_of_features(wildcards))


def search_runtime(wildcards, attempt):
    """Time limit of a search: that of a training, unless its candidates together take longer than one."""
    candidates = len(COMPARISON.config.methods[wildcards.method].candidates)
    longer = max(1, math.ceil(candidates * budget_of(wildcards).search_share))
    return grown(budget_of(wildcards).runtime, longer * attempt)


def fitting_runtime(wildcards, attempt):
    """Time limit of the training of a method."""
    return grown(budget_of(wildcards).runtime, attempt)


def running_method(runtime, hours_of):
    """Resources of jobs that run a method for so many hours."""
    return on_gpus(gpus_of_method) | {
        "mem": lambda wildcards, attempt: grown(budget_of(wildcards).mem, attempt),
        "runtime": runtime,
        "expected_seconds": expected(hours_of),
        "lane": 1,
    }


def measuring_method(group_of, hours_of):
    """Resources of jobs that carry points through a model: small ones, in groups, count for no more than others."""
    return running_method(
        lambda wildcards, attempt: grown(
            MEASURE.runtime if group_of(wildcards) else budget_of(wildcards).runtime,
            attempt,
        ),
        hours_of,
    )


KEEPING_METHOD = {"checkpoint_seconds": checkpoint_seconds_of(budget_of)}
