from pathlib import Path

import numpy as np
import pytest

from features.errors import BadInputError, ConfigurationError
from features.vocabulary import Channel, Trigger
from serving.copy.draft import Draft
from serving.copy.drafted import compile_draft, variant_id_of
from serving.copy.library import default_library
from serving.copy.wordings import Piece
from serving.copywriter.first_belief import (
    believe_of_newcomer,
    load_variant_prior,
    words_of,
    words_of_draft,
    words_of_library,
)
from training.evaluation import Estimate
from training.variant_prior.describing import N_COLUMNS
from training.variant_prior.prior import Skill, VariantPrior

DRAFT = Draft(
    trigger=Trigger.PRICE_DROP,
    channel=Channel.PUSH,
    language="en",
    title=Piece(facts="Costs less: {item}", plain="Costs less"),
    body=(Piece(facts="{greeting}now {new_price_cents}.", plain="{greeting}an item costs less."),),
    cta="See it",
)


def make_prior(*languages: str) -> VariantPrior:
    return VariantPrior(
        languages=languages,
        weights=np.random.default_rng(1).normal(size=N_COLUMNS) * 0.2,
        left=0.85,
        rate=0.02,
        spread=0.1,
        skill=Skill(Estimate(0.6, 0.58, 0.62), explained=0.15, n_tests=100, n_texts=400),
    )


def test_words_of_a_draft_and_of_its_variant_are_the_same() -> None:
    library = default_library()
    variant = compile_draft(DRAFT, variant_id=variant_id_of(DRAFT), library=library)
    expected = {"en": "Costs less: {item} now {new_price_cents}."}
    assert words_of_draft(DRAFT) == words_of(variant) == expected
    words = words_of_library(library)
    assert set(words["price_drop.push.clear"]) == {"en", "ru", "kk"}
    assert len(words) == len(list(library))


def test_newcomer_is_believed_in_beside_its_templates() -> None:
    library, prior = default_library(), make_prior("en")
    variant = compile_draft(DRAFT, variant_id=variant_id_of(DRAFT), library=library)
    believed = believe_of_newcomer(variant, library=library, prior=prior)
    assert believed is not None
    assert believed.left == 0.85
    templates = library.variants(Trigger.PRICE_DROP, Channel.PUSH)
    texts = [words_of(template)["en"] for template in templates]
    scores = prior.score([*texts, words_of(variant)["en"]])
    assert believed.shift == pytest.approx(scores[-1] - scores.mean())


def test_language_not_learned_and_several_languages_are_not_spoken_of() -> None:
    library = default_library()
    variant = compile_draft(DRAFT, variant_id=variant_id_of(DRAFT), library=library)
    assert believe_of_newcomer(variant, library=library, prior=make_prior("ru")) is None
    template = library.variants(Trigger.PRICE_DROP, Channel.PUSH)[0]
    assert believe_of_newcomer(template, library=library, prior=make_prior("en")) is None


def test_prior_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "prior.json"
    path.write_text(make_prior("en").to_json(), encoding="utf-8")
    assert load_variant_prior(path).languages == ("en",)
    with pytest.raises(ConfigurationError, match=r"none\.json"):
        load_variant_prior(tmp_path / "none.json")
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(BadInputError, match="not a prior of variants"):
        load_variant_prior(path)
