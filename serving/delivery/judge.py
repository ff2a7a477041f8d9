"""The guards once more, right before a message is handed over: hours may have passed."""

from dataclasses import dataclass

import numpy as np

from features.vocabulary import Priority
from serving.delivery.queue import Go, Refuse, Verdict, Wait
from serving.delivery.recipients import RecipientBook, agrees_to_marketing, has_consent
from serving.delivery.settings import DeliverySettings
from serving.online.live import LiveProfile
from serving.policy.cases import DAY_US, HOUR_US
from serving.policy.hours import after_quiet_hours
from serving.policy.settings import PolicySettings
from serving.records import Reason
from serving.store.outbox import Queued
from serving.store.reach import Refusals
from serving.store.store import StoreSession


@dataclass(frozen=True)
class SendingGuards:
    """What the guards go by.

    Attributes:
        policy: That decides, too.
        delivery: How long a message keeps.
        recipients: Whom messages are for.
        lane: Of the outbox, whose hand-overs count as contacts.
    """

    policy: PolicySettings
    delivery: DeliverySettings
    recipients: RecipientBook
    lane: str

    def judge(self, session: StoreSession, queued: Queued, *, at_us: int) -> Verdict:
        """Whether the message may be handed over at that moment.

        Each guard of the decision is asked again but for the cool-down, the unopened and the
        budgets, which belong to the planned moment. Of the limits per day and week, what was
        handed over counts, and the message itself does not. What is not known is a no.
        """
        if self._is_over(queued, at_us=at_us):
            return Refuse(Reason.EXPIRED.value)
        profile = self.recipients.find(session, queued.customer_id, at_us=at_us)
        if profile is None:
            return Refuse(Reason.UNKNOWN_CUSTOMER.value)
        reason = (
            self._find_no(session, queued, profile, at_us=at_us)
            or self._find_incident(session, queued, profile, at_us=at_us)
            or self._find_fatigue(session, queued, at_us=at_us)
        )
        if reason is not None:
            return Refuse(reason.value)
        return self._wait_for_day(queued, profile, at_us=at_us)

    def find_end_us(self, queued: Queued) -> int:
        """The last moment at which the message is worth sending."""
        keeps_us = self.delivery.shelf_life_hours[queued.trigger] * HOUR_US
        return queued.planned_at_us + round(keeps_us)

    def _is_over(self, queued: Queued, *, at_us: int) -> bool:
        return at_us > self.find_end_us(queued)

    def _find_no(
        self, session: StoreSession, queued: Queued, profile: LiveProfile, *, at_us: int
    ) -> Reason | None:
        refusals = session.find_refusals([queued.customer_id])
        if any(one.from_all for one in refusals.withdrawals):
            return Reason.SUPPRESSED
        is_withdrawn = any(one.channel is queued.channel for one in refusals.withdrawals)
        if is_withdrawn or not has_consent(profile, channel=queued.channel):
            return Reason.NO_CONSENT
        needs_yes = self.policy.marketing_consent == "own"
        if not queued.trigger.is_service and not agrees_to_marketing(
            profile, channel=queued.channel, needs_yes=needs_yes
        ):
            return Reason.NO_MARKETING_CONSENT
        return Reason.UNREACHABLE if self._bounces(refusals, queued, at_us=at_us) else None

    def _bounces(self, refusals: Refusals, queued: Queued, *, at_us: int) -> bool:
        reach = self.policy.reach
        since_us = at_us - reach.within_days * DAY_US
        found = [
            one
            for one in refusals.bounces
            if one.channel is queued.channel and one.at_us >= since_us
        ]
        return len(found) >= reach.bounces

    @staticmethod
    def _find_incident(
        session: StoreSession, queued: Queued, profile: LiveProfile, *, at_us: int
    ) -> Reason | None:
        if queued.trigger.is_service:
            return None
        found = session.find_incidents([queued.customer_id], since_us=at_us)
        touches = any(
            one.starts_at_us <= at_us and one.touches(queued.customer_id, region=profile.region)
            for one in found
        )
        return Reason.INCIDENT if touches else None

    def _find_fatigue(self, session: StoreSession, queued: Queued, *, at_us: int) -> Reason | None:
        if self._is_critical(queued):
            return None
        fatigue = self.policy.fatigue
        periods = (
            (Reason.FATIGUE_DAY, DAY_US, fatigue.max_per_day),
            (Reason.FATIGUE_WEEK, 7 * DAY_US, fatigue.max_per_week),
        )
        for reason, period_us, most in periods:
            n = session.outbox.count_contacts(queued, lane=self.lane, after_us=at_us - period_us)
            if n >= most:
                return reason
        return None

    def _wait_for_day(self, queued: Queued, profile: LiveProfile, *, at_us: int) -> Verdict:
        if self._is_critical(queued):
            return Go()
        moment = np.array([[at_us]], dtype=np.int64)
        quiet = self.policy.quiet_hours
        until_us = int(after_quiet_hours(moment, (profile.timezone,), quiet=quiet)[0, 0])
        if until_us == at_us:
            return Go()
        if self._is_over(queued, at_us=until_us):
            return Refuse(Reason.EXPIRED.value)
        return Wait(until_us, Reason.QUIET_HOURS.value)

    def _is_critical(self, queued: Queued) -> bool:
        return self.policy.triggers[queued.trigger].priority is Priority.CRITICAL
