"""What each model is for, in words for people: the part of a card that no measurement gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from training.registry.entries import ModelName


@dataclass(frozen=True)
class Purpose:
    """A model in plain words.

    Attributes:
        title: What it is called among people.
        does: What it does, in a sentence.
        used_for: Where its answers go.
        not_for: When not to use it.
        limits: What it cannot know.
        ethics: Whom it may wrong, and what is done about it.
        word: Under which the command line knows it.
        event: The event in the plural, as in "41 of them leave"; empty where there is none.
        row: What a row is, in the plural.
        outcome: Which of its outcomes the event is; empty where there is one.
        why_no_use: Why it is not told what the model leans on; empty where it is.
    """

    title: str
    does: str
    used_for: tuple[str, ...]
    not_for: tuple[str, ...]
    limits: tuple[str, ...]
    ethics: tuple[str, ...]
    word: str
    event: str = ""
    row: str = "customers"
    outcome: str = ""
    why_no_use: str = ""


_UNLISTED = Purpose(
    title="Another model",
    does="Nobody has described this model yet.",
    used_for=(),
    not_for=("anything, before somebody has written down what it is for",),
    limits=(),
    ethics=(),
    word="all",
)

_PURPOSES: Final[Mapping[str, Purpose]] = MappingProxyType(
    {
        "opportune-churn": Purpose(
            title="Churn: who is about to leave",
            does="For each customer it gives the probability of being lost within 30 days.",
            used_for=(
                "a list of customers worth a call or a message, the most endangered first",
                "the tier and the playbook of a customer, beside the reasons",
            ),
            not_for=(
                (
                    "judging what a call or a message would change: that is the uplift model's "
                    "question, and the most endangered are often the hardest to keep"
                ),
                "customers of a kind that the training data did not hold, such as a new country",
                "prices, credit, or anything that a customer would have a right to contest",
            ),
            limits=(
                "a label is 30 days old before it is known: what changed last week is not in it",
                "a reason says what the model leans on; it is not the cause",
            ),
            ethics=(
                (
                    "groups of customers use a service differently, and so are rated differently: "
                    "look at the slices before a capacity is handed out by score"
                ),
                "being called costs a customer's time: the holdout share shows whether it helps",
            ),
            word="churn",
            event="leave within 30 days",
        ),
        "opportune-channel": Purpose(
            title="Channels: what comes of a message",
            does="For each customer and channel it gives the probability that a message is "
            "delivered, opened, clicked, leads to a purchase, or to unsubscribing, within 7 days.",
            used_for=("choosing the channel of a message, or none, by expected value",),
            not_for=(
                (
                    "reporting what messages earned: what would have been bought anyway counts as "
                    "converted here"
                ),
                "a log in which somebody chose who gets which channel: the gate holds it then",
            ),
            limits=(
                "outcomes that come after 7 days are not seen",
                "opens made by machines are left out as far as they are marked",
            ),
            ethics=(
                (
                    "consent, quiet hours and fatigue are rules outside the model: it cannot "
                    "overrule them"
                ),
            ),
            word="channel",
            event="are opened by a person within 7 days",
            row="messages",
            outcome="opened",
            why_no_use="What it leans on is not followed over time: each outcome has trees of its "
            "own. The gains of those for opening are in a picture below.",
        ),
        "opportune-send-time": Purpose(
            title="Send time: when a customer is there",
            does="For each customer it says how likely each of the 168 hours of their own week "
            "is to find them there, against the mean hour.",
            used_for=("choosing the hour of a message that can wait",),
            not_for=(
                "urgent messages, which go at once",
                "claims that an hour makes people read: being there is not reading",
            ),
            limits=(
                "customers who were seen a few times get everybody's week, slightly tilted",
                "activity is observed, not randomised",
            ),
            ethics=("it knows when somebody is awake: quiet hours hold whatever it says",),
            word="send-time",
            why_no_use="It leans on one thing, the hours in which a customer was seen before, so "
            "there are no features to compare.",
        ),
        "opportune-lateness": Purpose(
            title="Deliveries: which orders come late",
            does="For each order on its way it gives the probability of coming more than a day "
            "after the promise.",
            used_for=("telling a customer before they ask",),
            not_for=("orders without a promised day", "judging a single carrier or shop"),
            limits=("it knows scans and other orders on the same road, not the weather",),
            ethics=("regions with few orders are foretold by their neighbours",),
            word="delivery",
            event="come late",
            row="orders on their way",
        ),
        "opportune-uplift": Purpose(
            title="Uplift: who is moved by a message",
            does="For each customer it gives what a message changes: the probability of buying (of "
            "not calling about a problem) with it, less the one without.",
            used_for=("spending messages and offers on those whom they move",),
            not_for=(
                "finding the best customers: who buys anyway is moved by nothing",
                "a log without randomised decisions: the gate holds it then",
            ),
            limits=("effects of single customers are never seen, only those of groups",),
            ethics=("who is moved most is not who needs it most: look at the slices",),
            word="uplift",
            why_no_use="What it leans on is not told: an effect is the answer of several learners "
            "less one another's, and no feature has a share of its own in that.",
        ),
        "opportune-retention": Purpose(
            title="Retention: whom a case of a playbook keeps",
            does="For each customer at risk it gives what working on their case changes: the "
            "chance of still being there after its horizon, less the one if nothing were done.",
            used_for=("picking the customers that people's time and offers go to",),
            not_for=(
                "telling what one call or one discount does: it knows whole cases",
                "playbooks that were changed since: its cases were worked on as they were then",
            ),
            limits=("it learns from the holdout's cases, which are few",),
            ethics=("who may be driven away is left alone, and nobody asks them why",),
            word="retention",
            event="be lost",
            row="cases that chance decided about",
            why_no_use="Its law has few coefficients: risk, reason, refused channels and segment.",
        ),
    }
)


def purpose_of(name: ModelName) -> Purpose:
    """What a model is for."""
    return _PURPOSES.get(name.value, _UNLISTED)
