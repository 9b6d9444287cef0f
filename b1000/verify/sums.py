"""The list of sums beside a backup: ``zcat ../NAME.sha256.gz | sha256sum -c`` inside NAME. Pure.

Names are bytes. As coreutils have it, a line whose name holds a backslash, a newline or a carriage
return begins with a backslash, and all three are escaped in it. The end of a line loses a carriage
return where that is not escaped.
"""

import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterable, Mapping

from b1000.expressions import expression
from b1000.named import NamedTuple

_LINE = expression(rb"^(\\?)([0-9a-f]{64})  (.+)\n", re.MULTILINE)
_ESCAPES = {b"\\": b"\\", b"n": b"\n", b"r": b"\r"}


class Seal(NamedTuple):
    """By what a list is known again: the hash of its file, and that of the text in it.

    The second says whether what lies there is what was read first, also without the file: the same
    sums make the same text, and not everywhere the same file.
    """

    file: str
    text: str

    def __str__(self) -> str:
        """As the journal has it."""
        return f"{self.file} {self.text}"


def sealed(found: Mapping[bytes, str]) -> tuple[bytes, Seal]:
    """The file of a list, and its seal."""
    written = text(found)
    data = packed(written)
    return data, Seal(hash_of(data), hash_of(written))


def known_seal(written: str) -> Seal | None:
    """A seal as the journal has it; None where no list was written."""
    file, _, text = written.partition(" ")
    return Seal(file, text) if file else None


def text_of(written: str) -> str:
    """The hash of the text of a list as the journal has it, also where no list could be written."""
    return written.partition(" ")[2]


def text(sums: Mapping[bytes, str]) -> bytes:
    """The text of a list, always the same for the same sums."""
    return b"".join(_line(name, sums[name]) for name in sorted(sums))


def packed(text: bytes) -> bytes:
    """The file of a list."""
    return gzip.compress(text, mtime=0)


def _line(name: bytes, digest: str) -> bytes:
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    mark = b"\\" if escaped != name else b""
    return mark + digest.encode() + b"  " + escaped + b"\n"


def unpacked(data: bytes, most: int = 0) -> dict[bytes, str]:
    """The sums of a list. Raises ValueError where it is none.

    Its text has ``most`` bytes at most, or any number with 0.
    """
    try:
        with gzip.open(io.BytesIO(data)) as file:
            text = file.read(most + 1) if most else file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"it cannot be unpacked: {error}") from None
    if most and len(text) > most:
        raise ValueError("is longer than that of such a backup can be")
    lines = _LINE.findall(text)
    if len(lines) != text.count(b"\n") or text.rpartition(b"\n")[2]:
        raise ValueError("a line of it is none of sha256sum")
    return _by_names(lines)


def strange(data: bytes, longest: int) -> dict[bytes, str]:
    """The sums of a list that anybody may have made, as far as it is one: of so much text alone."""
    try:
        text = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, longest)
    except zlib.error:
        return {}
    return _by_names(_LINE.findall(text))


def _by_names(lines: Iterable[tuple[bytes, bytes, bytes]]) -> dict[bytes, str]:
    lines = [*lines]
    found = {name: digest.decode() for mark, digest, name in lines if not mark}
    for mark, digest, name in lines:
        if mark:
            name = re.sub(rb"\\(.)", lambda sign: _ESCAPES.get(sign[1], sign[0]), name)
            found[name] = digest.decode()
    return found


def hash_of(data: bytes) -> str:
    """The hash of some bytes."""
    return hashlib.sha256(data).hexdigest()
