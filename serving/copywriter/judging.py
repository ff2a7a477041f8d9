"""Judging what waits for an answer: cell by cell, and every score kept with the draft."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Protocol

from serving.copy.stored import CellRecord, StoredVariant, VariantState
from serving.copywriter.asker import Asker
from serving.copywriter.judge import (
    MOST_SIBLINGS,
    JudgedScore,
    Judgement,
    JudgeQuestion,
    judge_cells,
    make_judge_question,
    read_judgement,
)
from serving.copywriter.reply import Usage, WriterOutcome

_BY = "judge"


class ScoreKeeper(Protocol):
    """What is needed of the shelf of variants."""

    def find(self, *, state: VariantState | None = None) -> Sequence[StoredVariant]:
        """Variants in that state."""
        ...

    def score(
        self, variant_id: str, *, score: float, by: str, at: datetime, note: str = ""
    ) -> None:
        """Keep a score."""
        ...

    def note_cell(self, record: CellRecord) -> None:
        """Keep how an asking ended and what it cost."""
        ...


@dataclass(frozen=True)
class Judging:
    """What came of a round.

    Attributes:
        n_cells: Cells that were asked about.
        n_scored: Drafts that got a score.
        outcomes: How often each outcome came, by cell.
        details: What went wrong, each once.
        usage: What it cost, failures included.
    """

    n_cells: int
    n_scored: int
    outcomes: Mapping[WriterOutcome, int]
    details: tuple[str, ...]
    usage: Usage


def judge_drafts(
    shelf: ScoreKeeper,
    *,
    asker: Asker,
    at: datetime,
    deadline_seconds: float,
    in_batch: bool = False,
    again: bool = False,
    seed: int = 0,
) -> Judging:
    """Scores for drafts that wait without one; a draft whose cell failed stays without.

    Args:
        shelf: Where drafts are, and scores go.
        asker: Who is asked.
        at: Moment of the scores.
        deadline_seconds: Of each cell, or of the whole batch.
        in_batch: At half the price, in minutes to hours.
        again: Judge drafts that have a score, too.
        seed: Of the order in which siblings are shown.
    """
    cells = _group(shelf.find(state=VariantState.DRAFT), again=again)
    questions = {
        key: make_judge_question(
            [row.draft for row in rows], brief=rows[0].brief, seed=_seed(key, seed)
        )
        for key, rows in cells.items()
    }
    judged = _ask(questions, asker=asker, deadline_seconds=deadline_seconds, in_batch=in_batch)
    n_scored, usage, outcomes = 0, Usage(), Counter[WriterOutcome]()
    details: dict[str, None] = {}
    for key, judgement in judged:
        shelf.note_cell(_record(key, judgement, at=at))
        usage += judgement.usage
        outcomes[judgement.outcome] += 1
        if judgement.detail:
            details[judgement.detail] = None
        for row, score in zip(cells[key], judgement.scores, strict=True):
            if score is not None:
                note = describe_score(score, model=judgement.model)
                shelf.score(row.variant_id, score=score.overall, by=_BY, at=at, note=note)
                n_scored += 1
    return Judging(len(cells), n_scored, outcomes, tuple(details), usage)


def _record(key: str, judgement: Judgement, *, at: datetime) -> CellRecord:
    """The asking as the store keeps it; its key is none of drafting's."""
    return CellRecord(
        cell_key=f"judge/{key}",
        at=at,
        outcome=judgement.outcome.value,
        detail=judgement.detail,
        model=judgement.model,
        prompt_name=judgement.prompt_name,
        cost_usd=judgement.usage.cost_usd,
        n_drafts=0,
    )


def describe_score(score: JudgedScore, *, model: str | None) -> str:
    """The note beside a score: who gave it, and every criterion with its reason."""
    each = "; ".join(
        f"{name} {given.score}" + (f" ({given.reason})" if given.reason else "")
        for name, given in score.criteria.items()
    )
    return f"{model}: {each}"


def _ask(
    questions: Mapping[str, JudgeQuestion],
    *,
    asker: Asker,
    deadline_seconds: float,
    in_batch: bool,
) -> Iterable[tuple[str, Judgement]]:
    """Each cell with what came of it; one by one, so that an answer is kept before the next."""
    if not questions:
        return
    if in_batch:
        yield from judge_cells(questions, asker=asker, deadline_seconds=deadline_seconds).items()
        return
    for key, question in questions.items():
        reply = asker.ask(question.prompt, deadline_seconds=deadline_seconds)
        yield key, read_judgement(question, reply)


def _group(rows: Sequence[StoredVariant], *, again: bool) -> dict[str, list[StoredVariant]]:
    """Drafts to be judged together, by a key: those of one brief, at most ten at a time.

    Siblings are compared with each other, so where one has no score all are judged anew.
    """
    by_brief: dict[str, list[StoredVariant]] = {}
    for row in rows:
        by_brief.setdefault(row.brief_digest, []).append(row)
    return {
        f"{digest}-{start // MOST_SIBLINGS}": siblings[start : start + MOST_SIBLINGS]
        for digest, siblings in by_brief.items()
        for start in range(0, len(siblings), MOST_SIBLINGS)
        if again or any(row.score is None for row in siblings[start : start + MOST_SIBLINGS])
    }


def _seed(key: str, seed: int) -> int:
    """Another order for every cell, the same in every run."""
    return int.from_bytes(blake2b(f"{seed}|{key}".encode(), digest_size=6).digest(), "big")
