"""The pages on figures and on tables, made from the registry of experiments when the site is built."""

from __future__ import annotations

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

# The library that lies beside the documents, whichever is installed.
sys.path.insert(0, str(Path(__file__).parents[2] / "workflow_scripts"))

from inflationary_flows.report.catalogue import PAGES


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages."""
    for name, written in PAGES.items():
        files.append(File.generated(config, f"{name}.md", content=written()))
    return files
