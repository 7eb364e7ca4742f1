"""Fetches files that the configuration names by address, so that no later job needs a network.

A file is hashed as it arrives under a temporary name, and gets its own name only once it is whole and its checksum
right.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inflationary_flows.data.checksums import require_checksum
from inflationary_flows.errors import DataError, shorten
from inflationary_flows.files.files import atomic_write

SCHEMES = ("https", "http", "file")

_TRIES = 3
_FIRST_WAIT = 5.0
_TIMEOUT = 60.0
_CHUNK = 1 << 20
# Bytes of a file: ten times the largest archive of images that the configurations name.
_MOST_BYTES = 100 << 30
# Bytes a second, over the first minutes or more: a slower transfer would take days for a small archive.
_SLOWEST, _PATIENCE_SECONDS = 1000, 600.0
_SECONDS_BETWEEN_LINES = 10.0
# Answers that another try may turn into success; others will not change.
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)


class _Interrupted(Exception):
    """A transfer that ended early or never began, for a reason that may pass."""


def file_name(url: str) -> str | None:
    """Name under which an address is kept, or None if it is no address of a file that could be fetched.

    Blanks, control characters and letters beyond ASCII have to be written as %20 and the like. Names and passwords are
    no part of an address that provenance records. A name has at most 200 letters: files beside it have longer ones.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        # Raises for a port that is none.
        odd = parts.port == 0 or "@" in parts.netloc or not re.fullmatch(r"[!-~]+", url)
    except ValueError:
        return None
    if odd:
        return None
    name = urllib.parse.unquote(parts.path.rpartition("/")[2])
    if parts.scheme not in SCHEMES or not (parts.netloc or parts.scheme == "file"):
        return None
    plain = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+\-]{0,199}", name)
    return name if plain and not name.endswith(".sha256") else None


def fetch(
    url: str,
    path: str | os.PathLike[str],
    checksum: str,
    logger: logging.Logger,
    *,
    first_wait: float = _FIRST_WAIT,
    timeout: float = _TIMEOUT,
    most: int = _MOST_BYTES,
) -> str:
    """Fetches a file, three times at most, waiting longer each time.

    Arguments:
        url: Address: https, http or file.
        path: Output file, replaced only by a whole file with the right checksum.
        checksum: Expected checksum, or `record`.
        logger: Receives the progress.
        first_wait: Seconds before the second try; the third waits four times as long.
        timeout: Seconds without a byte after which a try ends.
        most: Bytes that a file may have.

    Returns:
        The sha256 of the file, in hexadecimal.

    Raises:
        DataError: if the address is unfit or unreachable, the transfer breaks off each time, the file is larger than
            the disk or `most`, or it is another one than the checksum names.
    """
    if file_name(url) is None:
        raise DataError(
            shorten(url, 200),
            "an address of a file (https, http, file) in plain characters, without a user's name",
            "another one",
            "correct `url`; a file's name has at most 200 letters, and a blank is written %20.",
        )
    for attempt in range(1, _TRIES + 1):
        try:
            return _fetch_once(url, path, checksum, logger, timeout, most)
        except _Interrupted as problem:
            if attempt == _TRIES:
                raise DataError(
                    url,
                    f"a transfer that succeeds within {_TRIES} tries",
                    str(problem),
                    "check the address and the network; a file that you fetched yourself can be named by `path`.",
                ) from problem
            wait = first_wait * 4 ** (attempt - 1)
            logger.info("%s: %s; next try in %g s", url, problem, wait)
            time.sleep(wait)
    raise AssertionError("the last try returns or raises")


def _fetch_once(
    url: str, path: str | os.PathLike[str], checksum: str, logger: logging.Logger, timeout: float, most: int
) -> str:
    digests = {name: hashlib.new(name) for name in ("sha256", "md5")}
    with atomic_write(path) as temporary, _opened(url, timeout) as answer, open(temporary, "wb") as file:
        expected = _length(answer)
        _require_room(url, expected or 0, Path(temporary), most)
        received = 0
        began = reported = time.monotonic()
        for chunk in _chunks(answer):
            file.write(chunk)
            for digest in digests.values():
                digest.update(chunk)
            received += len(chunk)
            # Also where the server says no length, or a wrong one.
            _require_room(url, received, None, most)
            seconds = time.monotonic() - began
            if seconds > _PATIENCE_SECONDS and received < _SLOWEST * seconds:
                raise _Interrupted(f"{received} bytes in {seconds:.0f} s")
            if expected is not None and received > expected:
                break
            if time.monotonic() - reported > _SECONDS_BETWEEN_LINES:
                reported = time.monotonic()
                logger.info("%s: %.1f of %s MB", Path(path).name, received / 1e6, _megabytes(expected))
        if expected is not None and received != expected:
            more = " and more" if received > expected else ""
            raise _Interrupted(f"{received}{more} of {expected} bytes")
        found = {name: digest.hexdigest() for name, digest in digests.items()}
        hint = "the file changed at its source or on the way: look there what its checksum is, and correct `checksum`."
        require_checksum(url, checksum, found, hint)
    logger.info("%s: %.1f MB, sha256 %s", Path(path).name, received / 1e6, found["sha256"])
    return found["sha256"]


def _opened(url: str, timeout: float) -> Any:
    """The answer to a request; what may pass is `_Interrupted`, what will not is `DataError`."""
    request = urllib.request.Request(url, headers={"User-Agent": "inflationary-flows"})
    try:
        return urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as problem:
        problem.close()
        if problem.code in _TEMPORARY:
            raise _Interrupted(f"HTTP status {problem.code}") from problem
        got = f"HTTP status {problem.code} ({shorten(problem.msg, 120)})"
        raise DataError(url, "a file", got, "correct `url`.") from problem
    except (OSError, http.client.HTTPException) as problem:
        reason = getattr(problem, "reason", problem)
        if isinstance(reason, FileNotFoundError | IsADirectoryError | PermissionError):
            raise DataError(url, "an existing file", shorten(str(reason)), "correct `url`.") from problem
        raise _Interrupted(shorten(str(reason) or type(reason).__name__, 90)) from problem


def _chunks(answer: Any) -> Iterator[bytes]:
    try:
        # What has arrived, and not only once it fills a chunk: a slow server is seen to be slow.
        while chunk := answer.read1(_CHUNK):
            yield chunk
    except (OSError, http.client.HTTPException) as problem:
        raise _Interrupted(shorten(str(problem) or type(problem).__name__, 90)) from problem


def _require_room(url: str, size: int, path: Path | None, most: int) -> None:
    """Refuses a file of more bytes than are allowed, or than the disk of a path has left."""
    if size > most:
        raise DataError(url, f"a file of at most {most} bytes", "a larger one", "check that `url` is the right file.")
    free = size if path is None else shutil.disk_usage(path.parent).free
    if size > free:
        raise DataError(
            url, f"at most {free} bytes, which the disk has room for", f"{size}", "free space on that disk."
        )


def _length(answer: Any) -> int | None:
    text = str(answer.headers.get("Content-Length") or "")
    return int(text) if text.isdecimal() else None


def _megabytes(size: int | None) -> str:
    return "?" if size is None else f"{size / 1e6:.1f}"
