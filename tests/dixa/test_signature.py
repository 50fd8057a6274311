from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dixa_state.dixa.signature import Secrets, is_well_formed, parse_secrets, sign, verify
from dixa_state.errors import InvalidInputError, SignatureError

HEX = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
KEY = bytes.fromhex(HEX)
OTHER_HEX = "f0" * 32
OTHER_KEY = bytes.fromhex(OTHER_HEX)
SUBSCRIPTION = "3f1c2f5e-9d8a-4b7c-8e6f-0a1b2c3d4e5f"
OTHER_SUBSCRIPTION = "a4b1d0c2-1111-4222-8333-944445555666"
T = 1689238949803
SENT = datetime(2023, 7, 13, 9, 2, 29, 803000, tzinfo=UTC)
V1 = "912d731013149ab1735336a24e02d61e6fec38521ddd92e1c9aa0c385356214b"
HEADER = f"t={T},v1={V1}"
BODY = (
    b'{"event_id":"e578c093-3cd7-47c5-8b1d-cb6115827b94",'
    b'"event_fqn":"CONVERSATION_RATED","event_version":"1"}'
)
SECRETS = Secrets(unbound=(KEY,))
OUTCOMES = {"accepted", "missing", "malformed", "unknown_subscription", "mismatch", "stale"}

header_like = st.lists(
    st.sampled_from(
        ["t", "v1", "v0", "=", ",", " ", str(T), V1, V1.upper(), "\u0661", "\x00", "\ud800"]
    ),
    max_size=12,
).map("".join)
nearly_right = st.from_regex(r"\A ?t=[0-9]{0,17} ?(,v1=[0-9a-fA-F]{0,65}){0,12}\Z")


def refusal(
    body: bytes = BODY,
    header: str | bytes | None = HEADER,
    secrets: Secrets = SECRETS,
    **options: object,
) -> SignatureError:
    with pytest.raises(SignatureError) as caught:
        verify(body, header, secrets, **options)
    return caught.value


def outcome(
    body: bytes, header: str | bytes | None, secrets: Secrets = SECRETS, **options: object
) -> str:
    try:
        verify(body, header, secrets, **options)
    except SignatureError as error:
        return error.reason
    return "accepted"


def complaint(text: str) -> str:
    try:
        parse_secrets(text)
    except InvalidInputError as error:
        return str(error)
    return ""


# The signature


def test_the_known_vector_is_accepted() -> None:
    verify(BODY, HEADER, SECRETS)


def test_the_known_vector_is_what_sign_writes() -> None:
    assert sign(BODY, KEY, t=T) == HEADER


