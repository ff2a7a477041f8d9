"""Interventions as they land, and what each is truly worth beforehand: the same law for both.

An episode is one stretch of dissatisfaction, a conversation the contacts that follow each other
within 30 days. An episode has one threshold and a conversation another, drawn once: a lever that
fits saves whoever a worse one did not, pulling the same one again does nothing, and whoever was not
driven away by the first call of a conversation is not by the second.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from training.world.acting.reactions import (
    FADE_DAYS,
    POWER,
    Reactions,
    cause_shares,
    causes_of,
    p_woken,
)
from training.world.clock import DAY, NEVER, Flags, Floats, Ints, Micros, day_of
from training.world.life.accounts import leave, recover
from training.world.life.realm import Realm
from training.world.people.moods import CONTENT, DISSATISFIED, moods_ahead, p_lost_ahead

SAVE_DAYS: Final = 90
"""The truth counts who is lost within so many days."""

_CONVERSATION: Final = 30 * DAY


@dataclass
class Contacts:
    """What has been tried with each customer, (n,) each.

    Attributes:
        begun_at: Beginning of the last conversation, -NEVER before the first.
        spoke_at: Last contact, -NEVER before the first.
        tried: The greatest chance to be saved that was tried in the episode.
        episode: Day on which that episode began.
    """

    begun_at: Micros
    spoke_at: Micros
    tried: Floats
    episode: Ints

    @classmethod
    def none(cls, n: int) -> "Contacts":
        """Nobody has spoken with anybody."""
        never = np.full(n, -NEVER)
        return cls(never, never.copy(), np.zeros(n), np.full(n, -1))

    def is_new(self, who: Ints, at: Micros) -> Flags:
        """Whether contact at these moments begins a conversation, (n,)."""
        new: Flags = at - self.spoke_at[who] > _CONVERSATION
        return new

    def tried_of(self, realm: Realm, who: Ints) -> Floats:
        """What was tried in the episodes in which these customers are now, (n,)."""
        same = self.episode[who] == realm.life.turned_on[who]
        return np.where(same, self.tried[who], 0.0)


def land(
    realm: Realm, contacts: Contacts, reactions: Reactions, *, who: Ints, lever: Ints, at: Micros
) -> None:
    """Let customers meet these interventions, one at most for each, now.

    Args:
        realm: The world as it is.
        contacts: What was tried; it is brought up to date.
        reactions: Of everybody.
        who: Positions, (n,).
        lever: Positions in `LEVERS`, (n,).
        at: Moments of the realm's day, (n,).
    """
    life = realm.life
    here = life.present[who]
    who, lever, at = who[here], lever[here], at[here]
    new = contacts.is_new(who, at)
    contacts.begun_at[who[new]] = at[new]
    contacts.spoke_at[who] = at
    wake_luck = realm.luck.uniform(
        realm.luck.keys(who, contacts.begun_at[who]), purpose="conversation"
    )
    woken = new & (wake_luck < p_woken(reactions, who))
    unhappy = life.mood[who] == DISSATISFIED
    p_save = _p_save_now(realm, reactions, who=who, lever=lever, at=at)
    threshold = realm.luck.uniform(realm.luck.keys(who, life.turned_on[who]), purpose="episode")
    saved = unhappy & ~woken & (threshold < p_save)
    tried = np.maximum(contacts.tried_of(realm, who), np.where(unhappy, p_save, 0.0))
    contacts.tried[who], contacts.episode[who] = tried, life.turned_on[who]
    leave(realm, who[woken], at[woken])
    recover(realm, who[saved], at[saved])


def value_contacts(
    realm: Realm, contacts: Contacts, reactions: Reactions, *, who: Ints, lever: Ints, at: Micros
) -> Floats:
    """Expected cents of each intervention, were it alone, before its cost, (n,).

    What the customer is worth in 12 months, times the change of the chance to be lost within
    `SAVE_DAYS`. Exact, but that whoever is dissatisfied now is taken to be so for the same reason
    at `at`.

    Args:
        realm: The world as it is.
        contacts: What was tried.
        reactions: Of everybody.
        who: Positions, (n,).
        lever: Positions in `LEVERS`, (n,).
        at: Moments, now or later, (n,).
    """
    moods = moods_ahead(
        realm.life.mood[who],
        customer=who,
        steps=day_of(at - 1) - realm.day,  # at midnight it lands before the day's step
        temper=realm.people.temper,
    )
    lost = p_lost_ahead(realm.people, days=SAVE_DAYS)[who]
    woken = np.where(contacts.is_new(who, at), p_woken(reactions, who), 0.0)
    saved = _p_save_ahead(realm, contacts, reactions, who=who, lever=lever, at=at)
    content, unhappy = lost.T
    driven_away = woken * (moods[:, 0] * (1.0 - content) + moods[:, 1] * (1.0 - unhappy))
    kept = (1.0 - woken) * moods[:, 1] * saved * (unhappy - content)
    value: Floats = realm.worth.lost[who] * (kept - driven_away)
    return value


def _p_save_now(
    realm: Realm, reactions: Reactions, *, who: Ints, lever: Ints, at: Micros
) -> Floats:
    """P(the lever saves somebody in the episode of now), (n,)."""
    days = np.maximum(day_of(at) - realm.life.turned_on[who], 0)
    power = POWER[lever, causes_of(realm, who)] * reactions.receptive[who]
    faded: Floats = power * np.exp(-days / FADE_DAYS)
    return faded


def _p_save_ahead(
    realm: Realm,
    contacts: Contacts,
    reactions: Reactions,
    *,
    who: Ints,
    lever: Ints,
    at: Micros,
) -> Floats:
    """The same beforehand: of what was tried in vain, only what is better helps, (n,)."""
    now = _p_save_now(realm, reactions, who=who, lever=lever, at=at)
    tried = contacts.tried_of(realm, who)
    left = np.maximum(now - tried, 0.0) / (1.0 - tried)
    fresh = (POWER[lever] * cause_shares(realm, who)).sum(axis=1) * reactions.receptive[who]
    return np.where(realm.life.mood[who] == CONTENT, fresh, left)
