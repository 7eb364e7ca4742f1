"""Four things that Snakemake and its SLURM executor have to be told, as no option of them says so.

Needs nothing, makes nothing. The scheduler is told on any machine, the executor where there is one; tests/slurm fails
without either of the latter.
"""

import os
import sys
import threading
from pathlib import Path

from inflationary_flows.runtime.changes import changes_since
from snakemake.exceptions import WorkflowError
from snakemake.persistence import ParamsChange, PersistenceBase
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.settings.enums import RerunTrigger


def look_again(scheduler, delay):
    """Has the scheduler look for jobs to start after a delay, once.

    Each look while jobs wait asks for another one a second later, because of the limit of jobs a second, and so does each
    end of a job. As all of these go on, a run of hundreds of jobs would look hundreds of times a second, and keep a core
    from its jobs.
    """

    def look():
        scheduler.is_to_look_again = False
        scheduler._open_jobs.release()

    if getattr(scheduler, "is_to_look_again", False):
        return
    scheduler.is_to_look_again = True
    timer = threading.Timer(delay, look)
    # The end of a run does not wait for it.
    timer.daemon = True
    timer.start()


# The name is Snakemake's own, as it is spelt there; under another one nothing would be replaced, without a word.
REPLACED = "_schedule_reevalutation"
if not hasattr(JobScheduler, REPLACED):
    raise WorkflowError(
        f"snakemake: expected a scheduler with the method {REPLACED}, got none. Hint: this version names it differently; "
        "correct the name in rules/executor.smk, or use the version that requirements.lock names."
    )
setattr(JobScheduler, REPLACED, look_again)


def remembers(persistence, job, has_metadata=PersistenceBase.has_metadata):
    """Whether Snakemake knows how a job was done. If it does not, sidecars say what the job would be given otherwise."""
    known = has_metadata(persistence, job)
    if not known and RerunTrigger.PARAMS in workflow.rerun_triggers:
        changes = changes_since(job.output, dict(job.params.items()), job.input, ROOT)
        persistence.dag.reason(job).params_changed = ParamsChange(*changes)
    return known


PersistenceBase.has_metadata = remembers

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


def found_from_elsewhere(read):
    """Reading of partitions that a profile names by a path from where Snakemake started, which --directory has left."""
    folders = [Path(), Path(os.environ.get("PWD", "")), Path(workflow.basedir)]
    found = lambda file: [f / file for f in folders if (f / file).is_file()]
    return lambda file: read([*found(file), file][0])


if EXECUTOR is not None:
    EXECUTOR.read_partition_file = found_from_elsewhere(EXECUTOR.read_partition_file)
    EXECUTOR.query_job_status = preempted_is_ended(EXECUTOR.query_job_status)
    # Snakemake within a job of the cluster has to know how large groups are, or it takes a group for as many groups as it
    # has unconnected parts and starts itself again for each.
    EXECUTOR.common_settings.pass_group_args = True