@given(st.integers(0, len(BODY) * 8 - 1))
def test_a_body_with_one_flipped_bit_is_refused(bit: int) -> None:
    body = bytearray(BODY)
    body[bit // 8] ^= 1 << bit % 8
    assert refusal(bytes(body)).reason == "mismatch"


@given(st.integers(0, len(BODY) - 1))
def test_a_cut_body_is_refused(length: int) -> None:
    assert refusal(BODY[:length]).reason == "mismatch"


def test_another_key_is_refused() -> None:
    assert refusal(secrets=Secrets(unbound=(OTHER_KEY,))).reason == "mismatch"


def test_a_signature_made_with_the_hex_text_as_key_is_refused() -> None:
    assert refusal(header=sign(BODY, HEX.encode(), t=T)).reason == "mismatch"


def test_another_t_is_refused() -> None:
    assert refusal(header=f"t={T + 1},v1={V1}").reason == "mismatch"


def test_t_is_signed_as_received_so_a_leading_zero_counts() -> None:
    assert refusal(header=f"t=0{T},v1={V1}").reason == "mismatch"


@given(st.binary(), st.binary(min_size=16, max_size=64), st.integers(0, 10**15 - 1))
def test_whatever_is_signed_verifies(body: bytes, key: bytes, t: int) -> None:
    verify(body, sign(body, key, t=t), Secrets(unbound=(key,)))


@pytest.mark.parametrize("t", [-1, 10**15])
def test_sign_refuses_a_t_that_verify_could_not_read(t: int) -> None:
    with pytest.raises(InvalidInputError, match=f"1 to 15 digits.*{t} came"):
        sign(BODY, KEY, t=t)


# The header


@pytest.mark.parametrize(
    "header",
    [
        HEADER.encode(),
        f"v1={V1},t={T}",
        f"  t={T} ,\tv1={V1} ",
        f"t={T},v1={V1.upper()}",
        f"t={T},v0=abc,v1={V1},v2=a=b",
        f"t={T},v1={'0' * 64},v1={V1}",
        f"t={T},v1={V1},v1=",
        f"t={T},v1={V1}" + ",v1=0" * 9,
        HEADER + ",x=".ljust(1000 - len(HEADER), "y"),
    ],
)
def test_a_readable_header_is_accepted(header: str | bytes | None) -> None:
    verify(BODY, header, SECRETS)


@pytest.mark.parametrize(
    "header",
    [
        "",
        b"",
        " ",
        ",",
        "=",
        V1,
        f"v1={V1}",
        f"t={T}",
        f"t={T},V1={V1}",
        f"t={T},v0={V1}",
        f"T={T},v1={V1}",
        f"t={T};v1={V1}",
        f"t=,v1={V1}",
        f"t= {T},v1={V1}",
        f"t=-{T},v1={V1}",
        f"t=+{T},v1={V1}",
        f"t={T}.0,v1={V1}",
        f"t=1_0,v1={V1}",
        f"t=1e12,v1={V1}",
        f"t={T}\n,v1={V1}",
        f"t={'1' * 16},v1={V1}",
        f"t=\u0661\u0662,v1={V1}",
        f"t={T},t={T},v1={V1}",
        f"t={T},v1={V1},t=1",
        f"t={T},v1={V1},",
        f"t={T},v1={V1},v0",
        f"t={T},v1={V1},=x",
        f"t={T},v1={V1},x=\xe9",
        f"t={T},v1={V1},x=\xe9".encode("latin-1"),
        f"t={T},v1={V1},x=\ud800",
        f"t={T},v1={V1}" + ",v1=0" * 10,
        HEADER + ",x=".ljust(1001 - len(HEADER), "y"),
        "t=" * 100_000,
    ],
)
def test_a_header_that_cannot_be_read_is_malformed(header: str | bytes | None) -> None:
    error = refusal(header=header)
    assert error.reason == "malformed"
    assert "expected" in str(error)
    assert V1 not in str(error)


def test_no_header_is_missing() -> None:
    assert refusal(header=None).reason == "missing"


@pytest.mark.parametrize("v1", ["", "0", V1[:-1], V1 + "0", "0" * 64, "x" * 64, f"{V1} {V1}"])
def test_a_v1_that_is_not_the_signature_is_a_mismatch(v1: str) -> None:
    assert refusal(header=f"t={T},v1={v1}").reason == "mismatch"


@given(
    body=st.binary(),
    header=st.none() | st.text() | st.binary() | header_like | nearly_right,
    subscription_id=st.none() | st.text() | st.just(SUBSCRIPTION),
    now=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=14))])),
    tolerance=st.none() | st.timedeltas(),
)
@example(BODY, f"t={'9' * 15},v1={V1}", None, datetime.min.replace(tzinfo=UTC), timedelta.max)
def test_the_outcome_is_acceptance_or_a_signature_error(
    body: bytes,
    header: str | bytes | None,
    subscription_id: str | None,
    now: datetime | None,
    tolerance: timedelta | None,
) -> None:
    secrets = Secrets(unbound=(KEY,), bound=((SUBSCRIPTION, OTHER_KEY),))
    options = {"subscription_id": subscription_id, "now": now, "tolerance": tolerance}
    assert outcome(body, header, secrets, **options) in OUTCOMES


@given(st.integers(0, 10**15 - 1), st.datetimes(timezones=st.just(UTC)), st.timedeltas())
def test_any_t_can_be_compared_with_any_now(
    t: int, now: datetime | None, tolerance: timedelta | None
) -> None:
    header = sign(BODY, KEY, t=t)
    assert outcome(BODY, header, now=now, tolerance=tolerance) in {"accepted", "stale"}


