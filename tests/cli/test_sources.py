import gzip
import io
import json
import os
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from dixa_state.errors import InvalidInputError
from dixa_state.files import sources
from dixa_state.files.sources import Body, Source

DATA = Path(__file__).parent.parent / "data"
BOM = b"\xef\xbb\xbf"

PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
}
packed = pytest.mark.parametrize("pack", PACKINGS.values(), ids=PACKINGS)
compressed = pytest.mark.parametrize(
    "pack", [PACKINGS["gzip"], PACKINGS["zstd"]], ids=["gzip", "zstd"]
)


def bodies_of(content: bytes) -> list[bytes]:
    return [body.raw for body in Source("-", io.BytesIO(content))]


def read_until_error(source: Source) -> tuple[list[bytes], str]:
    found: list[bytes] = []
    with pytest.raises(InvalidInputError) as caught:
        found.extend(body.raw for body in source)
    return found, str(caught.value)


@packed
def test_json_lines_give_one_body_a_line_named_by_file_and_line(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    content = (DATA / "day.jsonl").read_bytes()
    path = tmp_path / "day.jsonl"
    path.write_bytes(pack(content))

    bodies = list(Source(path))

    assert [body.raw for body in bodies] == content.splitlines()
    assert bodies[16].origin == f"{path}:17"


@packed
def test_an_array_gives_its_elements_with_their_odd_spacing(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "bodies"
    path.write_bytes(pack(b' \n[ {"a" :  1.0},\r\n\t{ "b":\n[ ] }  ,{"c":"\\u00e6"}\n]\n\n'))

    assert list(Source(path)) == [
        Body(b'{"a" :  1.0}', f"{path}[0]"),
        Body(b'{ "b":\n[ ] }', f"{path}[1]"),
        Body(b'{"c":"\\u00e6"}', f"{path}[2]"),
    ]


@pytest.mark.parametrize("path", sorted(DATA.glob("*_*.json")), ids=lambda path: path.stem)
def test_a_published_body_comes_out_as_its_file_stands(path: Path) -> None:
    assert [body.raw for body in Source(path)] == [path.read_bytes().strip()]


def test_a_body_over_several_lines_is_named_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "body.json"
    path.write_bytes(b'\r\n{\r\n\r\n  "a": 1\r\n}\r\n\r\n')

    assert list(Source(path)) == [Body(b'{\r\n\r\n  "a": 1\r\n}', str(path))]


def test_bodies_over_several_lines_may_follow_one_another(tmp_path: Path) -> None:
    path = tmp_path / "bodies.json"
    path.write_bytes(b'{\n "a": "}{\\"}"\n}{\n "b": {\n }\n}\n\n{"c":1}\n{"d":2}\n{\n"e":3}\n')

    assert list(Source(path)) == [
        Body(b'{\n "a": "}{\\"}"\n}', f"{path}"),
        Body(b'{\n "b": {\n }\n}', f"{path}:3"),
        Body(b'{"c":1}', f"{path}:8"),
        Body(b'{"d":2}', f"{path}:9"),
        Body(b'{\n"e":3}', f"{path}:10"),
    ]


@pytest.mark.parametrize(
    ("log", "place"),
    [
        (b'{"data":[{"payload":"{\\"a\\":1}","success":true},{"payload":{"b":2}}]}', ":1"),
        (b'{\n "data": [\n  {"payload": "{\\"a\\":1}"},\n  {"payload": {"b":2}}\n ]\n}\n', ""),
    ],
    ids=["on one line", "over several"],
)
def test_the_bodies_of_a_delivery_log_are_its_payloads(log: bytes, place: str) -> None:
    assert list(Source("log.json", io.BytesIO(log))) == [
        Body(b'{"a":1}', f"log.json{place}.data[0]"),
        Body(b'{"b":2}', f"log.json{place}.data[1]"),
    ]


def test_a_body_that_says_payload_itself_is_no_delivery_log() -> None:
    body = b'{"data":{"payload":"x"}}'
    assert bodies_of(body) == [body]


def test_a_body_on_a_single_line_is_that_line(tmp_path: Path) -> None:
    path = tmp_path / "body.json"
    path.write_bytes(b'{"a":1}')

    assert list(Source(path)) == [Body(b'{"a":1}', f"{path}:1")]


@pytest.mark.parametrize("content", [b"", BOM, b"\n", b" \r\n\t\n", b"[]", b"[\n]\n"])
@packed
def test_a_file_without_bodies_is_no_error(content: bytes, pack: Callable[[bytes], bytes]) -> None:
    assert bodies_of(pack(content)) == []


def test_line_ends_are_no_part_of_a_body_and_other_blanks_are() -> None:
    assert bodies_of(b' {"a":1} \r\n{"b":\r2}\r\r\n{"c":3}\n{"d":4}') == [
        b' {"a":1} ',
        b'{"b":\r2}\r',
        b'{"c":3}',
        b'{"d":4}',
    ]


def test_blank_lines_are_skipped_and_counted() -> None:
    source = Source("-", io.BytesIO(b'\n \t\r\n{"a":1}\n\r\n\n{"b":2}\n\n'))

    assert list(source) == [Body(b'{"a":1}', "-:3"), Body(b'{"b":2}', "-:6")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (BOM + b'{"a":1}\n' + BOM + b'{"b":2}', [b'{"a":1}', BOM + b'{"b":2}']),
        (BOM + b'\r\n{"a":1}', [b'{"a":1}']),
        (BOM + b'[{"a":1}]', [b'{"a":1}']),
        (BOM + b'{\n"a":1}', [b'{\n"a":1}']),
    ],
    ids=["lines", "blank line", "array", "document"],
)
@packed
def test_a_byte_order_mark_is_dropped_at_the_beginning_only(
    content: bytes, expected: list[bytes], pack: Callable[[bytes], bytes]
) -> None:
    assert bodies_of(pack(content)) == expected


@pytest.mark.parametrize(
    "lines",
    [
        [b'{"a":1}', b'{"b":', b"\xff\x00", b'{"c":3}'],
        [b'{"a":', b'{"b":2}', b"no JSON"],
        [b"[2026-03-02 08:00] started", b'{"a":1}'],
        [b'[{"a":1},', b'{"b":2}'],
        [b'[{"a":1}]', b'[{"b":2}]'],
        [b'[{"a":1}] {"b":2}'],
        [b"[" * 100_000 + b"]" * 100_000, b'{"a":1}'],
        [b'{"a":' * 100_000, b'{"a":1}'],
    ],
    ids=[
        "in the middle",
        "first",
        "log line",
        "array without end",
        "several arrays",
        "text behind an array",
        "array too deep",
        "object too deep",
    ],
)
def test_broken_lines_are_bodies_like_any_other(lines: list[bytes]) -> None:
    assert bodies_of(b"\n".join(lines)) == lines
    assert bodies_of(b"\r\n".join(lines) + b"\r\n") == lines


def test_lines_kept_back_while_a_document_was_possible_keep_their_numbers() -> None:
    source = Source("-", io.BytesIO(b'\n{\n\n{"a":1}\n\n{"b":2}'))

    assert [body.origin for body in source] == ["-:2", "-:4", "-:6"]


def test_a_document_longer_than_its_bound_is_read_as_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dixa_state.files.sources._MAX_DOCUMENT", 1 << 20)
    lines = [b'{"a":', b'"' + b"x" * (1 << 20) + b'"', b"}"]

    assert bodies_of(b"\n".join(lines)) == lines


def test_an_array_may_be_longer_than_a_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dixa_state.files.sources._MAX_DOCUMENT", 1 << 20)
    long = b'"' + b"x" * (1 << 20) + b'"'

    assert bodies_of(b"[\n" + long + b",\n{}\n]") == [long, b"{}"]


@packed
def test_json_lines_are_read_in_bounded_memory(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "long.jsonl"
    path.write_bytes(
        pack(b"".join(b'{"n":%d,"pad":"%s"}\n' % (n, b"x" * 999) for n in range(9999)))
    )

    tracemalloc.start()
    count = sum(1 for _ in Source(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 9999
    assert peak < 5_000_000


@compressed
def test_a_file_of_several_compressed_parts_is_read_whole(pack: Callable[[bytes], bytes]) -> None:
    parts = [pack(part) for part in (b'{"a"', b':1}\n{"b":2}', b"", b'\n{"c":3}')]

    assert bodies_of(b"".join(parts)) == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


def test_zeros_behind_a_gzip_member_are_padding() -> None:
    assert bodies_of(gzip.compress(b"{}\n") + b"\0" * 5000) == [b"{}"]


def test_a_zstandard_file_may_begin_with_a_skippable_frame() -> None:
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00\x01\x02\x03\x04"

    assert bodies_of(skippable + zstandard.compress(b'{"a":1}\n')) == [b'{"a":1}']


@compressed
def test_a_cut_off_file_gives_what_came_before_and_then_an_error(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    lines = [b'{"n":%d,"noise":"%s"}' % (n, os.urandom(200).hex().encode()) for n in range(2000)]
    whole = pack(b"\n".join(lines))
    path = tmp_path / "cut.jsonl"
    path.write_bytes(whole[: len(whole) * 3 // 4])

    found, message = read_until_error(Source(path))

    assert len(found) > 1000
    assert found == lines[: len(found)]
    assert message.startswith(f"{path}: expected whole compressed data, got: ")
    assert "\n" not in message


@compressed
def test_one_missing_byte_at_the_end_costs_no_line(pack: Callable[[bytes], bytes]) -> None:
    whole = pack(b'{"a":1}\n{"b":2}\n')

    found, _ = read_until_error(Source("-", io.BytesIO(whole[:-1])))

    assert found == [b'{"a":1}', b'{"b":2}']


@compressed
def test_a_corrupt_part_gives_the_parts_before_and_then_an_error(
    pack: Callable[[bytes], bytes],
) -> None:
    content = pack(b'{"a":1}\n') + pack(b'{"b":2}\n') + b"neither"

    found, message = read_until_error(Source("bodies", io.BytesIO(content)))

    assert found == [b'{"a":1}', b'{"b":2}']
    assert message.startswith("bodies: expected whole compressed data")


@compressed
def test_a_cut_off_array_gives_no_body(pack: Callable[[bytes], bytes]) -> None:
    found, _ = read_until_error(Source("-", io.BytesIO(pack(b"[\n{},\n{}\n]")[:-1])))

    assert found == []


def test_a_missing_file_is_named_in_one_line(tmp_path: Path) -> None:
    source = Source(tmp_path / "missing.jsonl")

    assert source.size is None
    assert read_until_error(source) == (
        [],
        f"{tmp_path}/missing.jsonl: expected a readable file, got: No such file or directory",
    )


def test_a_directory_is_not_a_readable_file(tmp_path: Path) -> None:
    source = Source(tmp_path)

    assert source.size is None
    assert read_until_error(source) == (
        [],
        f"{tmp_path}: expected a readable file, got: Is a directory",
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_not_readable(tmp_path: Path) -> None:
    path = tmp_path / "secret.jsonl"
    path.write_bytes(b"{}")
    path.chmod(0)

    assert read_until_error(Source(path))[1].endswith("got: Permission denied")


@packed
def test_progress_goes_from_nothing_to_the_size_of_the_file(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "long.jsonl"
    path.write_bytes(pack(b"".join(b'"%s"\n' % os.urandom(500).hex().encode() for _ in range(400))))
    source = Source(path)
    before = source.consumed

    during = [source.consumed for _ in source]

    assert before == 0
    assert during == sorted(during)
    assert 0 < during[0] < during[-1] <= source.consumed
    assert source.consumed == source.size == path.stat().st_size


def test_a_file_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "body.json"
    path.write_bytes(b'{"a":1}\n')
    source = Source(path)

    assert list(source) == list(source)
    assert source.consumed == source.size


def test_a_stream_has_no_size_and_stays_open() -> None:
    stream = io.BytesIO(b'{"a":1}\n')
    source = Source("-", stream)

    assert list(source) == [Body(b'{"a":1}', "-:1")]
    assert (source.size, source.consumed, stream.closed) == (None, 8, False)


def test_a_line_in_a_pipe_is_not_kept_waiting_for_the_next() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as pipe:
        bodies = iter(Source("-", stream))
        pipe.write(b'{"a":1}\n')
        assert next(bodies) == Body(b'{"a":1}', "-:1")
        pipe.write(b'{"b":2}\n{"c"')
        assert next(bodies) == Body(b'{"b":2}', "-:2")
        pipe.write(b":3}")
        pipe.close()
        assert list(bodies) == [Body(b'{"c":3}', "-:3")]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
# Surrogates cannot be written as UTF-8, which st.text() already leaves out.
json_lines = st.builds(
    lambda value, ascii_only, spacing: json.dumps(
        value, ensure_ascii=ascii_only, separators=spacing
    ).encode(),
    st.dictionaries(st.text(), json_values, max_size=5),
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :  ")]),
)


@given(
    lines=st.lists(json_lines),
    end=st.sampled_from([b"\n", b"\r\n", b"\n\n"]),
    pack=st.sampled_from(list(PACKINGS.values())),
)
def test_what_is_written_as_json_lines_comes_back_byte_for_byte(
    lines: list[bytes], end: bytes, pack: Callable[[bytes], bytes]
) -> None:
    assert bodies_of(pack(b"".join(line + end for line in lines))) == lines


@given(elements=st.lists(json_lines), comma=st.sampled_from([b",", b" ,\n", b"\r\n,\r\n"]))
def test_what_is_written_as_an_array_comes_back_byte_for_byte(
    elements: list[bytes], comma: bytes
) -> None:
    assert bodies_of(b"[" + comma.join(elements) + b"]") == elements


MAGIC = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18")
anything = st.binary() | st.lists(
    st.sampled_from(
        [b"{", b"}", b"[", b"]", b'"a"', b":", b",", b"1", b"\n", b"\r\n", b" ", BOM, b"\xff"]
    ),
    max_size=12,
).map(b"".join)


def is_array(content: bytes) -> bool:
    try:
        msgspec.json.decode(content, type=list[msgspec.Raw])
    except msgspec.DecodeError:
        return False
    return True


@given(anything)
def test_no_content_is_an_error_and_none_is_lost(content: bytes) -> None:
    text = content.removeprefix(BOM)
    if content.startswith(MAGIC) or is_array(text):
        return

    # documents on one line are taken apart where nothing separates them
    assert b"".join(b"".join(bodies_of(content)).split()) == b"".join(text.split())


@given(start=st.sampled_from(MAGIC), rest=st.binary())
def test_broken_compressed_data_raises_nothing_but_invalid_input(start: bytes, rest: bytes) -> None:
    with suppress(InvalidInputError):
        bodies_of(start + rest)


@given(
    pack=st.sampled_from([PACKINGS["gzip"], PACKINGS["zstd"]]),
    place=st.integers(min_value=4),
    flip=st.integers(min_value=1, max_value=255),
)
def test_a_changed_byte_in_compressed_data_is_harmless_or_an_error(
    pack: Callable[[bytes], bytes], place: int, flip: int
) -> None:
    lines = [b'{"n":%d}' % n for n in range(40)]
    content = bytearray(pack(b"\n".join(lines)))
    content[4 + place % (len(content) - 4)] ^= flip

    with suppress(InvalidInputError):
        assert bodies_of(bytes(content)) == lines


def test_a_line_that_inflates_beyond_all_bounds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_MAX_LINE", 1 << 20)
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"small":1}\n' + b" " * (50 << 20)))
    bodies = iter(Source(str(path)))
    with pytest.raises(InvalidInputError, match="lines of at most 1,048,576 bytes"):
        list(bodies)
