"""What hangs on each customer and each occasion, in cents: own purchase, own margin, own load."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from features.economics import Economics
from serving.policy.cases import HOUR_US, Cases, Floats
from serving.policy.settings import LearnedSettings, TriggerRule
from training.registry.servable import ChannelModel

_OWN_ORDERS = 3.0
"""Orders of a customer after which the own mean amount counts as much as everybody's."""

_ORDER_MONTHS = 3.0  # the orders that are counted are those of 90 days


@dataclass(frozen=True)
class Stakes:
    """Cents that hang on what comes of a message, (n, 1) each.

    Attributes:
        conversion: Margin of the purchase that a message may bring.
        call: Cost of the call that it may prevent.
        kept: Margin of the customer, by message seen, that it may keep from leaving.
        annoyed: Margin of the customer, by unsubscribe, that annoyance drives away.
        messages: Margin that a month of messages brings from the customer.
        load: Messages of late, each by what is left of it after it was borne for a while.
    """

    conversion: Floats
    call: Floats
    kept: Floats
    annoyed: Floats
    messages: Floats
    load: Floats

    @classmethod
    def of(
        cls,
        cases: Cases,
        *,
        channel_model: ChannelModel,
        rule: TriggerRule,
        learned: LearnedSettings,
        economics: Economics,
    ) -> Self:
        """The stakes of the cases, from facts, what was learned, the rule and the prices."""
        own = _OwnCustomer.of(cases, model=channel_model)
        lost_cents = own.monthly_cents * economics.margin_share * economics.lost_customer_months
        p_churn = cases.occasions.p_churn
        at_risk = np.where(np.isnan(p_churn), rule.p_churn_unscored, p_churn)
        is_service = cases.trigger.is_service
        purchase = 0.0 if is_service else economics.margin_share
        call = economics.support_call_cents if is_service else 0.0
        return cls(
            conversion=_column(purchase * own.purchase_cents(cases, model=channel_model)),
            call=_column(np.full(cases.n, call)),
            kept=_column(rule.saved_share * at_risk * lost_cents),
            annoyed=_column(learned.lost_per_unsubscribe * lost_cents),
            messages=_column(learned.message_month_cents * own.relative),
            load=_column(_sum_load(cases, recovery_hours=learned.recovery_hours)),
        )


@dataclass(frozen=True)
class _OwnCustomer:
    """What the customer's own orders and subscription say, (n,) each.

    Attributes:
        monthly_cents: Revenue of a month.
        relative: That over the mean customer's.
        order_relative: Amount of an own order over the mean amount.
    """

    monthly_cents: Floats
    relative: Floats
    order_relative: Floats

    @classmethod
    def of(cls, cases: Cases, *, model: ChannelModel) -> Self:
        """Own facts, drawn to the mean customer as far as they are few."""
        known = cases.occasions
        mean_cents = _mean_order_cents(model)
        n, total = np.nan_to_num(known.orders), np.nan_to_num(known.order_cents)
        own_cents = (total + _OWN_ORDERS * mean_cents) / (n + _OWN_ORDERS)
        order_relative = own_cents / mean_cents if mean_cents > 0 else np.ones(cases.n)
        related = model.relate_margins(cases.engagement)
        if model.orders is None or mean_cents <= 0:
            monthly = model.monthly_cents * related
        else:
            ordered = related * model.orders.mean / _ORDER_MONTHS
            others = max(model.monthly_cents - model.orders.mean / _ORDER_MONTHS * mean_cents, 0.0)
            subscribed = np.where(np.isnan(known.mrr_cents), others, known.mrr_cents)
            monthly = ordered * own_cents + subscribed
        relative = monthly / model.monthly_cents if model.monthly_cents > 0 else np.ones(cases.n)
        return cls(monthly, relative, order_relative)

    def purchase_cents(self, cases: Cases, *, model: ChannelModel) -> Floats:
        """Amount of the purchase in question: the item's, or that of the customer's orders."""
        usual = model.mean_value_cents.get(cases.trigger, _mean_order_cents(model))
        amount = cases.occasions.amount_cents
        return np.where(np.isnan(amount), usual * self.order_relative, amount)


def _mean_order_cents(model: ChannelModel) -> float:
    """Mean amount of the conversions of every trigger that sells something."""
    cents = [value for trigger, value in model.mean_value_cents.items() if not trigger.is_service]
    return float(np.mean(cents)) if cents else 0.0


def _sum_load(cases: Cases, *, recovery_hours: float) -> Floats:
    """Past and planned messages, each exp(-time / recovery), (n,)."""
    contacts = cases.contacts
    load = np.zeros(cases.n)
    apart = np.abs(cases.decided_at_us[contacts.row] - contacts.at_us) / HOUR_US
    np.add.at(load, contacts.row, np.exp(-apart / recovery_hours))
    return load


def _column(cents: Floats) -> Floats:
    return cents[:, None]