# Which keys are tried


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
def test_during_a_rotation_both_keys_are_accepted(key: bytes) -> None:
    verify(BODY, sign(BODY, key, t=T), parse_secrets(f"{HEX},{OTHER_HEX}"))


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
def test_one_subscription_can_rotate_its_key(key: bytes) -> None:
    secrets = parse_secrets(f"{SUBSCRIPTION}={HEX},{SUBSCRIPTION}={OTHER_HEX}")
    verify(BODY, sign(BODY, key, t=T), secrets, subscription_id=SUBSCRIPTION)


def test_a_named_subscription_is_checked_with_its_own_key() -> None:
    secrets = parse_secrets(f"{SUBSCRIPTION}={HEX},{OTHER_SUBSCRIPTION}={OTHER_HEX}")
    verify(BODY, HEADER, secrets, subscription_id=SUBSCRIPTION)
    error = refusal(secrets=secrets, subscription_id=OTHER_SUBSCRIPTION)
    assert error.reason == "mismatch"


@pytest.mark.parametrize(
    ("subscription_id", "keys"),
    [
        (SUBSCRIPTION, {b"one", b"any"}),
        (f" {SUBSCRIPTION.upper()} ", {b"one", b"any"}),
        (OTHER_SUBSCRIPTION, {b"two", b"any"}),
        ("nobody", {b"any"}),
        (None, {b"one", b"two", b"any"}),
        (" ", {b"one", b"two", b"any"}),
    ],
)
def test_the_subscription_id_narrows_the_keys_to_try(
    subscription_id: str | None, keys: set[bytes]
) -> None:
    secrets = Secrets(
        unbound=(b"any",), bound=((SUBSCRIPTION, b"one"), (OTHER_SUBSCRIPTION, b"two"))
    )
    assert set(secrets.candidates(subscription_id)) == keys


def test_an_unknown_subscription_has_no_key_to_try() -> None:
    secrets = parse_secrets(f"{SUBSCRIPTION}={HEX}")
    error = refusal(secrets=secrets, subscription_id=OTHER_SUBSCRIPTION)
    assert error.reason == "unknown_subscription"


def test_without_any_secret_nothing_is_accepted() -> None:
    assert refusal(secrets=Secrets()).reason == "unknown_subscription"


# The window


@pytest.mark.parametrize("age", [timedelta(minutes=-5), timedelta(0), timedelta(minutes=5)])
def test_t_within_the_tolerance_is_accepted(age: timedelta) -> None:
    verify(BODY, HEADER, SECRETS, now=SENT + age, tolerance=timedelta(minutes=5))


@pytest.mark.parametrize("sign_of_age", [-1, 1])
def test_t_beyond_the_tolerance_is_stale(sign_of_age: int) -> None:
    now = SENT + sign_of_age * timedelta(minutes=5, milliseconds=1)
    error = refusal(now=now, tolerance=timedelta(minutes=5))
    assert error.reason == "stale"
    assert f"{sign_of_age * 300.001:.3f} s old" in str(error)


def test_without_a_tolerance_t_may_be_of_any_age() -> None:
    verify(BODY, HEADER, SECRETS, now=SENT + timedelta(days=4000))


def test_a_false_signature_is_a_mismatch_before_it_is_stale() -> None:
    now = SENT + timedelta(days=1)
    error = refusal(b"{}", now=now, tolerance=timedelta(minutes=5))
    assert error.reason == "mismatch"


@pytest.mark.parametrize("now", [None, SENT.replace(tzinfo=None)])
@pytest.mark.parametrize("header", [HEADER, None])
def test_a_tolerance_needs_now_with_a_time_zone(
    now: datetime | None, header: str | bytes | None
) -> None:
    with pytest.raises(InvalidInputError, match="time zone"):
        verify(BODY, header, SECRETS, now=now, tolerance=timedelta(minutes=5))


