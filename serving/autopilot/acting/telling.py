"""Telling the owner: what was seen, how sure that is, and what happens unless somebody says no."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from shlex import quote

from serving.audit.entries import Body, EntryKind
from serving.autopilot.acting.context import ACTOR, IncidentContext
from serving.autopilot.acting.house_words import HouseWords, Letter
from serving.corridor.actions import Silence
from serving.corridor.settings import BrokenCorridor, Corridor
from serving.corridor.stop_files import find_stop_file
from serving.corridor.windows import end_window
from serving.store.bursts import UNKNOWN_LANGUAGE, BurstRow, BurstState
from serving.store.notices import Notice, Party, PartyKind
from serving.store.store import StoreSession
from serving.workflows.actions import Action, Turn, Written

_WORTH_TELLING = timedelta(hours=12)


class TellOwner(Action[IncidentContext]):
    """Keeps the notice to the owner; neither a broken corridor nor a switch silences it."""

    def plan(
        self, session: StoreSession, *, context: IncidentContext, turn: Turn, now: datetime
    ) -> Written:
        """Write the notice."""
        burst = context.read_burst(session)
        why = _find_silence(session, context=context, burst=burst)
        told = _write_letter(context, burst, why=why, now=now)
        key = turn.name_action()
        tell_owner(session, told, context=context, branch=burst.branch, key=key, now=now)
        session.bursts.set_state(burst.incident_id, BurstState.TOLD, at=now)
        n = len(burst.customer_ids)
        words = f"told the owner of {burst.branch}: {n} customers complain about {burst.topic}"
        body: Body = {"notice": key, "n_customers": n, "branch": burst.branch, "topic": burst.topic}
        session.audit.append(
            EntryKind.ACTION, context.workflow_id, body, by=ACTOR, at=now, words=words
        )
        if why is not None:
            _note_silence(session, context=context, why=why, now=now)
        return Written(words if why is None else f"{words}; nothing else is tried: {why}"[:500])


def tell_owner(
    session: StoreSession,
    letter: Letter,
    *,
    context: IncidentContext,
    branch: str,
    key: str,
    now: datetime,
    is_urgent: bool = True,
) -> None:
    """Keep a notice to the owner of a branch, once under that key."""
    session.notices.add(
        Notice(
            key=key,
            to=Party(PartyKind.OWNER, branch),
            subject=letter.subject[:200],
            body=letter.body,
            language=context.pilot.settings.language,
            made_at=now,
            expires_at=now + _WORTH_TELLING,
            is_urgent=is_urgent,
            workflow_id=context.workflow_id,
        )
    )


def _find_silence(
    session: StoreSession, *, context: IncidentContext, burst: BurstRow
) -> str | None:
    """Why nothing but telling is tried; None where the rest is."""
    desk = context.parts.desk()
    stop = find_stop_file(desk.home, branch=burst.branch)
    stop = stop or session.switches.find_stop(branch=burst.branch)
    if stop is None and isinstance(desk.corridor, BrokenCorridor):
        return desk.corridor.why
    return stop


def _note_silence(
    session: StoreSession, *, context: IncidentContext, why: str, now: datetime
) -> None:
    session.audit.append(
        EntryKind.DECISION,
        context.workflow_id,
        {"only_telling": True},
        by=ACTOR,
        at=now,
        words=f"nothing but telling is tried: {why}"[:1_500],
    )


def _write_letter(
    context: IncidentContext, burst: BurstRow, *, why: str | None, now: datetime
) -> Letter:
    words = context.pilot.words
    n = len(burst.customer_ids)
    topic = context.title_of(burst.topic)
    lines = [
        words.seen.facts.format(
            branch=burst.branch,
            topic=topic,
            n=n,
            since=context.show_time(burst.since),
            seen=context.show_time(burst.seen_at),
            languages=_show_languages(burst, words),
            per_day=f"{burst.seen.per_day:.2g}",
            how_often=words.how_often.tell(burst.seen.alarms_per_week),
        ),
        words.clock.format(zone=context.parts.zone),
    ]
    if burst.seen.is_assumed:
        lines.append(words.seen.assumed)
    links = [f"{one.trigger} {one.subject}" for one in burst.seen.links]
    lines.append(words.seen.links.format(links=", ".join(links)) if links else words.seen.no_links)
    if why is not None:
        lines += ["", words.seen.only_telling.format(why=why)]
    else:
        lines += ["", words.seen.plan, *_list_plan(context, burst, now=now)]
        lines.append("")
        if context.page is not None:
            lines.append(words.seen.stop.format(link=context.page))
        lines.append(words.seen.command.format(incident=burst.incident_id))
        lines.append(words.seen.everything.format(branch=quote(burst.branch)))
    subject = words.seen.subject.format(branch=burst.branch, topic=topic, n=n)
    return Letter(subject=subject, body="\n".join(lines))


def _show_languages(burst: BurstRow, words: HouseWords) -> str:
    counts = (
        (words.unknown_language if language == UNKNOWN_LANGUAGE else language, n)
        for language, n in burst.languages.items()
    )
    return ", ".join(f"{language} {n}" for language, n in counts)


def _list_plan(context: IncidentContext, burst: BurstRow, *, now: datetime) -> Iterator[str]:
    """What is going to be done and when, by what the corridor says now."""
    corridor = context.corridor
    if isinstance(corridor, BrokenCorridor):
        return
    rules, words = context.pilot.settings, context.pilot.words
    helped = burst.topic in rules.helpers
    what = {
        "pause_marketing": words.what.pause_marketing,
        "message_customers": words.what.message_customers,
        **({"ask_vendor": words.what.ask_vendor} if helped else {}),
    }
    if helped:
        most = context.write_money(
            min(rules.vendors.book_cents, _find_most(corridor, "book_vendor"))
        )
        what["book_vendor"] = words.what.book_vendor.format(amount=most)
    what["compensate_customer"] = words.what.compensate_customer.format(
        amount=context.write_money(rules.compensation.cents),
        n=rules.compensation.most_customers,
    )
    yield from _say_when(context, what.items(), corridor=corridor, now=now)
    if not helped:
        yield f"- {words.what.not_known}"


def _find_most(corridor: Corridor, kind: str) -> int:
    rule = corridor.kinds.get(kind)
    return 0 if rule is None else rule.max_cents


def _say_when(
    context: IncidentContext,
    what: Iterable[tuple[str, str]],
    *,
    corridor: Corridor,
    now: datetime,
) -> Iterator[str]:
    words = context.pilot.words.plan
    for kind, said in what:
        rule = corridor.kinds.get(kind)
        if rule is None:
            continue
        if rule.on_silence is not Silence.GO or rule.needs_approval:
            line = words.after_yes.format(what=said, roles=", ".join(rule.approvers))
        elif rule.veto_minutes == 0:
            line = words.at_once.format(what=said)
        else:
            until = end_window(corridor, minutes=rule.veto_minutes, now=now)
            line = words.unless_vetoed.format(what=said, time=context.show_time(until))
        yield f"- {line}"
