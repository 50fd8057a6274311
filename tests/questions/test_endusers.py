"""One end user: the ban, and the conversations that they are requester of."""

from datetime import datetime
from typing import Any

import pytest
from places import Place

from dixa_state import AmbiguousError, NotFoundError
from dixa_state.questions import EndUser, OneEndUser

PER = {"id": "per", "name": "Per Sand", "user_type": "Contact"}


def created(
    csid: int, at: str, requester: dict[str, Any], organization: str = "org"
) -> dict[str, Any]:
    return told("CONVERSATION_CREATED", csid, at, organization, requester=requester)


def told(
    fqn: str, csid: int, at: str, organization: str = "org", **shown: object
) -> dict[str, Any]:
    return {
        "event_id": f"{fqn} {csid} {at} {organization}",
        "event_fqn": fqn,
        "event_timestamp": f"2026-03-02T{at}:00Z",
        "organization": {"id": organization},
        "data": {"conversation": {"csid": csid} | shown},
    }


def ban(fqn: str, at: str, who: object = PER, organization: str = "org") -> dict[str, Any]:
    return {
        "event_id": f"{fqn} {at} {organization}",
        "event_fqn": fqn,
        "event_timestamp": f"2026-03-02T{at}:00Z",
        "organization": {"id": organization},
        "data": {"enduser": who},
    }


def clock(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-02T{time}:00Z")


def find(place: Place, key: str, organization: str | None = None) -> EndUser:
    return place.reader.ask(OneEndUser(id=key, organization=organization))


def test_an_end_user_has_a_ban_and_conversations_by_status(place: Place) -> None:
    place.receive(
        [
            created(1, "08:00", PER | {"name": "P."}),
            told("CONVERSATION_CLOSED", 1, "09:00"),
            created(2, "08:30", PER | {"phone": "+45"}),
            told("CONVERSATION_CLOSED", 2, "08:40"),
            created(3, "10:00", PER),
            created(4, "07:00", {"id": "mette"}),
            ban("AGENT_BANNED_ENDUSER", "11:00"),
        ]
    )
    found = find(place, "per")
    assert (found.organization_id, found.id) == ("org", "per")
    assert found.user is not None
    assert (found.user.id, found.user.name, found.user.phone) == ("per", "Per Sand", None)
    assert found.ban is not None
    assert (found.ban.banned, found.ban.since) == (True, clock("11:00"))
    assert found.conversations == {"open": 1, "closed": 2}
    assert (found.first_created_at, found.last_event_at) == (clock("08:00"), clock("10:00"))


def test_an_end_user_who_was_never_banned_has_no_ban(place: Place) -> None:
    place.receive([created(1, "08:00", PER)])
    found = find(place, "per", "org")
    assert (found.ban, found.conversations) == (None, {"open": 1})


def test_an_end_user_without_a_conversation_is_known_by_the_ban(place: Place) -> None:
    place.receive([ban("AGENT_BANNED_ENDUSER", "08:00"), ban("AGENT_UNBANNED_ENDUSER", "09:00")])
    found = find(place, "per")
    assert found.ban is not None
    assert (found.ban.banned, found.user and found.user.name) == (False, "Per Sand")
    assert (found.conversations, found.first_created_at, found.last_event_at) == ({}, None, None)


def test_who_is_requester_no_more_has_no_part_in_the_conversation(place: Place) -> None:
    replaced = told("CONVERSATION_END_USER_REPLACED", 1, "09:00")
    replaced["data"]["new_user"] = {"id": "mette"}
    place.receive([created(1, "08:00", PER), replaced])
    assert find(place, "mette").conversations == {"open": 1}
    with pytest.raises(NotFoundError):
        find(place, "per")


def test_a_banned_address_is_no_end_user(place: Place) -> None:
    place.receive([ban("AGENT_BANNED_IP", "08:00") | {"data": {"ip": "203.0.113.7"}}])
    with pytest.raises(NotFoundError):
        find(place, "203.0.113.7")


def test_an_end_user_that_nothing_tells_of_is_not_found(place: Place) -> None:
    message = "no ban and no conversation of theirs is in the views"
    for key in ("nobody", "", "\0", "\udcff", "x" * 10_000):
        with pytest.raises(NotFoundError, match=message):
            find(place, key)


def test_end_users_of_several_organizations_are_told_apart(place: Place) -> None:
    place.receive([created(1, "08:00", PER), ban("AGENT_BANNED_ENDUSER", "09:00", PER, "two")])
    with pytest.raises(AmbiguousError) as raised:
        find(place, "per")
    assert str(raised.value) == (
        "end user per: expected one organization, got 2; name one of them: org, two"
    )
    assert find(place, "per", "org").ban is None
    assert find(place, "per", "two").conversations == {}
    with pytest.raises(NotFoundError):
        find(place, "per", "three")


def test_an_end_user_may_have_an_endless_id(place: Place) -> None:
    endless = {"id": "".join(chr(0x4E00 + n * n % 20_000) for n in range(20_000))}
    place.receive([created(1, "08:00", endless), ban("AGENT_BANNED_ENDUSER", "09:00", endless)])
    found = find(place, endless["id"])
    assert found.user is not None
    assert found.user.id == endless["id"]
    assert found.ban is not None
