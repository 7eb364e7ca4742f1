"""Configurations that are another one but for a few values."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any


def changed(base: Mapping[str, Any], /, **paths: Any) -> dict[str, Any]:
    """A configuration with values at places such as `schedules__prp__rho`."""
    content = copy.deepcopy(dict(base))
    for path, value in paths.items():
        node = content
        *parents, last = path.split("__")
        for part in parents:
            node = node.setdefault(part, {})
        node[last] = value
    return content
