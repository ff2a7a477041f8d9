"""How well the checks of copy tell good from bad, and what they cost a message."""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from scipy import stats

from features.errors import BadInputError
from features.evidence import Evidence
from serving.benchmarks.labelled_copy import Half, LabelledCase, read_labelled
from serving.copy.brief import Brand
from serving.copy.content import Content
from serving.copy.guard.check import check_text
from serving.copy.guard.rendered import ground_variant
from serving.copy.guard.words import forget_remembered
from serving.copy.library import default_library
from serving.copy.render import render
from serving.copy.settings import CopySettings
from serving.copy.variants import Variant
from training.benchmarks.rows import BenchRow

_LEVEL: Final = 0.95
_PEER: Final = "digits guard"
_RENDER_LIMIT_MS: Final = 1.0
_TEXT_LIMIT_US: Final = 300.0
_DRAFT_LIMIT_MS: Final = 5.0
_SETTINGS: Final = CopySettings(
    brand="Teal",
    currency="KZT",
    cta_base_url="https://teal.example",
    email_unsubscribe_url="https://teal.example/unsubscribe",
)
_BRAND: Final = Brand(name="Teal", allowed_hosts=("teal.example",))
_NAMES: Final = {"en": "Anna", "ru": "Анна", "kk": "Әсел"}
_ZONE: Final = "Asia/Almaty"
_LABELLED = Path("tests/serving/copy/guard/labelled")


@dataclass(frozen=True)
class _Judged:
    """One case and what each guard says of it."""

    case: LabelledCase
    is_refused: bool
    is_named: bool
    is_refused_by_peer: bool


def find_labelled_folder() -> Path:
    """The labelled texts of the checkout that this package is in.

    Raises:
        BadInputError: Where the package was installed without its tests.
    """
    folder = Path(__file__).resolve().parents[2] / _LABELLED
    if not folder.is_dir():
        raise BadInputError(
            f"{folder}: no labelled texts there; they come with a checkout of Opportune, "
            "else name a folder of them with --drafts"
        )
    return folder


def bench_copy(folder: Path | None = None) -> list[BenchRow]:
    """Shares of labelled texts caught and refused, and the time of checks and of rendering.

    Args:
        folder: Labelled texts (`labelled_copy`); those of the checkout where null.
    """
    cases = read_labelled(find_labelled_folder() if folder is None else folder)
    judged = [_judge(case) for case in cases]
    rows = list(_list_shares("guard", judged))
    for half in Half:
        of_half = [one for one in judged if one.case.half is half]
        rows += _list_shares(f"guard_{half}", of_half)
    return [*rows, *_time_checks(cases), _time_render()]


def _judge(case: LabelledCase) -> _Judged:
    faults = case.check()
    return _Judged(
        case=case,
        is_refused=bool(faults),
        is_named=any(fault.code is case.code for fault in faults),
        is_refused_by_peer=_holds_foreign_digits(case),
    )


def _holds_foreign_digits(case: LabelledCase) -> bool:
    """A naive guard: digits that no fact holds. In a draft, any digits outside slots."""
    pieces = [piece for piece in (case.title, case.preheader, *case.body) if piece is not None]
    text = "\n".join(twin for piece in pieces for twin in (piece.facts, piece.plain))
    allowed = set(re.findall(r"\d+", " ".join(case.facts)))
    return any(digits not in allowed for digits in re.findall(r"\d+", text))


def _list_shares(case: str, judged: list[_Judged]) -> Iterator[BenchRow]:
    bad = [one for one in judged if one.case.label == "bad"]
    good = [one for one in judged if one.case.label == "good"]
    if bad:
        peer = [one.is_refused_by_peer for one in bad]
        yield _share(case, "caught_share", [one.is_refused for one in bad], peer=peer)
        yield _share(case, "named_share", [one.is_named for one in bad], peer=None)
    if good:
        peer = [one.is_refused_by_peer for one in good]
        yield _share(case, "good_refused_share", [one.is_refused for one in good], peer=peer)


def _share(case: str, metric: str, hits: list[bool], *, peer: list[bool] | None) -> BenchRow:
    """A share with its Clopper-Pearson interval."""
    n = len(hits)
    held = stats.binomtest(sum(hits), n).proportion_ci(_LEVEL, method="exact")
    return BenchRow(
        case=case,
        metric=metric,
        ours=sum(hits) / n,
        low=float(held.low),
        high=float(held.high),
        reference=None if peer is None else sum(peer) / n,
        reference_name=None if peer is None else _PEER,
        unit="1",
        n=n,
    )


def _time_checks(cases: Iterable[LabelledCase]) -> Iterator[BenchRow]:
    """Median time of either check on texts that it has not seen."""
    library = default_library()
    for kind, metric, scale, limit, unit in (
        ("draft", "draft_median_ms", 1e3, _DRAFT_LIMIT_MS, "ms"),
        ("text", "text_median_us", 1e6, _TEXT_LIMIT_US, "us"),
    ):
        of_kind = [case for case in cases if case.kind == kind]
        if of_kind:
            forget_remembered()
            times = [_time(partial(case.check, library)) for case in of_kind]
            yield _row("check", metric, scale * median(times), limit, unit, len(times))


def _time_render() -> BenchRow:
    """Median time to fill a variant's slots and check the final text.

    Every shipped variant, in every language, with its example and without facts; texts whose
    words were read before, as those of any variant are that is served.
    """
    library = default_library()
    work = [
        (variant, language, evidence)
        for variant in library
        for language, cell in variant.cells.items()
        for evidence in (cell.example, {})
    ]
    for one in work:
        _render_and_check(*one)
    times = [_time(partial(_render_and_check, *one)) for one in work]
    return _row("render", "median_ms", 1e3 * median(times), _RENDER_LIMIT_MS, "ms", len(times))


def _render_and_check(variant: Variant, language: str, evidence: Evidence) -> None:
    name = _NAMES.get(language)
    content = render(
        variant,
        language=language,
        evidence=evidence,
        first_name=name,
        settings=_SETTINGS,
        timezone=_ZONE,
    )
    grounds = ground_variant(
        variant,
        language=language,
        evidence=evidence,
        first_name=name,
        settings=_SETTINGS,
        brand=_BRAND,
        timezone=_ZONE,
    )
    if not isinstance(content, Content):
        raise BadInputError(f"{content.reason}: cannot be rendered with its own example")
    if faults := check_text(content, grounds=grounds):
        raise BadInputError(f"{variant.variant_id} ({language}): {'; '.join(map(str, faults))}")


def _time(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _row(case: str, metric: str, ours: float, limit: float, unit: str, n: int) -> BenchRow:
    return BenchRow(case, metric, ours, None, None, limit, "limit", unit, n)
