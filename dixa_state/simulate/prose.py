"""What people write: sentences one after the other, as long as wanted.

The sentences stand in one long text, as JSON spells them, out of which messages are cut; nothing
needs escaping afterwards.
"""

from bisect import bisect_left
from itertools import accumulate

from dixa_state.simulate.cast import encode
from dixa_state.simulate.dice import Dice

_SENTENCES = 1_500


class Prose:
    """A long text in one voice."""

    __slots__ = ("_first_half", "_starts", "_text")

    def __init__(self, voice: str, sentences: tuple[str, ...]) -> None:
        dice = Dice(voice)
        spelled = [encode(dice.pick(sentences) + " ")[1:-1] for _ in range(_SENTENCES)]
        self._text = "".join(spelled)
        self._starts = list(accumulate(map(len, spelled), initial=0))
        self._first_half = _SENTENCES // 2

    def cut(self, dice: Dice, median: int) -> str:
        """Cut out whole sentences of about this length, as JSON without its quotation marks."""
        begin = int(dice.roll() * self._first_half)
        start = self._starts[begin]
        end = bisect_left(self._starts, start + dice.about(median), begin + 1, _SENTENCES)
        return self._text[start : self._starts[end] - 1]


CUSTOMER = (
    "Hi there.",
    "Hello,\n\nI ordered a tent last week and it has not arrived yet.",
    "Where is my parcel?",
    'The tracking page has said "in transit" for four days now.',
    "Could you please check this for me?",
    "The zip broke the first time we used it.",
    "I would like to send the jacket back, it is too small.",
    "Do you have it in blue, size M?",
    "My card was charged twice for the same order.",
    "I attach a photo of the damage.",
    "We leave for Tromsø on Friday, so it is rather urgent.",
    "Thanks for the quick answer!",
    "That works for me, thank you.",
    "No, that did not help.",
    "When can I expect the refund?",
    "The invoice shows the wrong address: it should be Åboulevarden 12.",
    "Is the sleeping bag warm enough for -10 °C?",
    "I tried to log in, but the page only shows an error.",
    "Who can I talk to about this?",
    "Best regards",
    "It cost 1.299 kr. and I expected it to last longer than one trip.",
    "Can I change the delivery address before you ship it?",
    "One of the poles is missing from the bag.",
    "I have waited for an hour \N{SLIGHTLY FROWNING FACE}",
)
AGENT = (
    "Hi, and thank you for writing to us.",
    "I am sorry to hear that.",
    "Let me look into it right away.",
    "I have found your order, and it left our warehouse yesterday.",
    "Your parcel should be with you within two working days.",
    "I have sent you a new return label by email.",
    "We will of course replace it free of charge.",
    "Could you send me a photo of the damage?",
    "The refund is on its way and takes three to five days.",
    "May I have your order number, please?",
    "I have passed this on to our colleagues in the warehouse.",
    "Is there anything else that I can help you with?",
    "You are welcome!\n\nHave a great trip.",
    "It is in stock again from Monday.",
    'You can change the address yourself under "My orders".',
    "I have corrected the invoice and attached it.",
    "Kind regards from all of us at Aurora Outdoor",
    "Please let me know if it happens again.",
)
NOTE = (
    "Asked the carrier.",
    "Customer called earlier about the same order.",
    "Refund approved by the team lead.",
    "Waiting for the warehouse to count the shelf.",
    "Be careful, third complaint this month.",
    "Checked the payment: charged twice, one to be voided.",
    "Left a voicemail.",
)
ROBOT = (
    "Thank you for your message. We answer as soon as we can, usually within a few hours.",
    "You have reached us outside our opening hours.",
    "Have a look at https://help.aurora.example in the meantime.",
)
SUBJECTS = (
    *("Where is my order?", "Return of a jacket", "Broken zip", "Wrong invoice", "Refund"),
    *("Question about sizes", "Payment failed", "Missing poles", "Gift card does not work"),
    *("Delivery to Tromsø", "Cancel my order", "Warranty", "Wholesale prices", "Login problem"),
)
COMMENTS = (
    *("Quick help, thanks", "Great service!", "Took far too long.", "Friendly, but no solution."),
    *("Perfect \N{THUMBS UP SIGN}", "I had to explain it three times.", "Tak for hjælpen!", "OK"),
)
