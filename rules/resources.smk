"""What jobs ask for on a cluster: GPUs, time limits and memory.

Needs common.smk; makes nothing. Limits are as configured or, for `auto`, estimated from the size of the network, and grow
with each attempt. They stand, with the speeds of machines, under `hardware` and `limits` of the configuration and with
training and images; they change no result and are no params. Settings of images (`images_of`) are those of
image_runs.smk, looked up when a job asks.
"""

import math

from inflationary_flows.networks.costs import (
    evaluations_of,
    generation_hours,
    generation_memory_gb,
    network_cost,
    training_hours,
    training_memory_gb,
)

# Estimates are of arithmetic alone: reading, validation, compilation and slow moments come on top.
SLACK, OVERHEAD_MINUTES = 1.5, 15
# Memory of a process without its network: libraries and, with a GPU, its runtime.
PROCESS_GB, GPU_PROCESS_GB = 2.0, 5.0
# Seconds that a gradient of the joint density takes for one observation, and gradients of a trajectory.
GRADIENT_SECONDS, GRADIENTS = 1.4 / 2000, 40
# Seconds that a posterior of a replicate takes for one observation and particle.
REPLICATE_SECONDS = 98 / 2000 / 128
MINUTES = {"s": 1 / 60, "m": 1, "h": 60, "d": 1440}
MEGABYTES = {"MB": 1, "GB": 1000}


def minutes(hours, attempt):
    """Estimated hours as a time limit."""
    return f"{attempt * math.ceil(OVERHEAD_MINUTES + 60 * SLACK * hours)}m"


def megabytes(gigabytes, attempt):
    """Estimated memory as a limit."""
    return f"{attempt * math.ceil(1000 * SLACK * gigabytes)}MB"


def grown(limit, attempt):
    """A limit, such as 2h or 4GB, in the smallest unit and grown."""
    number, unit = re.fullmatch(r"(\d+)([a-zA-Z]+)", limit).groups()
    units, smallest = (MEGABYTES, "MB") if unit in MEGABYTES else (MINUTES, "m")
    return f"{attempt * math.ceil(int(number) * units[unit])}{smallest}"


@cache
def cost_of(dataset, variant=None):
    """Cost of the network of a data set, or of a variant of its flows."""
    network = settings.network_settings(CONFIG, dataset, variant)
    return network_cost(network, dimension_of(dataset))


def tflops_of(gpus, threads):
    """Sustained speed of a job."""
    if gpus:
        return gpus * CONFIG.hardware.gpu_tflops
    return threads * CONFIG.hardware.cpu_gflops / 1000


def device_hours_of_training(dataset, variant=None):
    """Hours that one device of a training computes."""
    job = settings.training_of(CONFIG, dataset, variant)
    return training_hours(
        cost_of(dataset, variant),
        job.steps * job.batch_size,
        tflops_of(job.gpu, job.threads),
    )


def device_hours_of_passes(dataset, passes):
    """Hours that one device takes for so many evaluations of single images."""
    threads = settings.training_of(CONFIG, dataset).threads
    speed = tflops_of(images_of(dataset)["gpu"], threads)
    return generation_hours(cost_of(dataset), passes, 1, speed)


def hours_of_chain(observations):
    """Hours that a chain over so many latents takes on one core."""
    iterations = HMC["joint"]["warmup"] + HMC["joint"]["draws"]
    return iterations * GRADIENTS * GRADIENT_SECONDS * observations / 3600


def hours_of_replicates():
    """Hours that one batch of replicated posteriors takes on one core."""
    work = SBC["replicates"] * SBC["observations"] * SBC["particles"] / SBC["batches"]
    return work * REPLICATE_SECONDS / 3600


def points_gb(dataset):
    """Memory of a data set's points as numbers of four bytes; archives hold at most 70,000 of them."""
    return 4e-9 * 70_000 * dimension_of(dataset)


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
# Resources of jobs that take moments: slurm/config.yaml says how many of them a group runs beside each other. The words for
# GPUs are there too, because all jobs of a group have to use the same ones.
SMALL = NO_GPU | {"lane": 1}


