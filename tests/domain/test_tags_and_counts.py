from story import ANNA, METTE, PER, after, at, seen, wall

from dixa_state.domain.conversation import Conversation
from dixa_state.domain.events import (
    CustomAttributesUpdated,
    DeliveryReported,
    EndUserReplaced,
    NoteAdded,
    Snapshot,
    TagAdded,
    TagRemoved,
    TypingStarted,
    Unrecognised,
    User,
)


def changes(state: Conversation) -> list[tuple[str, bool, str | None, bool]]:
    return [
        (change.tag, change.added, wall(change.at), change.inferred) for change in state.tag_history
    ]


def test_tags_are_a_set_with_a_history() -> None:
    state = after(
        at("08:00", TagAdded(tag="tent")),
        at("09:00", TagAdded(tag="pole")),
        at("10:00", TagRemoved(tag="tent")),
    )
    assert state.tags == {"pole"}
    assert changes(state) == [
        ("tent", True, "08:00", False),
        ("pole", True, "09:00", False),
        ("tent", False, "10:00", False),
    ]
    assert state.tag_history[-1].event_id == "TagRemoved@10:00"


def test_a_tag_that_is_there_and_one_that_is_not_change_nothing() -> None:
    state = after(
        at("08:00", TagAdded(tag="tent")),
        at("09:00", TagAdded(tag="tent")),
        at("10:00", TagRemoved(tag="pole")),
    )
    assert changes(state) == [("tent", True, "08:00", False)]


def test_a_tag_event_that_names_no_tag_changes_nothing() -> None:
    state = after(
        at("08:00", TagAdded(tag="tent")), at("09:00", TagAdded()), at("10:00", TagRemoved())
    )
    assert state.tags == {"tent"}


def test_missed_tags_are_inferred_one_change_each_in_alphabetical_order() -> None:
    state = after(
        at("08:00", TagAdded(tag="tent")), seen("09:00", tags=frozenset({"pole", "delivery"}))
    )
    assert state.tags == {"pole", "delivery"}
    assert changes(state)[1:] == [
        ("delivery", True, "09:00", True),
        ("pole", True, "09:00", True),
        ("tent", False, "09:00", True),
    ]


def test_a_missed_tag_that_arrives_after_all_is_told_and_not_inferred() -> None:
    state = after(
        at("08:00", TagAdded(tag="tent")),
        seen("09:00", tags=frozenset({"tent", "pole"})),
        at("08:30", TagAdded(tag="pole"), received="10:00"),
    )
    assert changes(state) == [("tent", True, "08:00", False), ("pole", True, "08:30", False)]


def test_custom_attributes_are_merged_by_events_and_replaced_by_snapshots() -> None:
    first = at("08:00", CustomAttributesUpdated(values={"order": "1", "size": "L"}))
    second = at("09:00", CustomAttributesUpdated(values={"order": "2"}))
    assert after(first, second).custom_attributes == {"order": "2", "size": "L"}
    assert after(
        first, second, seen("10:00", custom_attributes={"size": "M"})
    ).custom_attributes == {"size": "M"}


def test_who_replaces_an_end_user_leaves_them_among_the_earlier_ones() -> None:
    state = after(
        seen("08:00", requester=METTE),
        at("09:00", EndUserReplaced(new=PER)),
        at("10:00", EndUserReplaced(new=METTE)),
    )
    assert state.requester == METTE
    assert state.earlier_requesters == (METTE, PER)


def test_the_replaced_end_user_is_known_even_where_the_history_starts() -> None:
    state = after(at("09:00", EndUserReplaced(old=METTE, new=PER)))
    assert (state.requester, state.earlier_requesters) == (PER, (METTE,))
    state = after(at("09:00", EndUserReplaced(old=METTE)))
    assert (state.requester, state.earlier_requesters) == (None, (METTE,))


def test_the_event_names_the_replaced_end_user_only_where_nothing_better_is_known() -> None:
    state = after(
        seen("08:00", requester=METTE), at("09:00", EndUserReplaced(old=User(id="mette"), new=PER))
    )
    assert state.earlier_requesters == (METTE,)


def test_a_replacement_that_does_not_name_the_new_one_keeps_the_old() -> None:
    state = after(seen("08:00", requester=METTE), at("09:00", EndUserReplaced()))
    assert (state.requester, state.earlier_requesters) == (METTE, ())


def test_a_missed_replacement_is_followed() -> None:
    state = after(seen("08:00", requester=METTE), seen("09:00", requester=PER))
    assert (state.requester, state.earlier_requesters) == (PER, (METTE,))


def test_notes_typing_and_failed_deliveries_are_counted() -> None:
    state = after(
        at("08:00", NoteAdded(author=ANNA)),
        at("08:01", NoteAdded()),
        at("08:02", TypingStarted(agent=ANNA)),
        at("08:03", DeliveryReported(fate="sent")),
        at("08:04", DeliveryReported(fate="failed")),
        at("08:05", DeliveryReported(fate="spam_complaint")),
        at("08:06", DeliveryReported(fate="seen")),
        at("08:07", DeliveryReported(fate="failed")),
    )
    assert (state.notes, state.typing, state.deliveries_failed) == (2, 1, 2)
    assert (state.version, wall(state.last_event_at)) == (8, "08:07")


def test_what_this_version_has_no_name_for_still_counts_and_still_gives_evidence() -> None:
    state = after(
        at("08:00", Unrecognised(fqn="CONVERSATION_MERGED"), shows=Snapshot(status="CLOSED"))
    )
    assert (state.version, state.life.status) == (1, "closed")


def test_the_id_of_a_tag_is_kept_by_its_name_however_soon_it_is_shown() -> None:
    state = after(
        at("08:00", TagAdded(tag="tent")),
        seen("08:00:01", tags=frozenset({"tent"}), tag_ids={"tent": "t1"}),
        at("09:00", TagRemoved(tag="tent")),
        seen("09:00:01", tags=frozenset({"tent", "pole"}), tag_ids={"pole": "p1"}),
    )
    assert state.tags == {"pole"}
    assert state.tag_ids == {"tent": "t1", "pole": "p1"}


def test_of_two_ids_of_one_tag_the_one_shown_last_holds_whichever_came_in_last() -> None:
    shown = [seen(f"{hour}:00", tag_ids={"tent": f"at {hour}"}) for hour in ("08", "10", "09")]
    assert after(*shown).tag_ids == {"tent": "at 10"}


def test_the_ids_of_custom_attributes_are_kept_by_their_identifiers() -> None:
    state = after(
        seen("08:00", attribute_ids={"order": "a1"}),
        seen("09:00", attribute_ids={"size": "a2"}),
        seen("10:00"),
    )
    assert state.attribute_ids == {"order": "a1", "size": "a2"}
