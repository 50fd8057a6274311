"""What is fuzzed without a database: each target knows good inputs and tries odd ones."""

import gzip
import hmac
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import ClassVar, Self

import zstandard
from mutation import mutated

from dixa_state.dixa.signature import Secrets, is_well_formed, parse_secrets, sign, verify
from dixa_state.domain.timestamps import format_time, parse_time
from dixa_state.errors import DixaStateError, InvalidInputError, SignatureError
from dixa_state.files.sources import Source
from dixa_state.views.tables import from_micros, micros
from dixa_state.web.policy import is_loopback, parse_tokens

DATA = Path(__file__).parents[1] / "data"
LONGEST_MESSAGE = 2_000
"""Characters that a refusal may have, whatever it refuses."""


class Target(ABC):
    """Something that takes inputs from outside; use it in a `with` statement.

    Whatever exception leaves `attempt` is a finding: it catches what is documented.
    """

    name: ClassVar[str]
    patience: ClassVar[float | None] = None
    """Seconds that an input may take, where it is more than readers need."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 — many have nothing to give back
        """Give back what was opened."""

    @abstractmethod
    def seeds(self) -> Sequence[bytes]:
        """Give good inputs to begin with."""

    def changed(self, data: bytes, others: Sequence[bytes], dice: Random) -> bytes:
        """Make another input of one; `others` are inputs to take parts from."""
        return mutated(data, others, dice)

    @abstractmethod
    def attempt(self, data: bytes) -> None:
        """Try an input."""

    def conclude(self) -> Iterator[str]:
        """Check in the end what can only be checked for all inputs together."""
        return iter(())


def refused(error: DixaStateError, *, one_line: bool = True) -> None:
    """Check that a refusal is one that can be shown."""
    message = str(error)
    assert 0 < len(message) <= LONGEST_MESSAGE, f"a message of {len(message)} characters"
    assert not one_line or "\n" not in message, f"a message of several lines: {message!r}"
    message.encode()  # half a character cannot be shown


class Signature(Target):
    """The header `X-DIXA-SIGNATURE`, a line, and after it a body."""

    name = "signature"
    _KEYS = (b"0123456789abcdef", b"fedcba9876543210")
    _SECRETS = Secrets(unbound=_KEYS[:1], bound=(("a-b", _KEYS[1]),))
    _NOW = datetime(2026, 3, 2, tzinfo=UTC)

    def seeds(self) -> Sequence[bytes]:
        t = int(self._NOW.timestamp() * 1_000)
        heads = [sign(b"{}", key, t=t) for key in self._KEYS]
        heads += [f"{heads[0]},v1={'0' * 64}", heads[0].upper(), heads[0].replace(",", ", ")]
        return [head.encode() + b"\n{}" for head in heads]

    def attempt(self, data: bytes) -> None:
        head, _, body = data.partition(b"\n")
        for header in (head, head.decode("latin-1")):
            for tolerance in (None, timedelta(minutes=5)):
                self._try(body, header, tolerance)
        is_well_formed(head.decode("latin-1"))

    def _try(self, body: bytes, header: str | bytes, tolerance: timedelta | None) -> None:
        try:
            verify(body, header, self._SECRETS, now=self._NOW, tolerance=tolerance)
        except SignatureError as error:
            refused(error)
            return
        text = header if isinstance(header, str) else header.decode("latin-1")
        assert self._is_genuine(body, text), f"forged, and accepted: {header!r}"

    def _is_genuine(self, body: bytes, header: str) -> bool:
        """Tell by a reading of our own, which only looks for what must be in there."""
        times = re.findall(r"(?:^|,)[ \t]*t=([0-9]+)[ \t]*(?=,|$)", header)
        genuine = {
            hmac.new(key, f"{t}.".encode() + body, sha256).hexdigest()
            for key in self._KEYS
            for t in times
        }
        return len(times) == 1 and any(one in header.lower() for one in genuine)


class Time(Target):
    """Times as people and Dixa write them."""

    name = "time"

    def seeds(self) -> Sequence[bytes]:
        texts = (
            *("2026-03-02T08:00:00.000Z", "2026-03-02", "2026-03-02T08:00:00.123456789+05:30"),
            *("2026-03-02 08:00", "2026-03-02t08:00:00z[GMT]", "0001-01-01T00:00:00+14:00"),
            *("9999-12-31T23:59:59.999999-12:00", "2024-02-29T24:00:00Z"),
        )
        return [text.encode() for text in texts]

    def attempt(self, data: bytes) -> None:
        try:
            time = parse_time(data.decode("utf-8", "surrogateescape"))
        except InvalidInputError as error:
            refused(error)
            return
        assert time.utcoffset() == timedelta(0)
        assert parse_time(format_time(time)) == time
        assert from_micros(micros(time)) == time


_OTHER = b"ffeeddccbbaa99887766554433221100"


class Settings(Target):
    """Secrets and tokens as they are set; whatever is wrong with them, they are never shown."""

    name = "settings"
    _PARSERS: tuple[Callable[[str], object], ...] = (parse_secrets, parse_tokens)

    def seeds(self) -> Sequence[bytes]:
        return [
            b"00112233445566778899aabbccddeeff",
            b"4b6f1f0e-6a51-4f0c-9a3e-0d6a4f4b7c10=00112233445566778899aabbccddeeff, %s" % _OTHER,
            b"correct horse battery staple,another-token-of-some-length",
            b"00112233445566778899aabbccddeeff=4b6f1f0e-6a51-4f0c-9a3e-0d6a4f4b7c10",
        ]

    def attempt(self, data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        is_loopback(text)
        for parse in self._PARSERS:
            try:
                shown = repr(parse(text))
            except InvalidInputError as error:
                refused(error)
                shown = str(error)
            assert not _shows(shown, text), f"a secret shows in {shown!r}"


def _shows(shown: str, text: str) -> bool:
    """Tell whether anything of a secret shows: eight characters that are of no UUID."""
    kept = _UUID.sub(" ", text)
    parts = (part.strip() for part in re.split(r"[,=]", kept))
    shown = _UUID.sub(" ", shown)
    return any(part[:8] in shown for part in parts if len(part) >= 16 and not part.isspace())


_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class Files(Target):
    """Files of bodies: JSON Lines, an array, one document; plain, compressed, corrupt."""

    name = "files"

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-")
        self._path = Path(self._folder.name) / "file"

    def close(self) -> None:
        self._folder.cleanup()

    def seeds(self) -> Sequence[bytes]:
        lines = (DATA / "day.jsonl").read_bytes().splitlines()[:3]
        files = [b"\n".join(lines), b"[" + b",".join(lines) + b"]", b"{\n" + lines[0][1:], b""]
        files += [
            b"\xef\xbb\xbf" + files[0],
            b"\r\n\r\n".join(lines) + b"\r\n",
            b"\n".join([b"1"] * 9),
        ]
        packed = [pack(file) for file in files[:3] for pack in _PACKERS]
        return files + packed + [packed[0] + packed[0], packed[1] + packed[1]]

    def attempt(self, data: bytes) -> None:
        plain = self._read(data)
        if plain is not None and not data.startswith(_MAGIC):
            assert b"".join(plain).strip(_BLANKS) == b"" or self._only_of(data, plain)
            assert [self._read(pack(data)) for pack in _PACKERS] == [plain, plain]

    def _read(self, data: bytes) -> list[bytes] | None:
        self._path.write_bytes(data)
        try:
            return [body.raw for body in Source(self._path)]
        except InvalidInputError as error:
            refused(error)
            return None

    def _only_of(self, data: bytes, bodies: list[bytes]) -> bool:
        """Tell whether bodies stand in the file one after the other."""
        at = 0
        for body in bodies:
            found = data.find(body, at)
            if found < 0:
                return False
            at = found + len(body)
        return True


_BLANKS = b" \t\r\n"
_MAGIC = (
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    *(bytes([n]) + b"\x2a\x4d\x18" for n in range(0x50, 0x60)),
)
_PACKERS: tuple[Callable[[bytes], bytes], ...] = (gzip.compress, zstandard.compress)
