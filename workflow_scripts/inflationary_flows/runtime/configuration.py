"""The configuration of a run as it stands beside its results: one file to hand on, one for this machine alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from inflationary_flows.files.files import atomic_write
from inflationary_flows.files.portable import portable
from inflationary_flows.files.yaml_text import dump_yaml
from inflationary_flows.runtime.provenance import (
    CONFIGURATION,
    LOCAL,
    RESOLVED,
    RESULTS,
    Recorder,
    recorded,
    recorded_content,
    sidecar_of,
)


def write_configuration(resolved: Mapping[str, Any], files: Iterable[Path | str], repository: Path) -> None:
    """Writes the configuration with all defaults beside the results, unless it stands there already.

    `config.resolved.yaml` names no folder outside, as every sidecar.  A hidden file, which no bundle holds, has the
    paths and addresses as they were given: the plan of a run and the audit find files by them.

    Arguments:
        resolved: The configuration with every default written out.
        files: What it was read from.
        repository: Folder of the workflow.
    """
    shared = dump_yaml(portable(resolved, repository))
    given = json.dumps(resolved, ensure_ascii=False)
    for name, text in ((LOCAL, given), (RESOLVED, f"# Every setting of this run, defaults included.\n{shared}")):
        path = RESULTS / name
        same = path.is_file() and path.read_bytes() == text.encode()
        if same and (name == LOCAL or recorded_content(sidecar_of(name))):
            continue
        with recorded(Recorder(CONFIGURATION, inputs=files, repository=repository)), atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
