"""Settings that artifacts were made with, held against those of the configuration that lies beside the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inflationary_flows.audit.sidecars import Ledger, Sidecar
from inflationary_flows.errors import InflationaryFlowsError
from inflationary_flows.runtime.changes import as_recorded, differences
from inflationary_flows.runtime.provenance import RESOLVED

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study

# Of a data set's settings those that are no params: what flows are fitted to it, and where its files lie.
_NO_PARAMS = ("schedules", "network", "training", "label", "path", "checksum", "download")
_MEASURED_BY = "measure_"
# What settings lead to that name what is not there, or whose files are elsewhere.
_CANNOT_SAY = (InflationaryFlowsError, LookupError, ValueError, TypeError, AttributeError, OSError)


class Settings:
    """What a configuration asks for, as far as it can be told from sidecars alone.

    Data sets, schedules, networks, trainings and solvers are known by the wildcards of a job, and the settings of an
    experiment by its rule.

    Arguments:
        results: Folder of the results.

    Attributes:
        unknown: Why nothing can be compared, if so.
    """

    def __init__(self, results: Path) -> None:
        self.unknown: str | None = None
        try:
            # A reviewer may have no more than Python.
            from pydantic import ValidationError

            from inflationary_flows.config.models import Config
            from inflationary_flows.config.reading import read_yaml
            from inflationary_flows.config.study import Study
        except ImportError as problem:
            self.unknown = f"{problem.name} is not installed"
            return
        try:
            self._resolved = read_yaml(results / RESOLVED)
            self._study: Study = Study(Config.model_validate(self._resolved))
        except (InflationaryFlowsError, ValidationError, OSError, RecursionError):
            self.unknown = f"{RESOLVED} is missing, or is not of this version"

    def differences(self, ledger: Ledger) -> Iterator[tuple[str, str]]:
        """Pairs of an artifact and what it was made with that the configuration has otherwise."""
        for artifact, sidecar in ledger.sidecars.items() if self.unknown is None else ():
            found = [
                difference
                for name, expected in self._expected(sidecar)
                for difference in differences(
                    sidecar.params[name], as_recorded({name: expected}, ledger.results.parent)[name], name
                )
            ]
            if found:
                place, then, now = found[0]
                more = f", and {len(found) - 1} more" if len(found) > 1 else ""
                yield artifact, f"params {place}: made with {then}, configuration says {now}{more}"

    def _expected(self, sidecar: Sidecar) -> Iterator[tuple[str, Any]]:
        """Params of a job by name, where the configuration still has what its wildcards name."""
        for name, expected in self._known(sidecar).items():
            if name in sidecar.params:
                try:
                    yield name, expected()
                except _CANNOT_SAY:
                    continue

    def _known(self, sidecar: Sidecar) -> Mapping[str, Callable[[], Any]]:
        from inflationary_flows.config import settings
        from inflationary_flows.experiments.layout import params_of
        from inflationary_flows.experiments.registry import experiments

        config = self._study.config
        dataset, schedule, seed = (str(sidecar.wildcards.get(name, "")) for name in ("dataset", "schedule", "seed"))
        variant = seed.partition("-")[2] or None
        known: dict[str, Callable[[], Any]] = {
            "dataset": lambda: {
                name: value for name, value in self._resolved["datasets"][dataset].items() if name not in _NO_PARAMS
            },
            "schedule": lambda: settings.schedule_settings(config, schedule, dataset),
            "kernels": lambda: self._study.kernels_of(dataset, schedule, variant),
            "network": lambda: settings.network_settings(config, dataset, variant),
            "training": lambda: settings.training_settings(config, dataset, variant),
            "solver": lambda: settings.solver_settings(config, schedule),
        }
        # A name is no settings: of a solver, or of a schedule that is tried.
        known = {name: of for name, of in known.items() if isinstance(sidecar.params.get(name), Mapping)}
        known["compressed_prior"] = lambda: config.schedules[schedule].compressed_prior
        experiment = experiments().get(sidecar.rule.removeprefix(_MEASURED_BY))
        if sidecar.rule.startswith(_MEASURED_BY) and experiment is not None and experiment.measurement is not None:
            try:
                measured = params_of(self._study, experiment, dataset)
            except _CANNOT_SAY:
                return known
            known |= {name: partial(measured.get, name) for name in measured}
        return known
