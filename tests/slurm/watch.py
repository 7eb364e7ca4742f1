"""What the cluster forgets when a job has ended."""

from __future__ import annotations

import threading

from cluster import Cluster, ClusterError


class Watch:
    """Notes which GPUs each job holds while it runs.

    Attributes:
        held: GPUs of each job that held any, as "node:number", by the job's number.
        together: Most GPUs that were held at the same time.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.held: dict[int, tuple[str, ...]] = {}
        self.together = 0
        self._ended = threading.Event()

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            try:
                holders = {job.id: job.gpus for job in self.cluster.jobs() if job.gpus}
            except ClusterError:
                # A busy controller may not answer in time.
                continue
            self.held |= holders
            self.together = max(self.together, len({gpu for gpus in holders.values() for gpu in gpus}))
