"""Everything of one world in one place, handed to the functions that let it live on."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from features.vocabulary import Trigger
from training.world.clock import DAY, NEVER, Flags, Floats, Ints, Micros, after, day_of, day_start
from training.world.codes import INDEX, TRIGGERS
from training.world.facts.ledger import Facts
from training.world.life.cases import NO_CASE, Cases, NewCases
from training.world.life.market import Market
from training.world.life.rates import EVENT_RATE
from training.world.luck import Luck
from training.world.people.moods import ABSENT, CONTENT, DISSATISFIED
from training.world.people.places import ACTIVITY_KINDS
from training.world.people.population import N_CHANNELS, Population
from training.world.scenario import Scenario
from training.world.worth import Worth


@dataclass
class Life:
    """What changes about each customer, n rows in every array.

    Attributes:
        mood: See `moods`.
        turned_on: Day on which the customer last turned dissatisfied.
        gone_at: Moment of leaving.
        last_active_at: Last activity.
        cities: Bit mask of the cities seen in logins.
        load: Load of messages at `loaded_at`; decays by the customer's recovery time.
        loaded_at: Moment of the last message that arrived.
        unsubscribed_at: Moment of leaving a channel, (n, channels).
        plan: Position of the plan.
        used: Units used in this month.
        upsell_shown: The product has offered a bigger plan.
        card_expires_at: Expiry of the card on file.
        renew_at: Moment at which the card will be replaced.
        change_at: Moment of the next change of the subscription itself.
        upgrades: Whether that change is a bigger plan (else: the offer is shown).
        onboarded: Share of the onboarding done.
        case: Row of the last case by trigger, (n, triggers).
    """

    mood: Ints
    turned_on: Ints
    gone_at: Micros
    last_active_at: Micros
    cities: Ints
    load: Floats
    loaded_at: Micros
    unsubscribed_at: Micros
    plan: Ints
    used: Floats
    upsell_shown: Flags
    card_expires_at: Micros
    renew_at: Micros
    change_at: Micros
    upgrades: Flags
    onboarded: Floats
    case: Ints

    @property
    def present(self) -> Flags:
        """Who has signed up and not left."""
        here: Flags = (self.mood == CONTENT) | (self.mood == DISSATISFIED)
        return here


@dataclass(frozen=True)
class Views:
    """Items that customers looked at without buying them at once, one day's."""

    day: int
    customer: Ints
    item: Ints


@dataclass
class Realm:
    """One world.

    Attributes:
        scenario: What is different from the calm world.
        luck: All its chance.
        people: The customers as they are for good.
        market: Items and prices of the day.
        worth: What losses cost.
        facts: What has happened, for the tables.
        cases: Triggers that are or were true.
        life: The customers as they are now.
        day: The last day that has been lived, -1 before the first.
        changes_at: Moment of the scenario's change of tastes, NEVER without one.
        views: Looks at items of the last weeks, oldest day first.
        moods: Everybody's mood at the first moment of every day, for the truth alone.
    """

    scenario: Scenario
    luck: Luck
    people: Population
    market: Market
    worth: Worth
    facts: Facts
    cases: Cases
    life: Life
    changes_at: int
    views: list[Views] = field(default_factory=list)
    moods: list[npt.NDArray[np.int8]] = field(default_factory=list)
    day: int = -1

    def record(self, kind: str, customer: Ints, at: Micros, **columns: Ints | Floats) -> None:
        """Add rows of one kind of activity; columns are value, item, location."""
        kinds = np.full(len(customer), ACTIVITY_KINDS.index(kind))
        self.facts.add("activity", customer_id=customer, at=at, kind=kinds, **columns)

    def open_case(
        self,
        trigger: Trigger,
        *,
        customer: Ints,
        at: Micros,
        closes_at: Micros | int,
        p_event: Floats | float = 0.0,
        luck: Floats | None = None,
        onset_at: Micros | None = None,
        p_exit: float = 0.0,
        amount_cents: Ints | None = None,
        item: Ints | None = None,
    ) -> None:
        """Open cases of one trigger and draw what comes of them.

        Args:
            trigger: What they are about; its `Course` gives the pace of the event.
            customer: Positions, (n,).
            at: When the trigger becomes true.
            closes_at: When it stops being true at the latest; a purchase ends it, too.
            p_event: Chance of the event.
            luck: Two uniform numbers each, (2, n): whether it comes, and when; None: it never does.
            onset_at: From when on the event may come; None: from the opening.
            p_exit: See `NewCases`.
            amount_cents: Amount of the order that may come of it.
            item: Its item.
        """
        n = len(customer)
        onset = at if onset_at is None else onset_at
        rate = EVENT_RATE[INDEX[trigger]]
        happens_at = np.full(n, NEVER)
        if luck is not None:
            comes = luck[0] > 1.0 - np.asarray(p_event)
            happens_at = np.where(comes, after(onset, hours=-np.log(luck[1]) / rate), NEVER)
        closes = np.broadcast_to(closes_at, n)
        new = NewCases(
            customer=customer,
            trigger=np.full(n, INDEX[trigger]),
            opened_at=at,
            closes_at=closes if trigger.is_service else np.minimum(closes, happens_at),
            onset_at=onset,
            rate=np.full(n, rate),
            p_event=np.broadcast_to(p_event, n),
            p_exit=np.full(n, p_exit),
            happens_at=happens_at,
            amount_cents=np.zeros(n, dtype=np.int64) if amount_cents is None else amount_cents,
            item=np.full(n, -1) if item is None else item,
        )
        self.life.case[customer, INDEX[trigger]] = self.cases.open(new)

    def be_active(self, customer: Ints, at: Micros) -> None:
        """The customers were there: they are not silent any more."""
        np.maximum.at(self.life.last_active_at, customer, at)
        self.close_case(Trigger.INACTIVITY, customer, at)

    def close_case(self, trigger: Trigger, customer: Ints, at: Micros) -> None:
        """The customers' last case of the trigger, if any, is no longer true from `at` on."""
        rows = self.life.case[customer, INDEX[trigger]]
        known = rows != NO_CASE
        np.minimum.at(self.cases.closes_at, rows[known], at[known])


def begin_life(people: Population, luck: Luck) -> Life:
    """The state of all customers at the first moment of the history."""
    n = people.n
    start = day_start(0)
    before = people.identity.signed_up_at < start
    signed_up_on = np.maximum(day_of(people.identity.signed_up_at), 0)
    idle = (luck.of_day(0, subject="idle").random(n) * 5 * 86_400).astype(np.int64) * 1_000_000
    return Life(
        mood=np.where(before, CONTENT, ABSENT),
        turned_on=np.zeros(n, dtype=np.int64),
        gone_at=np.full(n, NEVER),
        last_active_at=np.where(before, start - idle, people.identity.signed_up_at),
        cities=np.zeros(n, dtype=np.int64),
        load=np.zeros(n),
        loaded_at=np.full(n, start),
        unsubscribed_at=np.full((n, N_CHANNELS), NEVER),
        plan=people.account.plan.copy(),
        used=np.zeros(n),
        upsell_shown=np.zeros(n, dtype=np.bool_),
        card_expires_at=day_start(0) + (signed_up_on + people.account.card_days) * DAY,
        renew_at=np.full(n, NEVER),
        change_at=np.full(n, NEVER),
        upgrades=np.zeros(n, dtype=np.bool_),
        onboarded=np.where(before, 1.0, 0.0),
        case=np.full((n, len(TRIGGERS)), NO_CASE),
    )
