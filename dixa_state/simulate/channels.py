"""Channels: how much comes in by each, how fast people are on it, and what is promised there."""

from msgspec import Struct

from dixa_state.simulate.cast import Named
from dixa_state.simulate.dice import Weighted
from dixa_state.simulate.times import HOUR, MINUTE, SECOND


class Channel(Struct, frozen=True, kw_only=True):
    """A channel; all times are medians, but for the promises.

    `wait` is how long an agent takes to come, `patience` how long the customer stays (None: they
    need not), `reply` and `answer` how long agent and customer take to write, `letters` how much
    they write. `first` and `following` are promised for the first and for every next response.
    """

    name: str
    contact_point: str
    share: float
    policy: Named
    first: int
    following: int
    wait: int
    reply: int
    answer: int
    letters: int = 80
    patience: int | None = None
    has_messages: bool = True
    has_reports: bool = False
    has_subject: bool = False
    typing: float = 0.0


_MESSAGING = Named("policy", "Messaging")

_ALL = (
    Channel(
        name="EMAIL",
        contact_point="support@aurora.example",
        share=38,
        policy=Named("policy", "Email, standard"),
        first=8 * HOUR,
        following=12 * HOUR,
        wait=50 * MINUTE,
        reply=9 * MINUTE,
        answer=5 * HOUR,
        letters=320,
        has_reports=True,
        has_subject=True,
    ),
    Channel(
        name="WIDGET_CHAT",
        contact_point="chat.aurora.example",
        share=25,
        policy=Named("policy", "Chat, standard"),
        first=3 * MINUTE,
        following=5 * MINUTE,
        wait=40 * SECOND,
        reply=35 * SECOND,
        answer=45 * SECOND,
        patience=5 * MINUTE,
        typing=0.5,
    ),
    Channel(
        name="PSTN_PHONE",
        contact_point="+447700900000",
        share=14,
        policy=Named("policy", "Phone"),
        first=2 * MINUTE,
        following=2 * MINUTE,
        wait=45 * SECOND,
        reply=MINUTE,
        answer=MINUTE,
        patience=3 * MINUTE,
        has_messages=False,
    ),
    Channel(
        name="SMS",
        contact_point="+447700900001",
        share=5,
        policy=_MESSAGING,
        first=HOUR,
        following=2 * HOUR,
        wait=8 * MINUTE,
        reply=2 * MINUTE,
        answer=8 * MINUTE,
        has_reports=True,
    ),
    Channel(
        name="WHATSAPP",
        contact_point="+447700900002",
        share=9,
        policy=_MESSAGING,
        first=HOUR,
        following=2 * HOUR,
        wait=6 * MINUTE,
        reply=2 * MINUTE,
        answer=4 * MINUTE,
        has_reports=True,
    ),
    Channel(
        name="FACEBOOK_MESSENGER",
        contact_point="aurora.page.example",
        share=5,
        policy=_MESSAGING,
        first=HOUR,
        following=2 * HOUR,
        wait=12 * MINUTE,
        reply=2 * MINUTE,
        answer=10 * MINUTE,
        letters=110,
        has_reports=True,
        typing=0.2,
    ),
    Channel(
        name="MESSENGER",
        contact_point="messenger.aurora.example",
        share=4,
        policy=_MESSAGING,
        first=30 * MINUTE,
        following=HOUR,
        wait=3 * MINUTE,
        reply=MINUTE,
        answer=2 * MINUTE,
        letters=90,
        typing=0.4,
    ),
)

CHANNELS = {channel.name: channel for channel in _ALL}
SHARES = Weighted({name: channel.share for name, channel in CHANNELS.items()})
