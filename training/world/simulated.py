"""The simulated world: one seed, one history, and a truth that can be asked for.

See docs/world.md for what it models and what it does not.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.economics import default_economics
from features.errors import BadInputError
from features.tables import Tables
from features.vocabulary import Channel, Trigger
from training.world.clock import HOUR, NEVER, Ints, day_of, day_start, to_micros, to_moment
from training.world.codes import TRIGGERS
from training.world.facts.frames import customers_frame, vendors_frame
from training.world.facts.ledger import Facts
from training.world.foresight import foresee_lost
from training.world.life import accounts, problems, shopping, visits
from training.world.life.cases import Cases
from training.world.life.happenings import let_happen
from training.world.life.market import Market
from training.world.life.realm import Realm, begin_life
from training.world.luck import Luck
from training.world.mail.history import EVERY_HOURS, HistoryPolicy
from training.world.mail.intake import read_candidates, read_messages
from training.world.mail.messages import receive
from training.world.mail.outbox import Outbox
from training.world.people.draw import draw_population
from training.world.people.moods import CONTENT, p_lost_ahead
from training.world.scenario import CALM, Scenario
from training.world.truth import TrueValue, find_uplift, value_messages, value_notices
from training.world.truth_channel import value_channels
from training.world.truth_send_time import foresee_openness, p_seen_by_hour
from training.world.truth_wording import mean_appeals
from training.world.worth import weigh


class SimulatedWorld:
    """A world of customers who live on, buy, call and leave; implements `protocol.World`.

    The constructor simulates the history, with its partly randomised messages (see `history`).

    Args:
        seed: Same seed, same world.
        n_customers: Customers in all; one in twenty signs up only after the history.
        days: Days of history.
        scenario: What is different from the calm world.

    Attributes:
        start: First moment after the history.
    """

    def __init__(
        self,
        *,
        seed: int,
        n_customers: int = 20_000,
        days: int = 180,
        scenario: Scenario = CALM,
    ) -> None:
        if n_customers < 1 or days < 1:
            raise BadInputError(
                f"a world needs customers and days of history, got {n_customers=} and {days=}"
            )
        self.start = to_moment(day_start(days))
        self._realm = _make_realm(seed, n_customers=n_customers, days=days, scenario=scenario)
        self._outbox = Outbox()
        self._clock = day_start(0)
        self._live_history(day_start(days))

    @property
    def now(self) -> datetime:
        """The moment up to which the world has lived."""
        return to_moment(self._clock)

    def tables(self, until: datetime) -> Tables:
        """All tables as known strictly before `until`, which must not lie ahead of now."""
        moment = to_micros(until)
        if moment > self._clock:
            raise BadInputError(
                f"tables until {until.isoformat()}: the world has lived up to "
                f"{self.now.isoformat()}, advance it first"
            )
        known = self._realm.facts.known(moment, now=self._clock)
        customers = customers_frame(self._realm, until=moment)
        return {"customers": customers, **known, "vendors": vendors_frame()}

    def deliver(self, messages: pd.DataFrame) -> None:
        """Take messages to send; which case each is about is settled now.

        Args:
            messages: Rows of the `messages` table with `sent_at` at or after now.

        Raises:
            BadInputError: A column is missing, a value unknown, a moment past or an id taken.
        """
        self._outbox.add(read_messages(self._realm, messages, now=self._clock))

    def advance(self, until: datetime) -> None:
        """Live on until that moment; one already past changes nothing."""
        self._live_until(to_micros(until))

    def true_value(self, candidates: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Expected cents, net of cost, of each candidate alone against no message; see `truth`.

        Args:
            candidates: customer_id, trigger, channel, send_at (now or later), variant (nullable).

        Raises:
            BadInputError: A column is missing, a value unknown or a moment past.
        """
        return self.true_terms(candidates).total

    def true_value_of_notices(self, candidates: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Expected cents of each candidate beside those above it in its notice; see `truth`.

        Args:
            candidates: As of `true_value`, with a column `notice`: messages with the same one are
                about one case and go out at one moment.

        Raises:
            BadInputError: A column is missing, a value unknown or a moment past.
        """
        if "notice" not in candidates:
            raise BadInputError(f"candidates: expected a column notice, got {list(candidates)}")
        approach = read_candidates(self._realm, candidates, now=self._clock)
        notice = pd.factorize(candidates["notice"])[0].astype(np.int64)
        return value_notices(
            self._realm, approach, notice=notice, now=self._clock, economics=default_economics()
        )

    def true_terms(self, candidates: pd.DataFrame) -> TrueValue:
        """The terms that add up to `true_value`."""
        approach = read_candidates(self._realm, candidates, now=self._clock)
        return value_messages(self._realm, approach, now=self._clock, economics=default_economics())

    def true_uplift(self, candidates: pd.DataFrame) -> npt.NDArray[np.float64]:
        """P(each candidate alone brings an order or prevents a call that else would (not) come).

        Args:
            candidates: As of `true_value`.

        Raises:
            BadInputError: A column is missing, a value unknown or a moment past.
        """
        approach = read_candidates(self._realm, candidates, now=self._clock)
        return find_uplift(self._realm, approach, now=self._clock)

    def p_seen_by_hour(
        self, customer_ids: Sequence[str], *, trigger: Trigger, channel: Channel
    ) -> npt.NDArray[np.float64]:
        """See `truth_send_time`: what each hour of the week is worth by what stays the same."""
        people = self._realm.people
        return p_seen_by_hour(people, customer_ids, trigger=trigger, channel=channel)

    def foresee_openness(
        self,
        customer_ids: Sequence[str],
        *,
        visits: npt.NDArray[np.float64],
        channel: Channel,
        rng: np.random.Generator,
    ) -> npt.NDArray[np.float64]:
        """See `truth_send_time`: the most that visits tell about the hours of the week."""
        people = self._realm.people
        return foresee_openness(people, customer_ids, visits=visits, channel=channel, rng=rng)

    def value_channels(self, reasons: pd.DataFrame) -> npt.NDArray[np.float64]:
        """See `truth_channel`: cents of a message on every channel by what stays the same, (n, 5).

        Args:
            reasons: customer_id and trigger, n rows.
        """
        who = self._realm.people.index.get_indexer(pd.Index(reasons["customer_id"]))
        trigger = np.array([TRIGGERS.index(name) for name in reasons["trigger"]], dtype=np.int64)
        return value_channels(self._realm, who, trigger, economics=default_economics())

    def mean_appeals(self, variants: Sequence[str]) -> pd.DataFrame:
        """See `truth_wording`: how well wordings suit segments, segments x variants."""
        return mean_appeals(self._realm, variants)

    def p_lost(
        self, customer_ids: Sequence[str], *, moments: Sequence[datetime]
    ) -> npt.NDArray[np.float64]:
        """The world's own score: P(lost within 30 days | mood, temper), (n, moments).

        No table shows moods and tempers: nobody can know this. Of customers who have left it is 1.

        Args:
            customer_ids: Of whom.
            moments: First moments of days that the world has lived.

        Raises:
            BadInputError: A customer is unknown, or a moment is not the first of a day lived.
        """
        who, days = self._find(customer_ids), self._days_of(moments)
        by_mood = np.column_stack([p_lost_ahead(self._realm.people), np.ones(self._realm.people.n)])
        moods = np.stack([self._realm.moods[day][who] for day in days], axis=1)
        scores: npt.NDArray[np.float64] = by_mood[who[:, None], np.maximum(moods, CONTENT)]
        return scores

    def p_lost_from_facts(
        self, customer_ids: Sequence[str], *, moments: Sequence[datetime]
    ) -> npt.NDArray[np.float64]:
        """The best score that facts allow: P(lost within 30 days | what was shown), (n, moments).

        See `foresight`. About 0.1 s for a customer of a year; arguments and errors as of `p_lost`.
        """
        self._find(customer_ids)
        self._days_of(moments)
        return foresee_lost(
            self._realm.people,
            self.tables(self.now),
            customer_ids=list(customer_ids),
            moments=list(moments),
        )

    def _find(self, customer_ids: Sequence[str]) -> Ints:
        who: Ints = self._realm.people.index.get_indexer(pd.Index(customer_ids))
        if (who < 0).any():
            unknown = [name for name, row in zip(customer_ids, who, strict=True) if row < 0][:3]
            raise BadInputError(f"customer_id: the world knows no {unknown}")
        return who

    def _days_of(self, moments: Sequence[datetime]) -> list[int]:
        at = np.array([to_micros(moment) for moment in moments], dtype=np.int64)
        days = day_of(at)
        lived = len(self._realm.moods)
        wrong = [
            m
            for m, a, d in zip(moments, at, days, strict=True)
            if day_start(int(d)) != a or not 0 <= d < lived
        ]
        if wrong:
            raise BadInputError(
                f"moments: {wrong[0].isoformat()} is not the first moment of one of the {lived} "
                "days that the world has begun"
            )
        return [int(day) for day in days]

    def conditions(self) -> pd.DataFrame:
        """Which triggers are true for whom now, the truth behind detectors.

        Returns:
            customer_id, trigger, opened_at: one row for each customer and trigger, customers who
            left without. Incident updates share the rows of disruptions.
        """
        cases, identity = self._realm.cases, self._realm.people.identity
        rows = cases.true_at(self._clock)
        rows = rows[self._realm.life.present[cases.customer[rows]]]
        return pd.DataFrame(
            {
                "customer_id": [identity.ids[customer] for customer in cases.customer[rows]],
                "trigger": [TRIGGERS[trigger].value for trigger in cases.trigger[rows]],
                "opened_at": pd.to_datetime(cases.opened_at[rows], unit="us", utc=True),
            }
        )

    def _live_history(self, until: int) -> None:
        policy = HistoryPolicy(self._realm, ends_at=until)
        while self._clock < until:
            self._live_until(self._clock + EVERY_HOURS * HOUR)
            if self._clock < until:
                self._outbox.add(policy.decide(self._clock))

    def _live_until(self, until: int) -> None:
        realm = self._realm
        while self._clock < until:
            if self._clock == day_start(realm.day + 1):
                _live_day(realm, realm.day + 1)
            stop = min(until, day_start(realm.day + 1))
            for mail in self._outbox.take(until=stop):
                receive(realm, mail)
            let_happen(realm, until=stop)
            self._clock = stop


def _make_realm(seed: int, *, n_customers: int, days: int, scenario: Scenario) -> Realm:
    luck = Luck(seed)
    people = draw_population(luck, n=n_customers, history_days=days)
    facts = Facts(people.identity.ids)
    market = Market(luck, facts)
    change = scenario.change_after_days
    realm = Realm(
        scenario=scenario,
        luck=luck,
        people=people,
        market=market,
        worth=weigh(people, market=market, scenario=scenario, economics=default_economics()),
        facts=facts,
        cases=Cases(),
        life=begin_life(people, luck),
        changes_at=NEVER if change is None else day_start(days + change),
    )
    accounts.subscribe(realm, np.arange(people.n), people.identity.signed_up_at)
    return realm


def _live_day(realm: Realm, day: int) -> None:
    """What a day brings by itself; messages bear on it only through who is dissatisfied or gone."""
    realm.day = day
    realm.moods.append(realm.life.mood.astype(np.int8))
    realm.cases.forget_before(day_start(day))
    accounts.change_moods(realm, day)
    accounts.bill(realm, day)
    accounts.ask_and_complain(realm, day)
    accounts.expire_cards(realm, day)
    problems.disrupt(realm, day)
    problems.write_in(realm, day)
    visits.fall_silent(realm, day)
    shopping.cheapen(realm, day)
    today = visits.come(realm, day)
    visits.sign_in(realm, today)
    visits.use(realm, today)
    shopping.shop(realm, today)
