"""The truth of the simulated world is what really comes of messages, on average."""

import copy
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from features.vocabulary import Channel, Trigger
from training.world.clock import DAY, NEVER, day_of, day_start, to_micros
from training.world.codes import TRIGGERS
from training.world.facts.ledger import Facts
from training.world.life.cases import Cases
from training.world.life.realm import Realm
from training.world.luck import Luck
from training.world.mail.intake import read_messages
from training.world.mail.messages import receive
from training.world.mail.response import IS_SERVICE
from training.world.people.moods import HORIZON_DAYS, p_lost_ahead
from training.world.scenario import CALM, Scenario
from training.world.simulated import SimulatedWorld
from training.world.truth import TrueValue

Floats = npt.NDArray[np.float64]
N_REPEATS = 150


def most_of(world: SimulatedWorld, *terms: str, hours: int) -> pd.DataFrame:
    """To every customer with a reason one message: channel and reason with most of these terms."""
    conditions = world.conditions()
    frame = conditions.merge(pd.DataFrame({"channel": list(Channel)}), how="cross")
    late = pd.to_timedelta(np.arange(len(frame)) * 7919 % (60 * hours), unit="min")
    frame = frame.assign(
        send_at=pd.Timestamp(world.now) + late, variant=pd.Series(["v"] * len(frame), dtype="str")
    )
    found = world.true_terms(frame)
    most = sum(np.abs(getattr(found, term)) for term in terms)
    best = frame.assign(most=most).sort_values("most").drop_duplicates("customer_id", keep="last")
    return best.assign(
        message_id=[f"x{n}" for n in range(len(best))],
        decision_id="x",
        sent_at=best["send_at"],
        arm="learned",
        propensity=1.0,
        cost_cents=0.0,
    ).reset_index(drop=True)


def redraw_events(cases: Cases, *, now: int, rng: np.random.Generator) -> None:
    """Draw again what comes of every open case if nobody writes, given that it has not come yet."""
    row = np.arange(cases.n)
    row = row[(cases.happens_at[row] >= now) & (cases.closes_at[row] > now) & ~cases.won[row]]
    since = np.maximum(cases.onset_at[row], now)
    still = np.exp(-cases.rate[row] * (since - cases.onset_at[row]) / 3.6e9)
    p_comes = cases.p_event[row] * still / cases.p_undecided(row, now=now)
    waits = (rng.exponential(size=len(row)) / cases.rate[row] * 3.6e9).astype(np.int64)
    cases.happens_at[row] = np.where(rng.random(len(row)) < p_comes, since + waits, NEVER)


def meet_once(start: Realm, messages: pd.DataFrame, *, now: int, luck: int) -> TrueValue:
    """Let customers meet the messages once, with this luck, and count what comes of it at once."""
    realm = replace(
        start,
        luck=Luck(luck),
        cases=copy.deepcopy(start.cases),
        life=copy.deepcopy(start.life),
        facts=Facts(start.people.identity.ids),
    )
    redraw_events(realm.cases, now=now, rng=np.random.default_rng(luck))
    mail = read_messages(realm, messages, now=now)
    realm.day = int(day_of(mail.approach.sent_at).max())
    who, case, worth = mail.approach.customer, mail.approach.case, realm.worth
    would = realm.cases.happens_at[case] < NEVER
    receive(realm, mail)
    does = realm.cases.happens_at[case] < NEVER
    order = worth.margin_share * realm.cases.amount_cents[case] - worth.order_support[who]
    prevented = worth.support_call * (would & ~does)
    p_lost = p_lost_ahead(realm.people)[who]
    stake = worth.lost[who] * (p_lost[:, 1] - p_lost[:, 0])
    change = realm.life.mood[who] - start.life.mood[who]
    left = (realm.life.unsubscribed_at < NEVER) & (start.life.unsubscribed_at == NEVER)
    return TrueValue(
        send_cost=np.zeros(len(who)),
        gain=np.where(IS_SERVICE[mail.approach.trigger], prevented, order * (does & ~would)),
        kept=stake * (change < 0),
        irritated=-stake * (change > 0),
        unsubscribed=-(left * worth.channel[0]).sum(axis=1)[who],
        worn=np.zeros(len(who)),
    )


@pytest.mark.parametrize("term", ["gain", "kept", "irritated", "unsubscribed"])
def test_true_terms_are_the_means_of_what_comes_of_a_message(term: str) -> None:
    scenario = replace(CALM, effect=1.5, irritation=10.0)
    world = SimulatedWorld(seed=6, n_customers=700, days=30, scenario=scenario)
    messages = most_of(world, term, hours=20)
    expected = getattr(world.true_terms(messages), term).sum()
    now = to_micros(world.now)
    totals = [
        getattr(meet_once(world._realm, messages, now=now, luck=repeat), term).sum()
        for repeat in range(N_REPEATS)
    ]
    error = np.std(totals) / np.sqrt(N_REPEATS)
    assert error < 0.15 * abs(expected)
    assert np.mean(totals) == pytest.approx(expected, abs=3.5 * error)


