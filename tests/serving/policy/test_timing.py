"""The hour of sending in the value of a slot: on the customer's own clock, by channel."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from features.vocabulary import Channel, Trigger
from serving.policy.actions import propose_actions
from serving.policy.cases import HOUR_US, Cases, to_us
from serving.policy.settings import CHANNELS, PolicySettings
from serving.policy.value import time_slots
from training.registry.servable import HourResponse, SendTimeModel

SUNDAY_THREE = 6 * 24 + 3


def only_at(week_hour: int) -> SendTimeModel:
    """Half of everybody's activity lies in that hour of the week."""
    week = np.full(168, 0.5 / 167)
    week[week_hour] = 0.5
    return SendTimeModel("1", tuple(week.tolist()), 1.0)


def test_time_slots_reads_the_clock_that_the_customer_will_have(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    # In Berlin the clock goes from 2:00 to 3:00 on 29 March 2026: 1:00 UTC is 3:00 there.
    decided_at = datetime(2026, 3, 28, 23, tzinfo=UTC)
    cases = one_case(Trigger.PRICE_DROP, decided_at=decided_at, timezone="Europe/Berlin")
    rule = settings.triggers[Trigger.PRICE_DROP]
    grid = propose_actions(cases, settings=settings)
    grid = replace(grid, slots_us=to_us(decided_at) + np.arange(6)[None, :] * HOUR_US)
    timing = time_slots(cases, grid, model=only_at(SUNDAY_THREE), rule=rule)
    fresh = np.exp2(-np.arange(6) / rule.half_life_hours)
    expected = np.where(np.arange(6) == 2, 0.5, 0.5 / 167) * 168
    np.testing.assert_allclose(timing.worth[0, 0], np.maximum(expected, 0.1) * fresh)


def test_time_slots_weighs_the_hour_by_what_it_does_on_the_channel(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    cases = one_case(Trigger.ABANDONED_CART, segment="workers")
    rule = settings.triggers[Trigger.ABANDONED_CART]
    grid = propose_actions(cases, settings=settings)
    day = np.full(168, 0.5 / 161)
    day[14::24] = 0.5 / 7
    model = replace(
        only_at(0),
        segments={"workers": tuple(day.tolist())},
        responses={Channel.SMS: HourResponse(slope=0.0), Channel.PUSH: HourResponse(slope=0.5)},
    )
    timing = time_slots(cases, grid, model=model, rule=rule).worth[0]
    waited = (grid.slots_us[0] - cases.decided_at_us[0]) / HOUR_US
    hour = ((grid.slots_us[0] // HOUR_US) % 24).astype(int)
    fresh = np.exp2(-waited / rule.half_life_hours)
    sms, push = CHANNELS.index(Channel.SMS), CHANNELS.index(Channel.PUSH)
    np.testing.assert_allclose(timing[sms], fresh)
    presence = np.where(hour == 14, 12.0, 0.5 / 161 * 168)
    np.testing.assert_allclose(timing[push], (1 + 0.5 * (presence - 1)) * fresh)
    assert (hour == 14).any()  # two hours from now: waiting pays on push, and never on SMS
    assert hour[timing[push].argmax()] == 14
    assert waited[timing[sms].argmax()] == waited.min()
