"""What a disk answers that is full, protected or broken, as one message."""

from __future__ import annotations

import errno
import re

from inflationary_flows.errors import ArtifactError

_SPACE = "make space, and run again: what was finished is kept"
_RIGHTS = "make it writable, or move the results, and run again: what was finished is kept"
_ANSWERS = {
    errno.ENOSPC: ("space on the disk", "none left", _SPACE),
    errno.EDQUOT: ("space on the disk", "a quota that is used up", _SPACE),
    errno.EFBIG: ("room for the file", "a limit on the size of files", "raise the limit (ulimit -f), and run again"),
    errno.EROFS: ("a disk that can be written", "one that is read-only", _RIGHTS),
    errno.EACCES: ("access", "permission denied", _RIGHTS),
    errno.EPERM: ("access", "permission denied", _RIGHTS),
    errno.EIO: ("a disk that works", "an error of input or output", "check the disk and its cables, and run again"),
    errno.ESTALE: ("a file server that answers", "a file that it has forgotten", "run again"),
}
# As HDF5 reports it, in the text of other errors.
_IN_TEXT = re.compile(r"errno = (\d+)")


def as_message(error: BaseException) -> ArtifactError | None:
    """The message for an error that a disk caused, directly or behind the error of a library; None for others."""
    seen: BaseException | None = error
    while seen is not None:
        found = _IN_TEXT.search(str(seen))
        number = getattr(seen, "errno", None) if isinstance(seen, OSError) else None
        expected, got, hint = _ANSWERS.get(number or int(found[1] if found else 0), ("", "", ""))
        if expected:
            name = getattr(seen, "filename", None)
            return ArtifactError(str(name) if name else "results", expected, got, hint)
        seen = seen.__cause__ or seen.__context__
    return None
