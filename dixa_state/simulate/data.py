"""The simulated support desk as data: who and what there is, what is said, and how often.

All addresses are in domains, and all numbers in ranges, that are reserved for examples. Weights are
relative to their table; times are medians unless said otherwise.
"""

from functools import cache
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from dixa_state.simulate.plan import DAY, HOUR, MINUTE

Document = dict[str, Any]

_NAMESPACE = UUID("5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11")


@cache
def fixed_id(name: str) -> str:
    """Return the id that a thing of this name has in every simulation."""
    return str(uuid5(_NAMESPACE, name))


def _named(kind: str, *names: str, **more: object) -> tuple[Document, ...]:
    return tuple({"id": fixed_id(f"{kind} {name}"), "name": name, **more} for name in names)


ORGANIZATION = {"id": str(_NAMESPACE), "name": "Aurora Outdoor"}
QUEUES = _named("queue", "Support", "Sales", "Logistics", "Returns", "Billing")
QUEUE_WEIGHTS = dict(enumerate((40, 15, 20, 15, 10)))
TAGS = _named(
    "tag",
    *("delivery", "replacement", "refund", "invoice", "warranty", "size", "complaint", "praise"),
    *("spam", "bug", "website", "payment", "giftcard", "repair", "wholesale"),
    is_deactivated=False,
)
ATTRIBUTES: dict[str, tuple[str, tuple[object, ...]]] = {
    "order_number": ("Order number", ("AU-1042", "AU-20977", "AU-31556", "AU-48210", "AU-99017")),
    "product": ("Product", ("Tent", "Jacket", "Sleeping bag", "Stove", "Boots")),
    "items": ("Items", tuple(range(1, 12))),
    "country": ("Country", ("DK", "NO", "SE", "DE", "GB")),
}
"""The name and the possible values of each custom attribute."""


def user(name: str, email: str | None, user_type: str, **known: object) -> Document:
    """Return a user as webhooks show them."""
    roles = ["Agent"] if user_type == "Member" else []
    shown = {"id": fixed_id(name), "name": name, "email": email, "phone": None}
    return {**shown, "roles": roles, "user_type": user_type, **known}


def truth_of(user: Document) -> Document:
    """Return a user as `status --json` shows them."""
    return {name: value for name, value in user.items() if name != "roles"}


def attribute(identifier: str, value: object) -> Document:
    """Return a custom attribute as webhooks show it."""
    name, _ = ATTRIBUTES[identifier]
    return {"id": fixed_id(name), "identifier": identifier, "name": name, "value": value}


ROBOT = user("Aurora Assistant", None, "Bot")
AGENTS = tuple(
    user(f"{name} Holm", f"{name.lower()}@aurora.example", "Member")
    for name in (
        *("Ida", "Omar", "Sara", "Mikkel", "Lea", "Jonas", "Nadia", "Emil", "Clara", "Viktor"),
        *("Signe", "Tariq", "Laura", "Bo", "Karin", "Leo", "Marta", "Ali", "Nina", "Gustav"),
    )
)
TEAMS = {queue["name"]: AGENTS[number :: len(QUEUES)] for number, queue in enumerate(QUEUES)}
"""The agents who serve each queue."""

WORKING_HOURS = frozenset(24 * day + hour for day in range(7) for hour in range(7, 22))
"""The hours of the week, from Monday at midnight UTC, in which agents work."""

FIRST_NAMES = (
    *("Mette", "Jon", "Per", "Søren", "Åse", "Ingrid", "Lars", "Maja", "Noah", "Emma", "Oscar"),
    *("Freja", "Karl", "Sofie", "Anna", "Jürgen", "Chloé", "Liam", "Olivia", "Mia", "Lucas"),
)
LAST_NAMES = (
    *("Sand", "Berg", "Lind", "Holm", "Dahl", "Vang", "Skov", "Krogh", "Møller", "Østergaard"),
    *("Nielsen", "Hansen", "Jensen", "Larsen", "Schmidt", "Weber", "Dubois", "Rossi", "Novak"),
)
MAIL_DOMAINS = ("example.com", "example.com", "example.org", "example.net", "mail.example")
ASCII = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa", "é": "e", "ü": "u", "ö": "o", " ": "."})
NETWORKS = ("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8::")