def growing(limit):
    """A limit, such as 2h or 4GB, that grows with each attempt."""
    return lambda wildcards, attempt: grown(limit, attempt)


MEASURE, FEATURES = CONFIG.limits.measure, CONFIG.limits.features
# Resources of jobs that carry points through one flow.
MEASURING = on_gpus(one_gpu_of) | {
    "mem": growing(MEASURE.mem),
    "runtime": growing(MEASURE.runtime),
    "lane": 1,
}


def growing_outside(group_of, limit):
    """A time limit of jobs of which the small ones, in groups, count for no more than those that measure points."""
    return lambda wildcards, attempt: grown(
        MEASURE.runtime if group_of(wildcards) else limit, attempt
    )


def preparation_runtime(wildcards, attempt):
    """Time limit of reading and splitting a data set: archives of images take their time."""
    return grown("1h" if image_of(wildcards.dataset) else "5m", attempt)


def training_runtime(wildcards, attempt):
    """Time limit of a training."""
    configured = job_of(wildcards).runtime
    if configured != "auto":
        return grown(configured, attempt)
    hours = device_hours_of_training(wildcards.dataset, variant_of(wildcards))
    return minutes(hours, attempt)


def training_mem(wildcards, attempt):
    """Memory of a training: of the host, where GPUs hold the network."""
    job = job_of(wildcards)
    if job.mem != "auto":
        return grown(job.mem, attempt)
    points = points_gb(wildcards.dataset)
    if job.gpu:
        return megabytes(job.gpu * (GPU_PROCESS_GB + points), attempt)
    cost = cost_of(wildcards.dataset, variant_of(wildcards))
    network = training_memory_gb(cost, job.batch_size // job.accumulate)
    return megabytes(PROCESS_GB + points + network, attempt)


def evaluations_of_flow(wildcards):
    """Evaluations of the network that one way through a flow costs; a Gaussian and real images need none."""
    if wildcards.schedule not in CONFIG.schedules:
        return 0
    solver = solver_of(wildcards)
    return evaluations_of(solver["method"], solver["steps"])


def passes_of(wildcards):
    """Evaluations of single images that a job makes; its wildcards tell which job it is."""
    chosen, way = images_of(wildcards.dataset), evaluations_of_flow(wildcards)
    if hasattr(wildcards, "steps"):
        # One solver of the sweep: samples, and a round trip.
        sweep = chosen["sweep"]
        images = sweep["samples"] + 2 * sweep["roundtrip"]
        return images * evaluations_of(wildcards.solver, int(wildcards.steps))
    if hasattr(wildcards, "part"):
        return count_of(wildcards) * way
    if hasattr(wildcards, "draw"):
        return 2 * chosen["roundtrip"] * way
    # Pictures: there, back, and new ones.
    return 3 * chosen["pictures"] * way


def generation_runtime(wildcards, attempt):
    """Time limit of a job that carries images through a flow; small ones count for no more than those of points."""
    if carrying_group(wildcards):
        return grown(MEASURE.runtime, attempt)
    configured = images_of(wildcards.dataset)["runtime"]
    if configured != "auto":
        return grown(configured, attempt)
    hours = device_hours_of_passes(wildcards.dataset, passes_of(wildcards))
    return minutes(hours, attempt)


def generation_mem(wildcards, attempt):
    """Memory of a job that carries images: of the host, where a GPU holds the network."""
    chosen = images_of(wildcards.dataset)
    if chosen["mem"] != "auto":
        return grown(chosen["mem"], attempt)
    points = points_gb(wildcards.dataset)
    if chosen["gpu"]:
        return megabytes(GPU_PROCESS_GB + points, attempt)
    network = generation_memory_gb(
        cost_of(wildcards.dataset), chosen.get("batch_size") or 64
    )
    return megabytes(PROCESS_GB + points + network, attempt)
