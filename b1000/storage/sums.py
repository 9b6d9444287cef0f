"""The list of sums beside a backup: ``zcat ../NAME.sha256.gz | sha256sum -c`` inside NAME. Pure.

Names are bytes. As coreutils have it, a line whose name holds a backslash or a newline begins
with a backslash, and both are escaped in it.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping

_LINE = re.compile(rb"(\\?)([0-9a-f]{64})  (.+)", re.DOTALL)
_ESCAPES = {b"\\": b"\\", b"n": b"\n", b"r": b"\r"}


def packed(sums: Mapping[bytes, str]) -> bytes:
    """The content of a list, always the same for the same sums."""
    text = b"".join(_line(name, sums[name]) for name in sorted(sums))
    return gzip.compress(text, mtime=0)


def _line(name: bytes, digest: str) -> bytes:
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
    mark = b"\\" if escaped != name else b""
    return mark + digest.encode() + b"  " + escaped + b"\n"


def unpacked(data: bytes) -> dict[bytes, str]:
    """The sums of a list. Raises ValueError where it is none."""
    try:
        lines = gzip.decompress(data).split(b"\n")
    except (OSError, EOFError) as error:
        raise ValueError(f"it cannot be unpacked: {error}") from None
    found: dict[bytes, str] = {}
    for line in filter(None, lines):
        parts = _LINE.fullmatch(line)
        if not parts:
            raise ValueError("a line of it is none of sha256sum")
        name = parts[3]
        if parts[1]:
            name = re.sub(rb"\\(.)", lambda sign: _ESCAPES.get(sign[1], sign[0]), name)
        found[name] = parts[2].decode()
    return found


def hash_of(data: bytes) -> str:
    """The hash by which a list is known again."""
    return hashlib.sha256(data).hexdigest()
