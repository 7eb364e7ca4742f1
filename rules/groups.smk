"""Groups of small jobs, each of which is one submission on a cluster. Without a cluster they mean nothing.

Needs common.smk and resources.smk; makes nothing. slurm/config.yaml says how large groups are. Between the groups lie only
jobs of their own, so that no group waits for itself:

    prepare    data sets, and what their images are compared with
    train      short trainings, and searches of hyper-parameters
    measure    a flow or a compared model, and what is measured with it
    images     few images of a flow, and distances of these
    report     tables and figures
"""

# What takes longer is a job of its own.
SHORT_MINUTES = 5
# What an image takes on a CPU whose features Inception reads.
SECONDS_OF_FEATURES = 0.1


def measuring_group(wildcards):
    """Group of jobs that measure a flow: on a CPU these are small ones."""
    return None if one_gpu_of(wildcards) else "measure"


def chain_group(wildcards):
    """Group of short chains; they belong to the flow that they sample with."""
    short = 60 * hours_of_chain(int(wildcards.n)) < SHORT_MINUTES
    return measuring_group(wildcards) if short else None


def replicates_group(wildcards):
    """Group of small batches of replicated posteriors, likewise."""
    short = 60 * hours_of_replicates() < SHORT_MINUTES
    return measuring_group(wildcards) if short else None


def image_group(wildcards, hours):
    """Group of jobs on images, if one takes moments of a single core."""
    small = job_of(wildcards).threads == 1 and 60 * hours < SHORT_MINUTES
    return "images" if small and not gpus_for_images(wildcards) else None


def carrying_group(wildcards):
    """Group of jobs that carry few images through a flow."""
    hours = device_hours_of_passes(wildcards.dataset, passes_of(wildcards))
    return image_group(wildcards, hours)


def features_group(wildcards):
    """Group of jobs that read features of few images."""
    hours = images_of(wildcards.dataset)["samples"] * SECONDS_OF_FEATURES / 3600
    return image_group(wildcards, hours)


def training_group(wildcards):
    """Group of trainings that take moments, such as those of toys with many seeds."""
    hours = device_hours_of_training(wildcards.dataset, variant_of(wildcards))
    small = job_of(wildcards).threads == 1 and 60 * hours < SHORT_MINUTES
    return "train" if small and not job_of(wildcards).gpu else None
