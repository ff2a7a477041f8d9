"""What an adapter makes of somebody else's data."""

from dataclasses import dataclass

from features.tables import Tables


@dataclass(frozen=True)
class Adapted:
    """Foreign data as tables of ours.

    Attributes:
        tables: Conformed and valid.
        assumptions: What the data does not say and had to be assumed, one sentence each.
    """

    tables: Tables
    assumptions: tuple[str, ...]


def paragraphs(text: str) -> tuple[str, ...]:
    r"""The paragraphs of a text, each on one line.

    >>> paragraphs("One\n  and the same.\n\nAnother.")
    ('One and the same.', 'Another.')
    """
    return tuple(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))
