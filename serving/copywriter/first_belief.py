"""What a new variant is believed to earn before it was ever sent: off unless a prior is given."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import ConfigurationError
from serving.copy.draft import Draft
from serving.copy.library import Library
from serving.copy.template import compile_template
from serving.copy.variants import Variant
from training.bandit.beliefs import ArmPrior

if TYPE_CHECKING:
    from training.variant_prior.prior import VariantPrior


def load_variant_prior(path: Path) -> "VariantPrior":
    """A prior that `opportune copy learn-prior` wrote.

    Raises:
        ConfigurationError: The file can't be read.
        BadInputError: It is no prior.
    """
    # Here, so that commands without a prior need not wait for scikit-learn.
    from training.variant_prior.prior import VariantPrior

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigurationError(f"{path}: expected the prior of variants: {fault}") from fault
    return VariantPrior.from_json(text)


def believe_of_newcomer(
    newcomer: Variant, *, library: Library, prior: "VariantPrior"
) -> ArmPrior | None:
    """What to expect of a variant beside the templates that it competes with.

    Args:
        newcomer: In one language.
        library: Holds its templates.
        prior: Learned from past tests.

    Returns:
        None where it speaks several languages or one that the prior has not learned.
    """
    if len(newcomer.cells) != 1:
        return None
    (language,) = newcomer.cells
    siblings = [
        variant
        for variant in library.variants(newcomer.trigger, newcomer.channel)
        if variant.is_template and language in variant.cells
    ]
    texts = [words_of(variant)[language] for variant in (*siblings, newcomer)]
    believed = prior.believe(texts, language=language)
    return None if believed is None else believed[-1]


def words_of(variant: Variant) -> dict[str, str]:
    """What is read first of a variant, by language: title and first paragraph, slots by name."""
    words = {}
    for code, cell in variant.cells.items():
        lines = [*([cell.title] if cell.title else []), cell.body[0]]
        words[code] = " ".join(line.facts.words.strip() for line in lines)
    return words


def words_of_draft(draft: Draft) -> dict[str, str]:
    """The same of a draft."""
    pieces = [*([draft.title] if draft.title else []), draft.body[0]]
    return {
        draft.language: " ".join(compile_template(piece.facts).words.strip() for piece in pieces)
    }


def words_of_library(library: Library) -> Mapping[str, Mapping[str, str]]:
    """The words of all variants, by variant and language."""
    return {variant.variant_id: words_of(variant) for variant in library}
