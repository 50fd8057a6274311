"""Which webhook bodies a file holds, each byte for byte."""

import io
import os
import re
import stat
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import msgspec
import zstandard

from dixa_state.errors import InvalidInputError

_GZIP = re.compile(rb"\x1f\x8b")
# Parallel compressors open a file with a skippable frame, hence the second form.
_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
_MAGIC_LENGTH = 4

_READ_SIZE = 64 << 10
# One read of compressed data is inflated at once: small reads bound the memory that a highly
# compressed file takes, and what is lost before a corrupt place.
_PACKED_READ_SIZE = 1 << 10

# 1.5 MB of gzip can inflate to a line of gigabytes.
_MAX_LINE = 256 << 20
_MAX_DOCUMENT = 64 << 20
_MAX_ARRAY = 1 << 30

_BLANKS = b" \t\r\n"
_NOT_JSON = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class Body(NamedTuple):
    """One webhook body as it stands in its file, and the place to look for it.

    `origin` is `day.jsonl:17` for a line (from 1), `bodies.json[3]` for an element of an array
    (from 0), `body.json` for a document of several lines, `body.json:40` for the next one in that
    file, `log.json.data[3]` for a payload of a delivery log; the path is the one that was given.
    """

    raw: bytes
    origin: str


class Source:
    """The webhook bodies in the file at `path`; iterate to read them.

    With `stream`, a buffered binary stream such as standard input, the bodies are read from it
    (once, and it is left open); `path` is then only its name, `-` for example.

    Content decides the format, names do not: JSON Lines, one JSON array of bodies (up to 1 GiB if
    it spans lines), or JSON bodies over several lines (up to 64 MiB each), one after the other;
    plain, gzip or Zstandard. Of Dixa's delivery log, `{"data": [{"payload": …}]}`, the payloads are
    the bodies.
    JSON Lines are read in memory bounded by the longest line, of up to 256 MiB. Whatever is neither
    array nor document is lines, and each line that is not blank is a body, JSON or not. Not part of
    a body: a byte order mark at the beginning, line ends (LF or CRLF), blanks around a document.

    `size` is the file's size in bytes, compressed if it is; None for streams, pipes and files that
    cannot be opened. `consumed` is how many of these bytes have been read so far.

    Iterating raises `InvalidInputError` if the file cannot be read, at a longer line, and where
    compressed data is cut off or corrupt: every whole line before that place has been yielded, but
    nothing of an array or of a document.
    """

    def __init__(self, path: str | os.PathLike[str], stream: BinaryIO | None = None) -> None:
        self.path = os.fspath(path)
        self.size = _size(self.path) if stream is None else None
        self.consumed = 0
        self._stream = stream

    def __iter__(self) -> Iterator[Body]:
        self.consumed = 0
        with self._opened() as stream:
            lines = _lines(self.path, self._content(stream))
            first = next(lines, b"").removeprefix(BOM_UTF8)
            yield from _bodies(self.path, chain([first], lines))

    def _opened(self) -> AbstractContextManager[BinaryIO]:
        if self._stream is not None:
            return nullcontext(self._stream)
        try:
            return Path(self.path).open("rb")
        except OSError as error:
            raise self._unreadable(error) from error

    def _content(self, stream: BinaryIO) -> Iterator[bytes]:
        try:
            magic = stream.read(_MAGIC_LENGTH)
            start_frame = _decompressor(magic)
            chunks = self._counted(magic, stream, _PACKED_READ_SIZE if start_frame else _READ_SIZE)
            yield from _inflated(chunks, start_frame) if start_frame else chunks
        except OSError as error:
            raise self._unreadable(error) from error
        except (EOFError, zlib.error, zstandard.ZstdError) as error:
            raise InvalidInputError(
                f"{self.path}: expected whole compressed data, got: {error}"
            ) from error

    def _counted(self, magic: bytes, stream: BinaryIO, read_size: int) -> Iterator[bytes]:
        # Where there is read1, a line that a pipe has delivered need not wait for a full buffer.
        read = partial(getattr(stream, "read1", stream.read), read_size)
        for chunk in chain([magic], iter(read, b"")):
            self.consumed += len(chunk)
            yield chunk

    def _unreadable(self, error: OSError) -> InvalidInputError:
        reason = error.strerror or error
        return InvalidInputError(f"{self.path}: expected a readable file, got: {reason}")


