"""Plain values as YAML that this project's reader, and any other of YAML 1.1, reads as the same values."""

from __future__ import annotations

import re
from typing import Any

from inflationary_flows.extras import needs
from inflationary_flows.files.files import readable

with needs("files of YAML", "workflow"):
    import yaml

# What is a number in YAML 1.2, by tag.
NUMBERS = {
    "tag:yaml.org,2002:float": re.compile(
        r"""^(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?
             |[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+
             |[-+]?\.(?:inf|Inf|INF)
             |\.(?:nan|NaN|NAN))$""",
        re.VERBOSE,
    ),
    "tag:yaml.org,2002:int": re.compile(r"^(?:[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+)$"),
}


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper that quotes texts which one reader or the other would take for a number."""


for _tag, _pattern in NUMBERS.items():
    _Dumper.add_implicit_resolver(_tag, _pattern, list("-+0123456789."))
_Dumper.add_representer(str, lambda dumper, text: dumper.represent_str(readable(text)))


def dump_yaml(content: Any) -> str:
    """Writes plain values as YAML, keys in their order."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
