"""The command that takes what vendors answer by mail."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from features.errors import BadInputError
from serving.autopilot.acting.replies import read_reply, take_reply
from serving.cli.mails import read_mails
from serving.cli.output import Json, JsonOption, show, show_json
from serving.cli.own_store import open_own_store
from serving.settings import read_settings

_SAYS: Final = {"refused": "says no", "offered": "offers to come", "confirmed": "confirms"}

group = typer.Typer()


@group.command("replies")
def take_replies(
    folder: Annotated[Path, typer.Argument(help="Mails: files, or a Maildir.")],
    as_json: JsonOption = False,
) -> None:
    """Take answers of vendors from a folder of mails; read again, nothing changes."""
    answered: list[dict[str, Json]] = []
    refused: list[dict[str, Json]] = []
    n_others = n_known = 0
    with closing(open_own_store(read_settings())) as store:
        for path, content in read_mails(folder, given="FOLDER"):
            reply = read_reply(content)
            if reply is None:
                n_others += 1
                continue
            try:
                with store.transaction() as session:
                    replied = take_reply(session, reply, now=datetime.now(UTC))
            except BadInputError as fault:
                refused.append({"mail": path.name, "why": str(fault)})
                continue
            if replied.is_again:
                n_known += 1
                continue
            answered.append({"vendor": replied.vendor_id, "state": replied.state.value})
    if as_json:
        counts: dict[str, Json] = {"n_known": n_known, "n_others": n_others}
        show_json({"answered": answered, "refused": refused, **counts})
        return
    for one in answered:
        show(f"{one['vendor']}: {_SAYS.get(str(one['state']), str(one['state']))}")
    for one in refused:
        show(f"{one['mail']}: not taken: {one['why']}")
    show(
        f"answers: {len(answered)}; not taken: {len(refused)}; known before: {n_known}; "
        f"mails that are no answers: {n_others}"
    )
