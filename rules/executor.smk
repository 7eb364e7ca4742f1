"""Two things that Snakemake's SLURM executor has to be told, as no option of it says them.

Needs nothing, makes nothing; without that executor nothing happens. tests/slurm fails without either.
"""

import sys

EXECUTOR = sys.modules.get("snakemake_executor_plugin_slurm")


def preempted_is_ended(ask):
    """A question for the states of jobs that calls preempted ones cancelled.

    The executor leaves these to SLURM and waits. The profile tells SLURM not to start them again, so that it would wait
    for ever.
    """

    async def states(command, logger):
        found, seconds = await ask(command, logger)
        ended = {"PREEMPTED": "CANCELLED"}
        named = found and {job: ended.get(state, state) for job, state in found.items()}
        return named, seconds

    return states


if EXECUTOR is not None:
    EXECUTOR.query_job_status = preempted_is_ended(EXECUTOR.query_job_status)
    # Snakemake within a job of the cluster has to know how large groups are, or it takes a group for as many groups as it
    # has unconnected parts and starts itself anew for each.
    EXECUTOR.common_settings.pass_group_args = True
