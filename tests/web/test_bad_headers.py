"""What headers may say, and what they may not, without harm to the next webhook."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import Running, error_of, signed
from sockets import exchange, request

pytestmark = pytest.mark.usefixtures("nothing_fails", "serves_on")


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"t=1",
        b"v1=00",
        b"t=1,v1=",
        b"t=,v1=00",
        b"t=1 ,v1=00",
        b"t=-1,v1=00",
        b"t=1e3,v1=00",
        b"t=1.5,v1=00",
        b"t=0x10,v1=00",
        b"t=" + b"9" * 400 + b",v1=00",
        "t=\u0661\u0662,v1=00".encode(),
        b"t=1,t=2,v1=00",
        b"t=1,v1=\xff\xfe",
        b"t=1," + b",".join([b"v1=" + b"0" * 64] * 12),
        b"=,=,=",
        b",,,,",
        b"t=1;v1=00",
        b"v0=00,t=1",
        b"t=1,v1=" + b"0" * 60_000,
    ],
    ids=lambda value: repr(value[:24]),
)
def test_a_signature_of_a_wrong_form_is_refused(
    shared: Running, day_lines: list[bytes], signature: bytes
) -> None:
    headers = {"Content-Type": "application/json", "X-Dixa-Signature": signature}
    answer = shared.client.post("/webhooks/dixa", content=day_lines[0], headers=headers)
    assert (answer.status_code, error_of(answer)) == (401, "unauthenticated")


header_text = st.one_of(
    st.binary(max_size=300).map(lambda raw: bytes(byte for byte in raw if byte > 31)),
    st.lists(st.sampled_from(["t=1", "v1=00", "t", "v1", "=", ",", "a=b", " ", "t=", "é"])).map(
        lambda parts: ",".join(parts).encode()
    ),
).map(lambda raw: raw.replace(b"\x7f", b"").strip())


@given(signature=header_text, subscription=header_text)
def test_no_text_in_the_headers_stands_for_a_signature(
    shared: Running, signature: bytes, subscription: bytes
) -> None:
    headers = {"X-Dixa-Signature": signature, "X-Dixa-Subscription-Id": subscription}
    answer = shared.client.post("/webhooks/dixa", content=b"{}", headers=headers)
    assert (answer.status_code, error_of(answer)) == (401, "unauthenticated")


@pytest.mark.parametrize("subscription", [b"\xff\xfe", b"x" * 50_000, b"a,b;c=d", b"' OR 1=1 --"])
def test_what_names_the_subscription_is_a_hint_and_may_be_anything(
    shared: Running, day_lines: list[bytes], subscription: bytes
) -> None:
    headers = [*signed(day_lines[1]).items(), ("x-dixa-subscription-id", subscription)]
    raw = [(name.encode(), v if isinstance(v, bytes) else v.encode()) for name, v in headers]
    answer = shared.client.post("/webhooks/dixa", content=day_lines[1], headers=raw)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "line",
    ["X: a\0b", "X: a\rb", "X : a", ": a", "X\0: a", "X: a\r\n folded", "no colon", "X: \x01"],
)
def test_a_header_that_is_none_is_refused(shared: Running, line: str) -> None:
    [reply] = exchange(shared, request("GET /healthz", line))
    assert (reply.status, error_of(reply.body)) == (400, "invalid")


@pytest.mark.parametrize(
    "host", ["", "[", "[::1", "a b", "\xff", "localhost:99999999", "x@localhost", "localhost/a"]
)
def test_a_host_that_is_none_does_no_harm(shared: Running, host: str) -> None:
    sent = f"GET /v1/stats HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    [reply] = exchange(shared, sent.encode("latin-1"))
    assert reply.status in (200, 400, 403)