class _Frame(Protocol):
    """The interface that decompressors of gzip members and Zstandard frames share."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def _size(path: str) -> int | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _decompressor(magic: bytes) -> Callable[[], _Frame] | None:
    if _GZIP.match(magic):
        return partial(zlib.decompressobj, wbits=16 + zlib.MAX_WBITS)
    if _ZSTD.match(magic):
        return zstandard.ZstdDecompressor().decompressobj
    return None


def _inflated(chunks: Iterable[bytes], start_frame: Callable[[], _Frame]) -> Iterator[bytes]:
    frame: _Frame | None = None
    for chunk in chunks:
        # Zeros after a gzip member are padding.
        rest = chunk if frame else chunk.lstrip(b"\0")
        while rest:
            frame = frame or start_frame()
            yield frame.decompress(rest)
            rest = frame.unused_data.lstrip(b"\0") if frame.eof else b""
            frame = None if frame.eof else frame
    if frame:
        raise EOFError("the end of the file before the end of the data")


def _lines(name: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    pieces: list[bytes] = []
    size = 0
    for chunk in chunks:
        for piece in io.BytesIO(chunk):
            pieces.append(piece)
            size += len(piece)
            if size > _MAX_LINE:
                raise InvalidInputError(
                    f"{name}: expected lines of at most {_MAX_LINE:,} bytes, got a longer one"
                )
            if piece.endswith(b"\n"):
                yield b"".join(pieces)
                pieces, size = [], 0
    if pieces:
        yield b"".join(pieces)


def _bodies(name: str, lines: Iterator[bytes]) -> Iterator[Body]:
    numbered = ((n, line) for n, line in enumerate(lines, start=1) if line.strip(_BLANKS))
    number, first = next(numbered, (1, b""))
    begin = first.lstrip(_BLANKS)[:1]
    if begin == b"[":
        head, is_everything = _head(first, lines)
        found = _elements(name, head) if is_everything else None
        if found is None:
            found = _line_bodies(name, enumerate(chain(io.BytesIO(head), lines), start=number))
    elif begin == b"{" and not _is_json(first):
        found = _documents(name, enumerate(chain([first], lines), start=number))
    else:
        found = _line_bodies(name, enumerate(chain([first], lines), start=number))
    for body in found:
        yield from _payloads(body)


def _payloads(body: Body) -> Iterator[Body]:
    """Yield the payloads of a delivery log of Dixa's, which are texts, or the body itself."""
    deliveries = None
    if b'"payload"' in body.raw:
        with suppress(*_NOT_JSON):
            deliveries = _LOG.decode(body.raw).data
    if deliveries is None:
        yield body
        return
    for number, delivery in enumerate(deliveries):
        raw = bytes(delivery.payload)
        text = msgspec.json.decode(raw).encode() if raw.startswith(b'"') else raw
        yield Body(text, f"{body.origin}.data[{number}]")


class _Delivery(msgspec.Struct):
    payload: msgspec.Raw


class _DeliveryLog(msgspec.Struct):
    data: list[_Delivery]


_LOG = msgspec.json.Decoder(_DeliveryLog)


def _head(first: bytes, lines: Iterator[bytes]) -> tuple[bytes, bool]:
    """Return as many lines as may be one array, and whether they are the whole file."""
    limit = len(first) if _is_json(first) else _MAX_ARRAY
    head = bytearray(first)
    for line in lines:
        head += line
        if len(head) > limit and line.strip(_BLANKS):
            return bytes(head), False
    return bytes(head), True


def _elements(name: str, content: bytes) -> Iterator[Body] | None:
    try:
        elements = msgspec.json.decode(content, type=list[msgspec.Raw])
    except _NOT_JSON:
        return None
    return (Body(bytes(raw), f"{name}[{n}]") for n, raw in enumerate(elements))


def _documents(name: str, lines: Iterator[tuple[int, bytes]]) -> Iterator[Body]:
    """Yield objects that span lines, one after the other; what is none of these is lines."""
    head: list[tuple[int, bytes]] = []
    depth = size = found = 0
    for number, line in lines:
        start = 0
        for token in _TOKENS.finditer(line):  # no text in JSON spans lines, so no token does
            depth += {b"{": 1, b"}": -1}.get(token[0], 0)
            if depth or token[0] != b"}":
                continue
            parts = [*head, (number, line[start : token.end()])]
            document = b"".join(part for _, part in parts).strip(_BLANKS)
            if not _is_json(document):
                depth = -1
                break
            yield Body(document, f"{name}:{parts[0][0]}" if found else name)
            head, size, start, found = [], 0, token.end(), found + 1
        if head or line[start:].strip(_BLANKS):
            head.append((number, line[start:]))
            size += len(line)
        if depth < 0 or size > _MAX_DOCUMENT:
            break
    yield from _line_bodies(name, chain(head, lines))


_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}]')


def _line_bodies(name: str, lines: Iterable[tuple[int, bytes]]) -> Iterator[Body]:
    for number, line in lines:
        raw = line.removesuffix(b"\r\n").removesuffix(b"\n")
        if raw.strip(_BLANKS):
            yield Body(raw, f"{name}:{number}")


def _is_json(content: bytes) -> bool:
    try:
        msgspec.json.decode(content, type=msgspec.Raw)
    except _NOT_JSON:
        return False
    return True
