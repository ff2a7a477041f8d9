"""Approved variants beside those that ship: who may get them, how likely, and for how long."""

import pickle
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy import stats

from features.economics import default_economics
from features.engagement import ENGAGEMENT_FEATURES
from features.errors import BadInputError
from features.vocabulary import Arm, Channel, Trigger
from serving.assemble import Addressee
from serving.copy.brief import Offer
from serving.copy.content import Unrenderable
from serving.copy.drafted import compile_draft
from serving.copy.library import Library, default_library
from serving.copy.render import render
from serving.copy.settings import CopySettings
from serving.copy.stored import StoredVariant, VariantState
from serving.copy.variants import Variant
from serving.copy.voice import read_brand
from serving.lots.lot import TERMS, WordColumns
from serving.policy.arms import ARMS
from serving.policy.cases import to_us
from serving.policy.newcomers import NO_NOVICES, Novices
from serving.policy.settings import VariantSettings, load_policy_settings
from serving.records import DecisionRequest
from serving.store.store import Store
from serving.stored_words import ServedWords, WordKeeper
from serving.words import Addressed, Copywriter
from tests.serving.learner.test_step import record
from tests.serving.stored import MADE, make_offer, make_stored, with_belief
from training.bandit.files import new_bandit

NOW = datetime(2026, 6, 10, 7, tzinfo=UTC)
SHIPPED = ["price_drop.sms.clear", "price_drop.sms.warm"]


def compile_stored(stored: StoredVariant) -> Variant:
    return compile_draft(
        stored.draft,
        variant_id=stored.variant_id,
        library=default_library(),
        offer=stored.offer,
    )


def library_with(*stored: StoredVariant) -> Library:
    return default_library().with_stored([compile_stored(one) for one in stored])


def write(
    library: Library,
    people: list[Addressee],
    *,
    arm: Arm = Arm.LEARNED,
    novices: Novices = NO_NOVICES,
    sent_at: datetime = NOW,
    sets: tuple[Channel, ...] = (Channel.SMS,),
) -> WordColumns:
    n = len(people)
    writer = Copywriter(library, new_bandit(), CopySettings(), default_economics(), novices=novices)
    return writer.write(
        Addressed(
            trigger=Trigger.PRICE_DROP,
            row=np.arange(n),
            sets=[sets] * n,
            arm=np.full(n, ARMS.index(arm)),
            decision_ids=[f"{arm}/{row}" for row in range(n)],
            people=people,
            engagement=np.full((n, len(ENGAGEMENT_FEATURES.names)), np.nan),
            terms=np.full((n, len(TERMS)), np.nan),
            send_us=np.full(n, to_us(sent_at)),
        )
    )


def reader(language: str = "en", segment: str | None = None) -> Addressee:
    return Addressee(language, None, "UTC", {}, segment)


def named(library: Library, words: WordColumns, row: int) -> dict[str, float]:
    """What the record will say: probabilities by variant, without those that don't fit."""
    names = [v.variant_id for v in library.variants(Trigger.PRICE_DROP, Channel.SMS)]
    p = words.p_variants[row].tolist()
    return {name: one for name, one in zip(names, p, strict=False) if not np.isnan(one)}


EVERYBODY, VIP, RUSSIAN = (
    make_stored(),
    make_stored(segment="vip", facts="{greeting}{item} is cheaper for you to get now."),
    make_stored(language="ru"),
)


@pytest.mark.parametrize(
    ("who", "stored"),
    [
        (reader("en"), [EVERYBODY]),
        (reader("en-GB", "vip"), [EVERYBODY, VIP]),
        (reader("ru", "vip"), [RUSSIAN]),
        (reader("kk"), []),  # Kazakh ships: its readers get no Russian draft instead
        (reader("fr"), [EVERYBODY]),  # they read English
    ],
)
@pytest.mark.parametrize("arm", [Arm.LEARNED, Arm.RANDOM])
def test_a_stored_variant_competes_where_language_and_segment_fit(
    who: Addressee, stored: list[StoredVariant], arm: Arm
) -> None:
    library = library_with(EVERYBODY, VIP, RUSSIAN)
    probabilities = named(library, write(library, [who], arm=arm), 0)
    assert sorted(probabilities) == sorted([*SHIPPED, *(one.variant_id for one in stored)])
    assert sum(probabilities.values()) == pytest.approx(1.0)
    assert all(p > 0 for p in probabilities.values())
    if arm is Arm.RANDOM:
        assert len(set(probabilities.values())) == 1


def test_rules_keep_to_what_ships() -> None:
    library = library_with(EVERYBODY, VIP, RUSSIAN)
    words = write(library, [reader("en", "vip")] * 50, arm=Arm.RULES)
    assert set(words.variants) == {SHIPPED[0]}