_HOURLY = (2, 1, 1, 1, 1, 3, 8, 20, 45, 70, 85, 80, 65, 70, 75, 70, 60, 50, 42, 38, 32, 22, 9, 5)
_DAILY = (1.25, 1.1, 1.0, 1.0, 0.95, 0.5, 0.4)
ARRIVALS = tuple(day * hour for day in _DAILY for hour in _HOURLY)
"""How many conversations begin in each hour of the week, from Monday at midnight UTC."""


class Channel(NamedTuple):
    """A channel: its share of the traffic, and the pace of its conversations, in seconds.

    `wait` is the time until an agent takes over, `patience` the time after which the customer
    leaves (0: never), `reply` and `answer` the times in which agent and customer write (0: they
    talk), `letters` the length of what they write, `typing` how often it is shown.
    """

    contact_point: str
    policy: str
    share: int
    wait: int
    reply: int
    answer: int
    letters: int
    patience: int
    typing: float


CHANNELS = {
    "EMAIL": Channel("support@aurora.example", "Email", 38, 3_000, 540, 18_000, 320, 0, 0),
    "WIDGET_CHAT": Channel("chat.aurora.example", "Chat", 25, 40, 35, 45, 80, 300, 0.5),
    "PSTN_PHONE": Channel("+447700900000", "Phone", 14, 45, 0, 0, 0, 180, 0),
    "SMS": Channel("+447700900001", "Messaging", 5, 480, 120, 480, 80, 0, 0),
    "WHATSAPP": Channel("+447700900002", "Messaging", 9, 360, 120, 240, 80, 0, 0),
    "FACEBOOK_MESSENGER": Channel("aurora.example", "Messaging", 5, 720, 120, 600, 110, 0, 0.2),
    "MESSENGER": Channel("messenger.aurora.example", "Chat", 4, 180, 60, 120, 90, 0, 0.4),
}
POLICIES = {"Email": (8, 12), "Chat": (0.05, 0.1), "Phone": (0.05, 0.05), "Messaging": (1, 2)}
"""The hours within which the first response is promised, and each next one."""

WITH_SUBJECT = ("EMAIL",)
WITH_REPORTS = ("EMAIL", "SMS", "WHATSAPP", "FACEBOOK_MESSENGER")
CHANNEL_WEIGHTS = {name: channel.share for name, channel in CHANNELS.items()}

OUTBOUND = 0.07
GREETED = 0.3
REROUTED = 0.03
HANDED_OVER = 0.05
RETURNS_AFTER_ABANDONING = 0.15
RETURNING_CUSTOMER = 0.3
KEEPS_AGENT = 0.75
SWAPS_TAG = 0.2
UNASSIGNED_BY_TRANSFER = 0.4
ASSIGNED_BY_TRANSFER = 0.8
VOIDED_BY_FOLLOW_UP = 0.3
RATED = 0.22
COMMENTED = 0.4
REOPENED = 0.09
BANNED = 0.02
BANNED_BY_IP = 0.3
BAN_LIFTED = 0.4
SAME_MILLISECOND = 0.15
PROMISED = {"FirstResponse": 0.75, "NextResponse": 0.35}

# The keys are methods of `SupportDesk`; the weights are those while the customer waits for a reply,
# when they have got it, and on the phone.
ACTIONS = {
    "reply": (74, 0, 0),
    "ask": (0, 38, 0),
    "close": (0, 27, 36),
    "tag": (7, 10, 17),
    "untag": (0, 2, 0),
    "note": (4, 6, 24),
    "describe": (4, 6, 10),
    "follow_up": (0, 9, 5),
    "transfer_to_queue": (3, 1, 4),
    "transfer_to_agent": (2, 1, 3),
    "hand_back": (1, 0, 0),
    "replace_requester": (0.7, 0.7, 1),
    "ban": (0, 0.4, 0),
}
WHILE_WAITING, WHEN_ANSWERED, ON_THE_PHONE = (
    {name: weights[column] for name, weights in ACTIONS.items()} for column in range(3)
)
WHILE_PENDING = {"expire": 50, "come_back": 35, "close": 15}

