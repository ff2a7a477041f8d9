"""The command that serves."""

import json
import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from features.errors import NotReadyError
from serving.cli.data import AsOfOption, read_as_of
from serving.cli.output import RULES_STAND_IN, progress, say
from serving.cli.void_copy import warn_of_void
from serving.following import follow
from serving.home import claim_home
from serving.launch import prepare_launch, require_free_port
from serving.policy.settings import load_policy_settings
from serving.publish import load_champions, publish
from serving.runtime import wire_parts
from serving.settings import Settings, read_settings
from serving.snapshot.files import current_version, load_snapshot
from serving.snapshot.state import Snapshot
from serving.store.store import Store
from training.registry.tracking import Tracking

_STALE_AFTER_DAYS = 2


def serve(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Tables to serve from; else the snapshot that is there."),
    ] = None,
    as_of: AsOfOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve.")] = None,
) -> None:
    """Serve decisions over HTTP, until interrupted."""
    given = {"host": host, "port": port, "workers": workers}
    settings = read_settings().model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
    require_free_port(settings.host, settings.port)
    if data is not None:
        _publish_from(settings, data, as_of)
    elif current_version(settings.snapshots) is None:
        raise NotReadyError(
            f"nothing to serve in {settings.home}: give --data DIR, "
            "or run `make demo` and then `make serve`"
        )
    _start(settings, load_snapshot(settings.snapshots))


def _publish_from(settings: Settings, data: Path, as_of: str | None) -> None:
    with progress(f"making a snapshot of {data}"):
        tables, moment = read_as_of(data, as_of)
        claim_home(settings.home, tables)
        store = Store(settings.store_place)
        champions = load_champions(Tracking.in_folder(settings.registry))
        publish(
            settings,
            tables,
            as_of=moment,
            models=follow(champions, tables, as_of=moment),
            policy=load_policy_settings(settings.policy_file),
            store=store,
        )
        store.close()


def _has_states(settings: Settings) -> bool:
    """Whether a rebuild left states that events can be added to."""
    store = Store(settings.store_place)
    with store.reading() as session:
        generation = session.online.current_generation()
    store.close()
    return generation is not None and generation.n_customers > 0


def _warn_of_void(settings: Settings) -> None:
    parts = wire_parts(settings, clock=lambda: datetime.now(UTC))
    with closing(parts.store):
        warn_of_void(parts.keeper.find_void())


def _start(settings: Settings, snapshot: Snapshot) -> None:
    """Become the server: signals then reach it directly."""
    launch = prepare_launch(settings, environment=os.environ)
    url = f"http://{settings.host}:{settings.port}"
    profile = snapshot.customers.profile
    say(f"snapshot {snapshot.version}: {len(profile):,} customers as of {snapshot.as_of}")
    age_days = (datetime.now(UTC) - snapshot.as_of).days
    if age_days > _STALE_AFTER_DAYS:
        say(f"[yellow]its features are {age_days} days old[/yellow]: fresher tables serve better")
    if missing := sorted({"churn", "channel", "send_time"} - snapshot.models.by_file().keys()):
        say(f"[yellow]no champion yet[/yellow] for {', '.join(missing)}")
    if not _has_states(settings):
        say(
            "[yellow]no states yet[/yellow]: what is posted to /events is kept, and nothing "
            "follows from it until `opportune online rebuild --data PLACE` has been run"
        )
    _warn_of_void(settings)
    if not snapshot.models.can_score:
        say(RULES_STAND_IN)
    if launch.development_key is not None:
        say("[yellow]no OPPORTUNE_API_KEYS configured[/yellow]: made a key for this start only")
        say(f"  export OPPORTUNE_KEY={launch.development_key}")
    say(f"console on {settings.console_address}/ - `opportune console add-user` lets people in")
    say(f"serving on {url} - documentation at {url}/ - try:")
    body = {"customer_id": str(profile["customer_id"].iloc[0]), "trigger": "abandoned_cart"}
    say(
        f'  curl -s {url}/decide -H "Authorization: Bearer $OPPORTUNE_KEY" '
        f"-H 'Content-Type: application/json' -d '{json.dumps(body)}'"
    )
    command = list(launch.command)
    os.execve(command[0], command, dict(launch.environment))  # noqa: S606  # our own interpreter