# The setting


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_a_blank_setting_gives_no_keys(text: str) -> None:
    assert parse_secrets(text) == Secrets()
    assert not parse_secrets(text)


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        (HEX, Secrets(unbound=(KEY,))),
        (HEX.upper(), Secrets(unbound=(KEY,))),
        (f" {HEX} , {OTHER_HEX}\n", Secrets(unbound=(KEY, OTHER_KEY))),
        (f"{SUBSCRIPTION}={HEX}", Secrets(bound=((SUBSCRIPTION, KEY),))),
        (f" {SUBSCRIPTION.upper()} = {HEX} ", Secrets(bound=((SUBSCRIPTION, KEY),))),
        (
            f"{OTHER_HEX},{SUBSCRIPTION}={HEX}",
            Secrets(unbound=(OTHER_KEY,), bound=((SUBSCRIPTION, KEY),)),
        ),
        ("ab" * 16, Secrets(unbound=(b"\xab" * 16,))),
    ],
)
def test_the_setting_is_read(text: str, secrets: Secrets) -> None:
    assert parse_secrets(text) == secrets
    assert parse_secrets(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEX[:30], "^expected an even number of hex digits, at least 32, got 30$"),
        (HEX[:-1], "^expected .* got 63$"),
        (f"{HEX},{HEX[:-1]}g", "^number 2: .* got 64 characters, not all hex digits$"),
        (f"{HEX[:32]} {HEX[32:]}", "^expected .* 65 characters, not all hex digits"),
        (f"0x{HEX}", "^expected .* 66 characters, not all hex digits"),
        ("\u0661" * 32, "^expected .* 32 characters, not all hex digits"),
        (f"{HEX},", "^number 2: .* got nothing"),
        (f"{SUBSCRIPTION}=", rf"^{SUBSCRIPTION}: .* got nothing"),
        (f"={HEX}", "^expected subscription-id=hex, got no id"),
        (f"{HEX}={SUBSCRIPTION}", "^expected .* 36 characters, not all hex digits"),
        (f"{SUBSCRIPTION}={HEX}=", rf"^{SUBSCRIPTION}: .* 65 characters"),
    ],
)
def test_a_setting_that_does_not_fit_is_explained_without_showing_the_secret(
    text: str, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        parse_secrets(text)
    assert HEX[:30] not in str(caught.value)


# Secrecy

almost_a_secret = st.text("0123456789abcdefxyz+/", min_size=8, max_size=80)


@given(almost_a_secret, st.sampled_from(["{}", "={}", "{}=", "{}=x", "name={}", HEX + ",{}"]))
def test_no_message_about_the_setting_shows_a_secret(secret: str, form: str) -> None:
    assert secret not in complaint(form.format(secret))


def test_the_repr_counts_the_keys_and_shows_none() -> None:
    secrets = parse_secrets(f"{HEX},{OTHER_HEX},{SUBSCRIPTION}={HEX}")
    assert repr(secrets) == str(secrets) == "Secrets(<2 unbound, 1 bound>)"


@pytest.mark.parametrize(
    "options",
    [
        {"header": None},
        {"header": "t=1"},
        {"body": b"{}"},
        {"header": f"t={T},v1={'0' * 64}"},
        {"subscription_id": "nobody", "secrets": Secrets(bound=((SUBSCRIPTION, KEY),))},
        {"now": SENT + timedelta(days=1), "tolerance": timedelta(minutes=5)},
    ],
)
def test_no_refusal_shows_the_secret_or_the_expected_signature(options: dict[str, object]) -> None:
    error = refusal(**options)
    signature = sign(options.get("body", BODY), KEY, t=T).partition("v1=")[2]
    for hidden in (HEX, repr(KEY), signature):
        assert hidden not in str(error)
        assert hidden not in repr(error)


def test_a_header_is_well_formed_if_it_can_be_read_as_a_signature() -> None:
    assert is_well_formed(sign(b"body", bytes(16), t=1))
    assert not is_well_formed("v1=abc")
    assert not is_well_formed("t=soon,v1=abc")
