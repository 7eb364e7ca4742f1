"""Independent, reproducible seeds for every random draw of the workflow.

A draw is named by what it is for (a purpose, the seed of the config, a step, ...), never by what was drawn before
it.  Therefore the order of jobs, the batch size or an interruption cannot change a number.
"""

from __future__ import annotations

import hashlib


def derive_seed(*parts: str | int) -> int:
    """Hashes a named draw to a seed.

    Arguments:
        parts: Name of the draw, for example `("batch", seed, step)`.

    Returns:
        An integer in [0, 2**63), the same on every machine.
    """
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
