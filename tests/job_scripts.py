"""Scripts of jobs run in this process, as Snakemake runs them in one of their own."""

from __future__ import annotations

import runpy
from typing import Any

from repository import REPOSITORY


class Named(list[Any]):
    """Files, params or wildcards of a job as Snakemake hands them over: by name, and in a row."""

    def __init__(self, **items: Any) -> None:
        super().__init__()
        for value in items.values():
            self.extend(value if isinstance(value, list) else [value])
        self.__dict__ = items

    def get(self, name: str, default: Any = None) -> Any:
        return self.__dict__.get(name, default)

    def items(self) -> Any:
        return self.__dict__.items()

    def keys(self) -> Any:
        return self.__dict__.keys()

    def __getitem__(self, name: Any) -> Any:
        return self.__dict__[name] if isinstance(name, str) else super().__getitem__(name)


def run_script(rule: str, inputs: Named, outputs: Named, params: Named, wildcards: Named) -> None:
    """Runs the script of a rule in the working directory."""
    values = {
        "rule": rule,
        "log": [f"results/logs/{rule}.log"],
        "threads": 1,
        "scriptdir": str(REPOSITORY / "workflow_scripts"),
    }
    resources = Named(gpu=0, checkpoint_seconds=1000)
    script = type(
        "Script",
        (),
        {
            **values,
            "input": inputs,
            "output": outputs,
            "params": params,
            "wildcards": wildcards,
            "resources": resources,
        },
    )
    runpy.run_path(str(REPOSITORY / f"workflow_scripts/{rule}.py"), init_globals={"snakemake": script})
