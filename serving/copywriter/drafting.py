"""Cells become drafts: asked for, checked, kept, and approved where a rule says so.

Whatever goes wrong ends in a named outcome that is counted; a cell without drafts keeps its
templates. A cell that was drafted is not paid again, unless what its drafts hang on has changed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from serving.copy.brief import Brief
from serving.copy.draft import Draft
from serving.copy.drafted import variant_id_of
from serving.copy.guard.check import check_draft
from serving.copy.guard.faults import Fault
from serving.copy.library import Library
from serving.copy.stored import CellRecord, Source, StoredVariant, VariantState
from serving.copywriter.answers import VariantsAnswer, read_drafts
from serving.copywriter.approval import BY_RULE, approves
from serving.copywriter.asker import Asker
from serving.copywriter.briefing import digest_brief, make_cell_key
from serving.copywriter.prompts import load_prompts, make_again_prompt, make_variants_prompt
from serving.copywriter.reply import Failure, Prompt, Reply, Usage, WriterOutcome
from serving.copywriter.rules import DraftingRules
from serving.store.variants import VariantShelf
from training.bandit.beliefs import ArmPrior

Believe = Callable[[StoredVariant], ArmPrior | None]
"""What is believed of a new variant before its first trial; None where nothing is."""

_Answer = Reply[VariantsAnswer] | Failure


@dataclass(frozen=True)
class Cell:
    """One cell to be drafted.

    Attributes:
        brief: What is wanted.
        key: Of everything that its drafts hang on.
    """

    brief: Brief
    key: str


@dataclass
class DraftingReport:
    """What came of a run.

    Attributes:
        n_cells: Cells that were wanted.
        n_known: Of them, drafted before and not asked for again.
        outcomes: How the askings ended, those for better drafts included.
        details: What failures said, each once.
        n_drafts: New drafts that wait for an answer, or were approved by the rule.
        n_faulty: New drafts with faults.
        n_repeated: Drafts whose words were there already.
        n_approved: Approved by the rule.
        faults: Faults of the new drafts by kind.
        usage: What was paid for.
        variant_ids: The new drafts without faults.
    """

    n_cells: int = 0
    n_known: int = 0
    outcomes: "Counter[WriterOutcome]" = field(default_factory=Counter)
    details: list[str] = field(default_factory=list)
    n_drafts: int = 0
    n_faulty: int = 0
    n_repeated: int = 0
    n_approved: int = 0
    faults: "Counter[str]" = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    variant_ids: list[str] = field(default_factory=list)

    @property
    def n_failed(self) -> int:
        """Askings that ended without an answer."""
        return sum(n for outcome, n in self.outcomes.items() if outcome is not WriterOutcome.OK)


def plan_cells(
    briefs: Iterable[Brief], *, prompt_name: str | None = None, model: str | None
) -> tuple[Cell, ...]:
    """The cells of briefs, with their keys.

    Args:
        briefs: What is wanted.
        prompt_name: Who or what is asked; the prompt that each brief makes where this is null.
        model: Who is asked; null for templates.
    """
    return tuple(
        Cell(
            brief,
            make_cell_key(
                brief, prompt_name=prompt_name or make_variants_prompt(brief).name, model=model
            ),
        )
        for brief in briefs
    )


@dataclass(frozen=True)
class Drafter:
    """Asks for drafts of cells and keeps them.

    Attributes:
        asker: Who is asked.
        shelf: Where drafts are kept.
        library: What ships.
        rules: How often is asked again, and who approves.
        model: Who is asked, by name.
        by: On whose behalf.
        believe: What is believed of new variants.
        tell: Is told the id of every batch.
    """

    asker: Asker
    shelf: VariantShelf
    library: Library
    rules: DraftingRules
    model: str
    by: str
    believe: Believe = lambda _: None
    tell: Callable[[str], None] | None = None

    def draft(
        self,
        cells: Sequence[Cell],
        *,
        at: datetime,
        deadline_seconds: float,
        in_batch: bool,
        again: bool = False,
    ) -> DraftingReport:
        """Draft cells.

        Args:
            cells: Which.
            at: Now.
            deadline_seconds: Of each question, or of a batch.
            in_batch: All questions at once, at the price of a batch.
            again: Ask for cells that were drafted before, too.
        """
        report = DraftingReport(n_cells=len(cells))
        known = set() if again else self.shelf.find_drafted([cell.key for cell in cells])
        wanted = {cell.key: cell for cell in cells if cell.key not in known}
        report.n_known = sum(cell.key in known for cell in cells)
        prompts = {key: make_variants_prompt(cell.brief) for key, cell in wanted.items()}
        for left in range(self.rules.re_asks, -1, -1):
            if not prompts:
                break
            faulty = self.take(
                self._ask(prompts, in_batch=in_batch, deadline_seconds=deadline_seconds),
                wanted,
                report=report,
                at=at,
                name=next(iter(prompts.values())).name,
            )
            if left:
                prompts = {
                    key: make_again_prompt(wanted[key].brief, refused)
                    for key, refused in faulty.items()
                }
        return report

    def take(
        self,
        answers: Iterable[tuple[str, _Answer]],
        cells: Mapping[str, Cell],
        *,
        report: DraftingReport,
        at: datetime,
        name: str,
    ) -> dict[str, list[tuple[Draft, tuple[Fault, ...]]]]:
        """Check and keep what was answered, answer by answer: what was paid for is not lost.

        Args:
            answers: With the keys of the cells.
            cells: By their keys.
            report: What came of it is added here.
            at: Now.
            name: Kind and version of the prompt.

        Returns:
            Drafts with their faults, by cell.
        """
        faulty: dict[str, list[tuple[Draft, tuple[Fault, ...]]]] = {}
        for key, answer in answers:
            stored = self._read(answer, cells[key], at=at, name=name)
            self._keep(stored, report=report, at=at)
            self._note(answer, cells[key], at=at, name=name, n_drafts=len(stored), report=report)
            refused = [(one.draft, one.faults) for one in stored if one.faults]
            if refused:
                faulty[key] = refused
        return faulty

    def _ask(
        self,
        prompts: Mapping[str, Prompt[VariantsAnswer]],
        *,
        in_batch: bool,
        deadline_seconds: float,
    ) -> Iterator[tuple[str, _Answer]]:
        if in_batch:
            answered = self.asker.ask_in_batch(
                prompts, deadline_seconds=deadline_seconds, tell=self.tell
            )
            yield from answered.items()
            return
        for key, prompt in prompts.items():
            yield key, self.asker.ask(prompt, deadline_seconds=deadline_seconds)

    def _read(self, answer: _Answer, cell: Cell, *, at: datetime, name: str) -> list[StoredVariant]:
        """The drafts of an answer, checked; as many as were wanted, and none where it failed."""
        if isinstance(answer, Failure):
            return []
        drafts = read_drafts(answer.value, cell.brief)[: cell.brief.n_variants]
        angles = load_prompts().variants.angles
        return [
            check(
                # An angle of the model's own would be a style of the bandit's.
                draft if draft.angle in angles else draft.model_copy(update={"angle": ""}),
                cell,
                library=self.library,
                source=Source.CLAUDE,
                model=answer.model,
                prompt_name=name,
                cost_usd=answer.usage.cost_usd / len(drafts),
                at=at,
            )
            for draft in drafts
        ]

    def _note(
        self,
        answer: _Answer,
        cell: Cell,
        *,
        at: datetime,
        name: str,
        n_drafts: int,
        report: DraftingReport,
    ) -> None:
        """Book how an asking ended; last: a cell counts as drafted once its drafts are kept."""
        model, outcome, detail = self.model, WriterOutcome.OK, ""
        if isinstance(answer, Failure):
            outcome, detail = answer.outcome, answer.detail
        else:
            model = answer.model
            if not n_drafts:
                outcome, detail = WriterOutcome.MALFORMED, "an answer without a single variant"
        usage = answer.usage
        report.outcomes[outcome] += 1
        report.usage += usage
        if detail and detail not in report.details:
            report.details.append(detail)
        self.shelf.note_cell(
            CellRecord(cell.key, at, outcome.value, detail, model, name, usage.cost_usd, n_drafts)
        )

    def _keep(self, stored: list[StoredVariant], *, report: DraftingReport, at: datetime) -> None:
        keep_drafts(
            [self._with_belief(one) for one in stored],
            self.shelf,
            rules=self.rules,
            by=self.by,
            at=at,
            report=report,
        )

    def _with_belief(self, stored: StoredVariant) -> StoredVariant:
        prior = None if stored.faults else self.believe(stored)
        if prior is None:
            return stored
        return replace(stored, prior_shift=prior.shift, prior_left=prior.left)


def check(
    draft: Draft,
    cell: Cell,
    *,
    library: Library,
    source: Source,
    model: str | None,
    prompt_name: str | None,
    cost_usd: float,
    at: datetime,
) -> StoredVariant:
    """A draft as it is kept, with its faults."""
    faults = check_draft(draft, brief=cell.brief, library=library)
    return StoredVariant(
        variant_id=variant_id_of(draft, brief=cell.brief),
        draft=draft,
        state=VariantState.FAULTY if faults else VariantState.DRAFT,
        faults=faults,
        source=source,
        model=model,
        prompt_name=prompt_name,
        brief=cell.brief,
        brief_digest=digest_brief(cell.brief),
        cell_key=cell.key,
        cost_usd=cost_usd,
        created_at=at,
    )


def keep_drafts(
    stored: Sequence[StoredVariant],
    shelf: VariantShelf,
    *,
    rules: DraftingRules,
    by: str,
    at: datetime,
    report: DraftingReport,
) -> None:
    """Keep drafts, approve those that the rule approves, and count."""
    new = set(shelf.add(stored, by=by))
    counted: set[str] = set()
    for one in stored:
        if one.variant_id not in new or one.variant_id in counted:
            report.n_repeated += 1
            continue
        counted.add(one.variant_id)
        report.faults.update({fault.code.value for fault in one.faults})
        if one.faults:
            report.n_faulty += 1
            continue
        report.n_drafts += 1
        report.variant_ids.append(one.variant_id)
        if approves(rules.approval, one):
            shelf.approve(one.variant_id, by=BY_RULE, at=at, note="no faults")
            report.n_approved += 1
