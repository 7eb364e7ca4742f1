"""Checksums of external files: `sha256:...`, `md5:...`, or `record` where there is none.

Some publishers give md5 only; it detects damage, not forgery.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from inflationary_flows.errors import DataError

RECORD = "record"
_LENGTHS = {"sha256": 64, "md5": 32}


def is_checksum(text: str) -> bool:
    """Whether a text is `sha256:` or `md5:` with as many hexadecimal digits as they have, or `record`."""
    algorithm, _, digest = text.partition(":")
    return text == RECORD or (
        algorithm in _LENGTHS and bool(re.fullmatch(f"[0-9a-f]{{{_LENGTHS[algorithm]}}}", digest))
    )


def require_checksum(where: str, checksum: str, found: dict[str, str], hint: str) -> None:
    """Raises `DataError`, naming both, if a file's digests differ from the expected one.

    Arguments:
        where: The file, or where it comes from.
        checksum: Expected checksum.
        found: Digests of the file by algorithm.
        hint: What to do about it.
    """
    algorithm, _, digest = checksum.partition(":")
    if checksum != RECORD and found[algorithm] != digest:
        raise DataError(where, checksum, f"{algorithm}:{found[algorithm]}", hint)


def verify_file(path: str | os.PathLike[str], checksum: str) -> None:
    """Raises `DataError` if a file is not the one that a checksum names."""
    algorithm = checksum.partition(":")[0]
    if checksum == RECORD:
        return
    with open(Path(path), "rb") as file:
        found = {algorithm: hashlib.file_digest(file, algorithm).hexdigest()}
    hint = "the file is incomplete or another one: download it again, or correct `checksum`."
    require_checksum(str(path), checksum, found, hint)
