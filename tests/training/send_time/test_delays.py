import numpy as np
import pytest

from features.vocabulary import Channel
from training.measures import Floats
from training.registry.servable import CHANNELS, HourResponse
from training.send_time.delays import fit_delays
from training.send_time.sent import READ_DAYS, SentMessages

SHARES, HOURS = np.array([0.3, 0.4, 0.3]), np.array([0.4, 7.0, 100.0])


def draw_sent(waited: Floats, channel: int) -> SentMessages:
    none = np.zeros(len(waited), dtype=np.int64)
    late = waited >= READ_DAYS * 24.0
    return SentMessages(
        row=none,
        week_hour=none,
        channel=none + channel,
        trigger=none,
        by_chance=none == 0,
        read_after_hours=np.where(late, np.nan, waited),
    )


def test_mixture_is_found_although_what_is_read_after_the_window_is_not_seen() -> None:
    rng = np.random.default_rng(1)
    waited = rng.exponential(HOURS[rng.choice(3, size=20_000, p=SHARES)])
    sent = draw_sent(waited, CHANNELS.index(Channel.EMAIL))
    delay = fit_delays(sent)[Channel.EMAIL]
    response = HourResponse(delay_shares=delay.shares, delay_hours=delay.hours)
    ages = np.array([0.5, 2.0, 8.0, 24.0, 72.0, 168.0, 300.0])
    truth = 1.0 - np.exp(-ages[:, None] / HOURS) @ SHARES
    np.testing.assert_allclose(response.p_read_within(ages), truth, atol=0.015)
    naive = np.array([(waited[waited < 168.0] < age).mean() for age in ages])
    assert np.abs(naive - truth)[4:].max() > 0.05


def test_channel_with_few_reads_has_nearly_the_common_delay() -> None:
    rng = np.random.default_rng(2)
    waited = rng.exponential(np.where(rng.random(3_000) < 0.5, 0.2, 20.0))
    many = draw_sent(waited, CHANNELS.index(Channel.EMAIL))
    few = draw_sent(rng.exponential(0.2, size=4), CHANNELS.index(Channel.SMS))
    both = SentMessages(
        *(np.concatenate([getattr(one, name) for one in (many, few)]) for name in FIELDS)
    )
    delays = fit_delays(both)
    sms, email = (
        HourResponse(delay_shares=delays[c].shares, delay_hours=delays[c].hours)
        for c in (Channel.SMS, Channel.EMAIL)
    )
    at = np.array(5.0)
    assert sms.p_read_within(at) == pytest.approx(email.p_read_within(at), abs=0.05)
    assert sms.p_read_within(at) > email.p_read_within(at)


def test_fewer_than_twenty_reads_tell_no_delay() -> None:
    waited = np.full(19, 3.0)
    assert fit_delays(draw_sent(waited, 0)) == {}


FIELDS = ("row", "week_hour", "channel", "trigger", "by_chance", "read_after_hours")