_HANDLING = ("CONVERSATION_ASSIGNED", "CONVERSATION_UNASSIGNED", "CONVERSATION_TRANSFERRED")
FIELDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("channel", "direction", "subject", "contact_point", "created_at"), ()),
    **dict.fromkeys(("assignee", "assigned_at"), _HANDLING),
    "queue": ("CONVERSATION_ENQUEUED", "CONVERSATION_TRANSFERRED"),
    "requester": ("CONVERSATION_END_USER_",),
    "tags": ("CONVERSATION_TAG_",),
    "custom_attributes": ("CONVERSATION_CUSTOM_ATTRIBUTE_",),
    "ratings": ("CONVERSATION_RATED",),
    **dict.fromkeys(("sla", "sla_status"), ("SLA_",)),
}
"""The fields that the truth judges, with the beginnings of the events that report them."""

RESTORED = {
    "CONVERSATION_ASSIGNED": "assignee",
    "CONVERSATION_ENQUEUED": "queue",
    "CONVERSATION_END_USER_REPLACED": "requester",
}
"""The webhooks that make a field certain again, whatever was lost before."""

FOLLOW_UPS = (HOUR, 4 * HOUR, DAY, 2 * DAY)
RATING_WEIGHTS = {"Csat": 3, "Nps": 1, "ThumbsUpOrDown": 1}
SCORES = {"Csat": (5, 5, 5, 4, 4, 3, 2, 1), "Nps": (10, 9, 9, 8, 7, 5, 2), "ThumbsUpOrDown": (1, 0)}

REPORTS: dict[tuple[str, ...], float] = {
    ("SENT", "DELIVERED", "SEEN"): 22,
    ("SENT", "DELIVERED"): 26,
    ("SENT",): 8,
    ("SENT", "FAILED"): 2,
    ("SENT", "INFO", "DELIVERED"): 1,
    ("SENT", "DELIVERED", "SPAM_COMPLAINT"): 0.5,
    ("FAILED",): 0.5,
    (): 40,
}
"""The reports on the delivery of a message, one after the other."""

REPORT_DELAYS = {"SEEN": 4 * MINUTE, "SPAM_COMPLAINT": 30 * MINUTE}

TEXTS = {
    "customer": (
        *("Hi there.", "Where is my parcel?", "No, that did not help.", "Is it waterproof?"),
        *("Hello,\n\nI ordered a tent last week and it has not arrived yet.", "Thank you!"),
        *('The page has said "in transit" for four days now.', "When can I expect the refund?"),
        *("The zip broke the first time we used it.", "I attach a photo of the damage."),
        *("My card was charged twice for the same order.", "Do you have it in blue, size M?"),
        "We leave for Tromsø on Friday, so it is rather urgent.",
        "The invoice shows the wrong address: it should be Åboulevarden 12.",
        "It cost 1.299 kr. and I expected it to last longer than one trip.",
        "I have waited for an hour \N{SLIGHTLY FROWNING FACE}",
    ),
    "agent": (
        *("Hi, and thank you for writing to us.", "I am sorry to hear that.", "Let me see."),
        *("I have sent you a new return label by email.", "May I have your order number, please?"),
        *("We will of course replace it free of charge.", "You are welcome!\n\nHave a great trip."),
        "I have found your order, and it left our warehouse yesterday.",
        "The refund is on its way and takes three to five days.",
        'You can change the address yourself under "My orders".',
        "Kind regards from all of us at Aurora Outdoor",
    ),
    "note": (
        *("Asked the carrier.", "Customer called earlier about the same order."),
        *("Refund approved by the team lead.", "Be careful, third complaint this month."),
        *("Checked the payment: charged twice, one to be voided.", "Left a voicemail."),
    ),
    "robot": (
        "Thank you for your message. We answer as soon as we can, usually within a few hours.",
        "You have reached us outside our opening hours.",
        "Have a look at https://help.aurora.example in the meantime.",
    ),
}
SUBJECTS = (
    *("Where is my order?", "Return of a jacket", "Broken zip", "Wrong invoice", "Refund"),
    *("Question about sizes", "Payment failed", "Missing poles", "Gift card does not work"),
    *("Delivery to Tromsø", "Cancel my order", "Warranty", "Wholesale prices", "Login problem"),
)
COMMENTS = (
    *("Quick help, thanks", "Great service!", "Took far too long.", "Friendly, but no solution."),
    *("Perfect \N{THUMBS UP SIGN}", "I had to explain it three times.", "Tak for hjælpen!", "OK"),
)
