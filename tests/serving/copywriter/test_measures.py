import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.vocabulary import Channel, Trigger
from serving.copy.draft import Draft
from serving.copy.wordings import Piece
from serving.copywriter.measures import NEAR_COPY, measure_distance, measure_draft

VALUES = {"item": "Kettle", "new_price_cents": "$119.90", "brand": "Shop"}


def make(
    facts: str, *, plain: str = "", title: str | None = None, channel: Channel = Channel.PUSH
) -> Draft:
    return Draft(
        trigger=Trigger.PRICE_DROP,
        channel=channel,
        language="en",
        title=None if title is None else Piece(facts=title, plain=title),
        body=(Piece(facts=facts, plain=plain or "An item costs less."),),
        cta="See it",
    )


def test_a_draft_is_measured_with_its_facts() -> None:
    measures = measure_draft(
        make(
            "{greeting}good news! {item} now costs {new_price_cents}. Shall we keep it?",
            title="Lower",
        ),
        values=VALUES,
    )
    body = "good news! Kettle now costs $119.90. Shall we keep it?"
    assert measures.n_characters == len("Lower") + len(body)
    assert measures.n_units == len(body)
    assert measures.n_segments is None
    assert measures.n_sentences == 3
    assert measures.n_words == 10
    assert (measures.n_questions, measures.n_exclamations) == (1, 1)
    assert measures.slots == ("item", "new_price_cents")
    assert measures.opening == body[:49]
    assert measures.slots_in_opening == ("item", "new_price_cents")
    assert measures.item_at == 11
    assert measures.carries_message_early
    assert measures.nearest_sibling is None
    assert not measures.is_near_copy


def test_facts_that_are_not_known_give_the_version_without() -> None:
    measures = measure_draft(make("{item}: {old_price_cents}"), values=VALUES)
    assert measures.opening == "An item costs less."
    assert measures.slots == ()
    assert measures.item_at is None
    assert measures.carries_message_early  # a whole sentence


def test_sms_is_counted_in_its_own_units() -> None:
    russian = make("«{item}» теперь дешевле: " + "я" * 60, channel=Channel.SMS)
    measures = measure_draft(russian, values=VALUES)
    assert measures.n_segments == 2
    assert measures.n_units == len("«Kettle» теперь дешевле: " + "я" * 60)
    bracket = measure_draft(make("[{item}]", channel=Channel.SMS), values=VALUES)
    assert bracket.n_units == len("[Kettle]") + 2


def test_message_that_comes_late_is_seen() -> None:
    late = make(
        "We are always trying to make things better for all of you and so {item} costs less"
    )
    measures = measure_draft(late, values=VALUES)
    assert not measures.carries_message_early
    assert measures.item_at == 65
    cut = make("0123456789012345678901234567890123456789 01234 {item} there")
    assert measure_draft(cut, values=VALUES).slots_in_opening == ()  # the name would be cut
    titled = measure_draft(
        late.model_copy(update={"title": Piece(facts="{item}", plain="x")}), values=VALUES
    )
    assert titled.slots_in_opening == ("item",)
    assert titled.carries_message_early


def test_siblings_are_told_apart_by_words_not_by_facts() -> None:
    one = make("The price of {item} has dropped to {new_price_cents}.")
    near = make("The price of {item} has fallen to {new_price_cents}.")
    other = make("{item} is waiting, and it is cheaper than before.")
    assert measure_distance(one, one) == 0.0
    assert 0.0 < measure_distance(one, near) < NEAR_COPY < measure_distance(one, other) <= 1.0
    measures = measure_draft(one, values=VALUES, siblings=[other, near])
    assert measures.nearest_sibling == measure_distance(one, near)
    assert measures.is_near_copy
    russian = make("Цена на «{item}» снизилась, теперь {new_price_cents}.")
    endings = make("Цены на «{item}» снизились, теперь {new_price_cents}.")
    assert measure_distance(russian, endings) < NEAR_COPY


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
def test_distance_is_symmetric_and_within_bounds(one: str, other: str) -> None:
    first, second = make(one), make(other)
    distance = measure_distance(first, second)
    assert 0.0 <= distance <= 1.0
    assert distance == measure_distance(second, first)
    assert measure_distance(first, first) == 0.0


def test_all_paragraphs_of_an_email_count() -> None:
    draft = Draft(
        trigger=Trigger.PRICE_DROP,
        channel=Channel.EMAIL,
        language="en",
        body=(Piece(facts="One.", plain="One."), Piece(facts="{item} two.", plain="Two.")),
    )
    measures = measure_draft(draft, values=VALUES)
    assert measures.n_sentences == 2
    assert measures.item_at == 5
    assert measures.n_units == pytest.approx(len("One. Kettle two."))
