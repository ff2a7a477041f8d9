"""The console inside the service: opened once the service has what it serves."""

import logging
from pathlib import Path
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from features.errors import ConfigurationError, OpportuneError
from serving.access import CONSOLE_PATH
from serving.autopilot.acting.settings import load_acting_settings
from serving.autopilot.acting.updates import Updates, load_updates
from serving.console.accounts import Accounts
from serving.console.app import Guarding, make_console
from serving.console.desk import Desk
from serving.console.gallery import Gallery
from serving.console.house import House
from serving.console.secret import keep_secret
from serving.corridor.settings import find_corridor
from serving.runtime import Runtime
from serving.settings import Settings
from serving.store.engine import patience

_LOOPBACK = ("127.0.0.1", "localhost")
_PATIENCE_SECONDS = 2.0  # decisions are served by the same thread
_LOG = logging.getLogger(__name__)


class MountedConsole:
    """An application that stands where the console will be; until then it says that it is not."""

    def __init__(self) -> None:
        """Nothing is open."""
        self._app: ASGIApp = PlainTextResponse("the console is not open yet\n", status_code=503)

    def open(self, settings: Settings, runtime: Runtime) -> None:
        """Open it; where it cannot be, decisions are served all the same, and it says why not."""
        try:
            self._app = wire_console(settings, runtime)
        except OpportuneError as fault:
            _LOG.warning("the console stays closed: %s", fault)
            text = "the console is closed: the log of the service says why\n"
            self._app = PlainTextResponse(text, status_code=503)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, as if the console were a house of its own under that path.

        Starlette would look its routes up in the service, which does not know them.
        """
        own = {name: value for name, value in scope.items() if name != "router"}
        with patience(_PATIENCE_SECONDS):
            await self._app(own | {"app_root_path": scope.get("root_path", "")}, receive, send)


def wire_console(settings: Settings, runtime: Runtime) -> ASGIApp:
    """The console over what a service serves.

    Raises:
        ConfigurationError: Its secret cannot be kept in the home.
    """
    parts = runtime.parts
    house = House(
        store=parts.store,
        clock=parts.clock,
        home=settings.home,
        find_corridor=lambda: find_corridor(settings.corridor),
        snapshot=lambda: runtime.engine().snapshot,
        explain=runtime.explain_churn,
        rules=parts.risk,
        find_updates=lambda: _find_updates(settings.autopilot),
        currency=settings.currency,
    )
    return make_console(
        house,
        desk=Desk(parts.store.variants, clock=parts.clock),
        gallery=Gallery(
            parts.keeper.shipped, settings=parts.copy_settings, economics=parts.economics
        ),
        accounts=Accounts(parts.store, clock=parts.clock),
        guarding=_guard(settings),
    )


def _find_updates(path: Path | None) -> Updates | None:
    """Words about incidents; where their files are wrong, pages say so, and a veto counts."""
    try:
        return load_updates(load_acting_settings(path).updates)
    except ConfigurationError:
        return None


def _guard(settings: Settings) -> Guarding:
    address = urlsplit(settings.console_address)
    hosts = {address.hostname or settings.host, settings.host, *_LOOPBACK}
    return Guarding(
        secret=keep_secret(settings.home),
        hosts=sorted(hosts),
        cookie=f"opportune_console_{settings.port}",
        path=CONSOLE_PATH,
        is_https=address.scheme == "https",
    )