def test_logged_probabilities_are_true_among_those_that_fit_and_under_the_cap() -> None:
    library = library_with(EVERYBODY, VIP, RUSSIAN)
    novices = Novices(frozenset({EVERYBODY.variant_id, VIP.variant_id}), share=0.1)
    kinds = [reader("en"), reader("en", "vip"), reader("ru"), reader("kk")]
    n = 12_000
    words = write(library, [kinds[row % 4] for row in range(n)], novices=novices)
    drawn = [words.variants[row] for row in range(n)]  # one channel: one message each
    for kind in range(4):
        logged = named(library, words, kind)
        counts = Counter(drawn[kind::4])
        assert set(counts) <= set(logged)
        assert sum(logged.get(name, 0.0) for name in novices.variant_ids) <= 0.1 + 1e-12
        expected = np.array([logged[name] * n / 4 for name in logged]) / sum(logged.values())
        observed = np.array([counts[name] for name in logged])
        assert stats.chisquare(observed, expected).pvalue > 0.001
    capped = named(library, words, 0)[EVERYBODY.variant_id]
    assert capped == pytest.approx(0.1)  # without a cap it would be a third
    assert named(library, words, 2)[RUSSIAN.variant_id] > 0.2  # no novice
    assert np.allclose(words.p_taken, [named(library, words, r)[drawn[r]] for r in range(n)])


def test_an_offer_is_not_sent_after_its_last_day() -> None:
    stored = make_stored(
        offer=make_offer(valid_until="2026-06-10"),
        facts="{greeting}{item} is cheaper now, with {offer}.",
    )
    library = library_with(stored)
    until = datetime(2026, 6, 11, tzinfo=UTC)
    before = write(library, [reader()], sent_at=until - timedelta(seconds=1))
    after = write(library, [reader()], sent_at=until)
    assert stored.variant_id in named(library, before, 0)
    assert stored.variant_id not in named(library, after, 0)


def test_other_channels_of_a_set_follow_in_what_ships() -> None:
    library = library_with(EVERYBODY)
    words = write(library, [reader()] * 400, sets=(Channel.SMS, Channel.PUSH))
    by_row: dict[int, list[str]] = {}
    for sent, variant in zip(words.sent.tolist(), words.variants, strict=True):
        by_row.setdefault(sent, []).append(variant)
    assert {tuple(names) for names in by_row.values()} == {
        (SHIPPED[0], "price_drop.push.clear"),
        (SHIPPED[1], "price_drop.push.warm"),
        (EVERYBODY.variant_id, "price_drop.push.clear"),
    }


def test_stored_variants_travel_to_other_machines() -> None:
    library = library_with(EVERYBODY, RUSSIAN)
    there = pickle.loads(pickle.dumps(library))
    people = [reader("en"), reader("ru"), reader("kk")] * 20
    words, again = write(library, people), write(there, people)
    assert words.variants == again.variants
    assert [c.to_content() for c in words.contents] == [c.to_content() for c in again.contents]


def test_a_stored_variant_says_who_wrote_it_and_speaks_one_language() -> None:
    variant = compile_stored(RUSSIAN)
    told = {"language": "ru", "evidence": {}, "first_name": "Анна", "settings": CopySettings()}
    content = render(variant, **told)
    assert not isinstance(content, Unrenderable)
    assert (content.body, content.source) == ("Анна, цена на товар теперь ниже.", "claude")
    refused = render(variant, **{**told, "language": "fr"})
    assert isinstance(refused, Unrenderable)
    assert "has no text in 'fr'" in refused.reason
    with pytest.raises(BadInputError, match="twice, expected once"):
        library_with(RUSSIAN).with_stored([variant])


# ---------------------------------------------------------------- keeping them up to date


def keeper(
    store: Store, *, offers: tuple[Offer, ...] = (), now: datetime = NOW, voice: int = 1
) -> WordKeeper:
    brand = read_brand(None, settings=CopySettings()).model_copy(update={"version": voice})
    return WordKeeper(
        store.variants,
        default_library(),
        brand=brand,
        offers=offers,
        clock=lambda: now,
        takes_callers_time=True,
    )


def approve(store: Store, *stored: StoredVariant) -> None:
    store.variants.add(stored, by="Claude")
    for one in stored:
        store.variants.approve(one.variant_id, by="Dana", at=MADE)


def served(words: WordKeeper) -> list[str]:
    found = words.words().library.variants(Trigger.PRICE_DROP, Channel.SMS)
    return [variant.variant_id for variant in found if not variant.is_template]


def test_the_keeper_takes_up_approvals_and_retirements(store: Store) -> None:
    words = keeper(store)
    assert served(words) == []
    approve(store, EVERYBODY, RUSSIAN)
    assert served(words) == sorted([EVERYBODY.variant_id, RUSSIAN.variant_id])
    assert words.words() is words.words()
    store.variants.retire(RUSSIAN.variant_id, by="Dana", at=NOW)
    assert served(words) == [EVERYBODY.variant_id]


