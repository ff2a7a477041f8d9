"""The command that learns: one process beside the servers turns outcomes into new bandits."""

import signal
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from serving.cli.output import JsonOption, parse_moment, say, show, show_json
from serving.cli.own_store import open_own_store
from serving.learner.files import LearnerFiles
from serving.learner.step import take_step
from serving.policy.cases import from_us
from serving.policy.settings import PolicySettings, load_policy_settings
from serving.settings import read_settings
from serving.store.store import Store
from training.bandit.rewards import RewardState


def learn(
    every: Annotated[
        float, typer.Option(min=0.1, help="Seconds from one look at the log to the next.")
    ] = 60.0,
    once: Annotated[bool, typer.Option("--once", help="One look, then end.")] = False,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Moment of the looks, ISO 8601; now when not given."),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option("--home", help="Folder of the state; OPPORTUNE_HOME when not given."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Turn what came of messages into what the servers choose words by, until interrupted."""
    settings = read_settings()
    if home is not None:
        settings = settings.model_copy(update={"home": home})
    moment = None if as_of is None else parse_moment(as_of)
    policy = load_policy_settings(settings.policy_file)
    opened = open_own_store(settings)
    files = LearnerFiles(settings.bandit)
    if not files.has_history():
        say(
            "[yellow]no tables' history here[/yellow]: messages of the store alone are learned; "
            "`opportune serve --data DIR` keeps what its tables say of earlier ones"
        )
    stop = _stop_on_signals()
    with closing(opened) as store, files.locked():
        while not stop.is_set():
            began = time.perf_counter()
            _look(
                files,
                store,
                moment,
                policy=policy,
                as_json=as_json,
                says_always=as_json and once,  # one object, as --json promises
            )
            if once:
                break
            # A look that takes long makes room for others: at most half of the time is spent.
            spent = time.perf_counter() - began
            stop.wait(max(every - spent, spent))


def _look(
    files: LearnerFiles,
    store: Store,
    moment: datetime | None,
    *,
    policy: PolicySettings,
    as_json: bool,
    says_always: bool,
) -> None:
    step = take_step(files, store, as_of=moment or datetime.now(UTC), policy=policy)
    if step.version is None and not says_always:
        say(f"nothing new as of {from_us(step.learned.as_of_us):%Y-%m-%d %H:%M:%S}")
        return
    learned = step.learned
    if learned.settled.n_messages and not step.has_outcomes:
        say(
            "[yellow]no outcome of any message was ever told[/yellow]: offers count as if nobody "
            "had bought, notices as if nobody had called; `POST /outcomes` takes what came of them"
        )
    young = {state.value: learned.n_young[state] for state in RewardState}
    if as_json:
        show_json(
            {
                "version": step.version,
                "as_of": from_us(learned.as_of_us).isoformat(),
                "settled": learned.settled.n_messages,
                "settled_until": from_us(learned.settled.until_us).isoformat(),
                "young": young,
                "rebuilt": step.rebuilt,
            }
        )
        return
    parts = ", ".join(f"{n:,} {state}" for state, n in young.items() if n) or "none"
    how = "learned from the beginning" if step.rebuilt else "learned what was new"
    show(
        f"bandit {step.version}: {how}; {learned.settled.n_messages:,} messages settled; "
        f"younger ones: {parts}"
    )


def _stop_on_signals() -> threading.Event:
    """An event that an interrupt or a polite kill sets: the look that is going on is ended."""
    stop = threading.Event()

    def _note(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _note)
    return stop
