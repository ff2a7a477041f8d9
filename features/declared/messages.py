"""What customers were sent, and what they did about it (machine-made outcomes left out)."""

from typing import Final

from features.conditions import Condition, one_of
from features.declarations import Aggregate, Combination, Derived, Feature, over_windows, share_of
from features.vocabulary import Channel, Outcome

_WINDOWS = (7, 30, 90)


def _on(channel: Channel | None) -> tuple[Condition, ...]:
    return () if channel is None else (one_of("channel", channel),)


def _prefix(channel: Channel | None) -> str:
    return "" if channel is None else f"{channel}_"


def _sent(channel: Channel | None = None) -> Feature:
    return Feature(
        name=f"{_prefix(channel)}messages",
        table="messages",
        aggregate=Aggregate.COUNT,
        where=_on(channel),
        unit="messages",
        description=f"Messages sent on {channel or 'any channel'}.",
    )


def _did(outcome: Outcome, *, channel: Channel | None = None) -> Feature:
    return Feature(
        name=f"{_prefix(channel)}{outcome}",
        table="outcomes",
        aggregate=Aggregate.COUNT,
        where=(one_of("outcome", outcome), *_on(channel)),
        unit="messages",
        description=(
            f"Messages {outcome} on {channel or 'any channel'}, each once, when first {outcome}."
        ),
    )


def _days_since(outcome: Outcome) -> Feature:
    return Feature(
        name=f"days_since_last_{outcome}",
        table="outcomes",
        aggregate=Aggregate.DAYS_SINCE_LAST,
        where=(one_of("outcome", outcome),),
        unit="days",
        null_means=f"never {outcome}",
        description=f"Time since a message was last {outcome}; a second time does not count.",
    )


def _share(outcome: Outcome, *, channel: Channel | None = None) -> Derived:
    return share_of(
        f"{_prefix(channel)}{outcome}_90d",
        f"{_prefix(channel)}messages_90d",
        name=f"{_prefix(channel)}{outcome}_share_90d",
        null_means="no message in the window",
        description=f"{outcome.capitalize()} over sent on {channel or 'any channel'}, at most 1.",
    )


def _respond(channel: Channel | None = None) -> tuple[Feature | Derived, ...]:
    """Messages sent, opened and clicked on a channel, or on any."""
    return (
        *over_windows(_sent(channel), days=_WINDOWS),
        *over_windows(_did(Outcome.OPENED, channel=channel), days=_WINDOWS),
        *over_windows(_did(Outcome.CLICKED, channel=channel), days=_WINDOWS),
        _share(Outcome.OPENED, channel=channel),
    )


MESSAGES_AND_OPENS_30D: Final = (
    *over_windows(_sent(), days=(30,)),
    *over_windows(_did(Outcome.OPENED), days=(30,)),
)

CONTACT_90D: Final = (
    *over_windows(_did(Outcome.BOUNCED), days=(90,)),
    *over_windows(_did(Outcome.UNSUBSCRIBED), days=(90,)),
)
"""What tables tell of a contact that changed: an address that is dead, a channel that was left."""

RESPONSE: Final[tuple[Feature | Derived, ...]] = (
    *_respond(),
    *over_windows(_sent(), days=(1,)),
    Derived(
        name="unopened_7d",
        combination=Combination.DIFFERENCE,
        left="messages_7d",
        right="opened_7d",
        unit="messages",
        null_means="",
        description="Messages sent on any channel, less those opened, within 7 days.",
    ),
    *(feature for channel in Channel for feature in _respond(channel)),
    _days_since(Outcome.OPENED),
    _days_since(Outcome.CLICKED),
    *over_windows(_did(Outcome.CONVERTED), days=(90,)),
    *over_windows(_did(Outcome.UNSUBSCRIBED), days=(90,)),
    Feature(
        name="days_since_last_message",
        table="messages",
        aggregate=Aggregate.DAYS_SINCE_LAST,
        unit="days",
        null_means="never written to",
        description="Time since the last message.",
    ),
)
