import pytest
from story import ANNA, METTE, OMAR, arrived, at, wall

from dixa_state.domain.bans import Ban, BanKind, fold, subject
from dixa_state.domain.events import (
    BanReported,
    Created,
    Event,
    Fact,
    NoteAdded,
    User,
)

ADDRESS = "203.0.113.7"
BAN: dict[BanKind, Fact] = {
    "enduser": BanReported(banned=True, user=METTE),
    "ip": BanReported(banned=True, address=ADDRESS),
}
LIFT: dict[BanKind, Fact] = {
    "enduser": BanReported(banned=False, user=METTE),
    "ip": BanReported(banned=False, address=ADDRESS),
}
IDS: dict[BanKind, str] = {"enduser": "mette", "ip": ADDRESS}
kinds = pytest.mark.parametrize("kind", ["enduser", "ip"])


def ban_after(kind: BanKind, *events: Event) -> Ban:
    return fold(Ban("aurora", kind, IDS[kind]), arrived(*events))


@kinds
def test_a_ban_holds_from_its_event_on_by_its_author(kind: BanKind) -> None:
    ban = ban_after(kind, at("08:00", BAN[kind], by=ANNA))
    assert (ban.banned, ban.by, wall(ban.since)) == (True, ANNA, "08:00")
    assert ban.user == (METTE if kind == "enduser" else None)


@kinds
def test_a_lifted_ban_is_no_ban_since_then(kind: BanKind) -> None:
    ban = ban_after(kind, at("08:00", BAN[kind], by=ANNA), at("09:00", LIFT[kind], by=OMAR))
    assert (ban.banned, ban.by, wall(ban.since)) == (False, OMAR, "09:00")
    assert [(change.banned, wall(change.at), change.by) for change in ban.history] == [
        (True, "08:00", ANNA),
        (False, "09:00", OMAR),
    ]


@kinds
def test_a_repeat_changes_neither_beginning_nor_author_but_stays_in_the_history(
    kind: BanKind,
) -> None:
    ban = ban_after(kind, at("08:00", BAN[kind], by=ANNA), at("09:00", BAN[kind], by=OMAR))
    assert (ban.banned, ban.by, wall(ban.since)) == (True, ANNA, "08:00")
    assert [change.event_id[-5:] for change in ban.history] == ["08:00", "09:00"]


@kinds
def test_a_history_may_begin_with_the_end_of_a_ban(kind: BanKind) -> None:
    ban = ban_after(kind, at("09:00", LIFT[kind], by=OMAR))
    assert (ban.banned, ban.by, wall(ban.since)) == (False, OMAR, "09:00")


@kinds
def test_bans_follow_event_time_and_say_what_came_late(kind: BanKind) -> None:
    lifted = at("09:00", LIFT[kind])
    laid = at("08:00", BAN[kind], received="10:00")
    ban = ban_after(kind, lifted, laid)
    assert (ban.banned, wall(ban.since)) == (False, "09:00")
    assert [(change.banned, change.late, wall(change.received_at)) for change in ban.history] == [
        (True, True, "10:00"),
        (False, False, "09:00:01"),
    ]
    assert (ban.version, ban.position) == (2, 2)


def test_what_is_not_about_a_ban_changes_no_ban() -> None:
    ban = ban_after("enduser", at("08:00", BAN["enduser"]), at("09:00", NoteAdded()))
    assert (ban.banned, ban.version, len(ban.history)) == (True, 2, 1)


def test_the_newest_event_shows_the_end_user_best() -> None:
    married = User(id="mette", name="Mette Berg", user_type="Contact")
    ban = ban_after(
        "enduser",
        at("08:00", BanReported(banned=True, user=METTE)),
        at("09:00", BanReported(banned=False, user=married)),
        at("10:00", BanReported(banned=True)),
    )
    assert ban.user == married


@pytest.mark.parametrize(
    ("fact", "name"),
    [
        (BanReported(banned=True, user=METTE), "mette"),
        (BanReported(banned=False, user=User(email="mette@example.com")), "mette@example.com"),
        (BanReported(banned=True), ""),
        (BanReported(banned=True, user=User()), ""),
        (BanReported(banned=True, address=ADDRESS), ADDRESS),
        (BanReported(banned=False, address=ADDRESS), ADDRESS),
        (BanReported(banned=False), ""),
        (Created(), ""),
    ],
)
def test_a_ban_is_about_whom_or_what_its_events_name(fact: Fact, name: str) -> None:
    assert subject(at("08:00", fact).fact) == name