@pytest.mark.parametrize(
    ("offers", "now", "voice", "reason"),
    [
        ((make_offer(valid_until="2026-06-09"),), NOW, 1, "which ended on 2026-06-09"),
        ((make_offer(valid_until="2026-06-09", version=2),), MADE, 1, "now it is version 2"),
        ((make_offer(valid_until="2026-06-30"),), MADE, 1, "now that says something else"),
        ((), MADE, 1, "now there is none"),
        ((make_offer(valid_until="2026-06-09"),), MADE, 2, "version 1 of the voice, now 2"),
    ],
)
def test_what_does_not_hold_any_more_is_retired_with_the_reason(
    store: Store, offers: tuple[Offer, ...], now: datetime, voice: int, reason: str
) -> None:
    promise = make_stored(
        offer=make_offer(valid_until="2026-06-09"), facts="{greeting}{item}: {offer}."
    )
    approve(store, promise)
    assert served(keeper(store, offers=(make_offer(valid_until="2026-06-09"),), now=MADE))

    found = keeper(store, offers=offers, now=now, voice=voice).find_void()
    assert list(found) == [promise.variant_id]
    assert reason in found[promise.variant_id]
    assert store.variants.get(promise.variant_id).state is VariantState.APPROVED
    assert served(keeper(store, offers=offers, now=now, voice=voice)) == []

    assert store.variants.get(promise.variant_id).state is VariantState.RETIRED
    last = store.variants.history(promise.variant_id)[-1]
    assert last.by == "opportune"
    assert reason in last.note


def test_a_text_over_its_limits_is_never_served(store: Store) -> None:
    long = make_stored(facts="{greeting}" + "now that is long " * 12 + "{item}.")
    approve(store, long)
    assert served(keeper(store)) == []
    assert "segments" in store.variants.history(long.variant_id)[-1].note


def test_a_longer_name_of_the_sender_does_not_break_what_is_served(store: Store) -> None:
    signed = make_stored(facts="{greeting}" + "the price is lower now " * 4 + "{item}, {brand}.")
    approve(store, signed)
    short, long = keeper(store), keeper(store)
    long.brand = long.brand.model_copy(update={"name": "Ш" * 30})
    assert served(short) == [signed.variant_id]
    assert served(long) == []
    assert "segments" in store.variants.history(signed.variant_id)[-1].note


def test_beliefs_of_approved_variants_reach_the_bandit(store: Store) -> None:
    approve(store, with_belief(EVERYBODY, shift=2.0), RUSSIAN)
    words = keeper(store).words()
    plain, moved = new_bandit(), words.believe(new_bandit())
    p = [
        Copywriter(words.library, bandit, CopySettings(), default_economics())
        for bandit in (plain, moved)
    ]
    found = [
        writer.write(
            Addressed(
                trigger=Trigger.PRICE_DROP,
                row=np.arange(1),
                sets=[(Channel.SMS,)],
                arm=np.zeros(1, dtype=np.int64) + ARMS.index(Arm.LEARNED),
                decision_ids=["d"],
                people=[reader()],
                engagement=np.full((1, len(ENGAGEMENT_FEATURES.names)), np.nan),
                terms=np.full((1, len(TERMS)), np.nan),
                send_us=np.array([to_us(NOW)]),
            )
        )
        for writer in p
    ]
    without, believed = (named(words.library, one, 0)[EVERYBODY.variant_id] for one in found)
    assert without == pytest.approx(1 / 3, abs=0.02)
    assert believed > 0.8
    assert ServedWords(default_library()).believe(plain) is plain


def test_a_variant_is_new_until_enough_messages_had_their_chance(store: Store) -> None:
    approve(store, EVERYBODY)
    policy = load_policy_settings().model_copy(update={"variants": VariantSettings(new_trials=3)})
    words = keeper(store)
    told = words.words()
    window = timedelta(days=policy.reward.window_days)

    def find(learned_until: datetime) -> frozenset[str]:
        return words.find_novices(told, policy=policy, learned_until=learned_until).variant_ids

    assert find(NOW) == {EVERYBODY.variant_id}
    send(store, EVERYBODY.variant_id, n=3, at=NOW)
    assert find(NOW + window) == {EVERYBODY.variant_id}
    assert find(NOW + window + timedelta(seconds=1)) == frozenset()


def send(store: Store, variant: str, *, n: int, at: datetime) -> None:
    """Messages in these words."""
    records = []
    for number in range(n):
        one = record(number, at)
        message = one.messages[0].model_copy(update={"variant": variant})
        records.append(
            one.model_copy(
                update={"messages": (message,), "variant": variant, "variants": {variant: 1.0}}
            )
        )
    requests = [
        DecisionRequest(customer_id=r.customer_id, trigger=r.trigger, idempotency_key=None)
        for r in records
    ]
    with store.transaction() as session:
        session.add_decisions(records, requests)