def test_calls_are_prevented_as_often_as_the_truth_says_however_long_they_have_not_come() -> None:
    world = SimulatedWorld(seed=6, n_customers=700, days=30, scenario=replace(CALM, effect=1.5))
    cases, now = world._realm.cases, to_micros(world.now)
    # Nearly everyone would call: then it tells much that somebody has not called yet.
    service = IS_SERVICE[cases.trigger] & (cases.p_exit == 0.0)
    cases.p_event[service] = 0.9
    messages = most_of(world, "gain", hours=20)
    messages = messages[messages["trigger"].isin(["order_shipped", "delivery_delay"])]
    gains = world.true_terms(messages).gain
    repeats = [
        meet_once(world._realm, messages, now=now, luck=repeat).gain for repeat in range(N_REPEATS)
    ]
    totals = np.sum(repeats, axis=1)
    error = np.std(totals) / np.sqrt(N_REPEATS)
    assert error < 0.04 * gains.sum()
    assert totals.mean() == pytest.approx(gains.sum(), abs=3.5 * error)


@dataclass(frozen=True)
class Lived:
    """What came of messages in worlds that were lived twice, with and without them, (n,) each."""

    is_marketing: npt.NDArray[np.bool_]
    true_gain: Floats
    gain: Floats
    attributed: Floats
    earned_after: Floats
    true_loss: Floats
    n_lost: Floats


def live_twice(scenario: Scenario, *, seed: int, n_customers: int, term: str) -> Lived:
    without = SimulatedWorld(seed=seed, n_customers=n_customers, days=20, scenario=scenario)
    messages = most_of(without, term, hours=40)
    terms = without.true_terms(messages)
    with_messages = copy.deepcopy(without)
    with_messages.deliver(messages)
    end = without.start + timedelta(days=34)
    for world in (without, with_messages):
        world.advance(end)
    who = without._realm.people.index.get_indexer(messages["customer_id"])
    horizon = day_start(0) + DAY * (
        day_of(messages["sent_at"].astype("int64").to_numpy()) + HORIZON_DAYS + 1
    )
    gone_at = [w._realm.life.gone_at[who] for w in (with_messages, without)]
    tables = [w.tables(end) for w in (with_messages, without)]
    spent, calls = (
        [count(t)[messages["customer_id"]].to_numpy() for t in tables]
        for count in (_spent_by_customer, _calls_by_customer)
    )
    # Who left in one world only buys nothing there any more: that is part of the loss.
    same = gone_at[0] == gone_at[1]
    worth = without._realm.worth
    earned = worth.margin_share * (spent[0] - spent[1]) - worth.support_call * (calls[0] - calls[1])
    orders = tables[0]["orders"]
    later = orders[orders["ordered_at"] >= pd.Timestamp(without.start)]
    converted = tables[0]["outcomes"].query("outcome == 'converted'")
    booked = converted.groupby("message_id")["value_cents"].sum()
    return Lived(
        is_marketing=~messages["trigger"].isin([t for t in Trigger if t.is_service]).to_numpy(),
        true_gain=terms.gain,
        gain=np.where(same, earned, 0.0),
        attributed=worth.margin_share
        * booked.reindex(messages["message_id"]).fillna(0).to_numpy(np.float64),
        earned_after=worth.margin_share
        * later.groupby("customer_id")["amount_cents"]
        .sum()
        .reindex(messages["customer_id"])
        .fillna(0)
        .to_numpy(np.float64),
        true_loss=-(terms.irritated + terms.kept) / worth.lost[who],
        n_lost=(gone_at[0] < horizon).astype(float) - (gone_at[1] < horizon),
    )


def joined(parts: list[Lived]) -> Lived:
    return Lived(
        *(
            np.concatenate(columns)
            for columns in zip(*(vars(p).values() for p in parts), strict=True)
        )
    )


def test_true_value_is_what_two_lives_differ_by_and_attribution_is_not() -> None:
    scenario = replace(CALM, effect=2.0)
    lived = joined([live_twice(scenario, seed=s, n_customers=3_000, term="gain") for s in range(4)])
    n = len(lived.gain)
    error = np.std(lived.gain - lived.true_gain) / np.sqrt(n)
    assert error < 0.12 * lived.true_gain.mean()
    assert lived.gain.mean() == pytest.approx(lived.true_gain.mean(), abs=3 * error)
    # Conversions as they are booked count those who would have bought anyway.
    marketing = lived.is_marketing
    excess = (lived.attributed - lived.gain)[marketing]
    assert excess.mean() > 4 * np.std(excess) / np.sqrt(len(excess))
    # And what those who got a message earned us afterwards has little to do with the message.
    assert lived.earned_after.mean() > 10 * lived.true_gain.mean()


def test_irritated_customers_leave_as_often_as_the_truth_says() -> None:
    scenario = replace(CALM, effect=0.0, irritation=100.0)
    lived = joined(
        [live_twice(scenario, seed=s, n_customers=2_500, term="irritated") for s in range(2)]
    )
    expected = lived.true_loss.sum()
    assert expected > 40
    assert lived.n_lost.sum() == pytest.approx(expected, abs=3.5 * np.sqrt(expected))


def _spent_by_customer(tables: dict[str, pd.DataFrame]) -> pd.Series:
    return _for_all(tables, tables["orders"].groupby("customer_id")["amount_cents"].sum())


def _calls_by_customer(tables: dict[str, pd.DataFrame]) -> pd.Series:
    calls = tables["tickets"]
    calls = calls[calls["topic"].isin(TRIGGERS)]
    return _for_all(tables, calls.groupby("customer_id").size())


def _for_all(tables: dict[str, pd.DataFrame], totals: pd.Series) -> pd.Series:
    everyone = tables["customers"]["customer_id"]
    return totals.reindex(everyone).fillna(0).astype("float64")
