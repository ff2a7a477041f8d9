"""Starting the service as a process of its own."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from features.errors import ConfigurationError, NotReadyError
from serving.client import ServiceClient
from serving.settings import ApiKey, Scope, Settings

_START_WITHIN_SECONDS = 90.0
_STOP_WITHIN_SECONDS = 20.0
_LOOK_AGAIN_SECONDS = 0.2
_FAILED_TO_START = "Application startup failed"  # the supervisor would try for ever


@dataclass(frozen=True)
class Launch:
    """How the service is started.

    Attributes:
        command: Program and arguments.
        environment: Complete environment of the process.
        development_key: A key made for this start because none is configured; else None.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    development_key: str | None


def prepare_launch(settings: Settings, *, environment: Mapping[str, str]) -> Launch:
    """Command and environment for these settings; telemetry is off in both libraries.

    Where no key is configured, a development key with every scope is made.
    """
    development_key = None
    if not settings.api_keys:
        development_key = secrets.token_urlsafe(24)
        key = ApiKey(key=SecretStr(development_key), scopes=frozenset(Scope))
        settings = settings.model_copy(update={"api_keys": {"development": key}})
    variables = {
        # Several threads in each of several workers only fight over the cores.
        "OMP_NUM_THREADS": "1",
        **environment,
        **settings.to_environment(),
        "BENTOML_DO_NOT_TRACK": "True",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    command = (
        *(sys.executable, "-m", "bentoml", "serve", "serving.service:OpportuneService"),
        *("--host", settings.host, "--port", str(settings.port)),
    )
    return Launch(command, variables, development_key)


def require_free_port(host: str, port: int) -> None:
    """Raise ConfigurationError when somebody listens on the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as fault:
            raise ConfigurationError(
                f"cannot listen on {host}:{port}: {fault.strerror}; choose another with --port"
            ) from None


def find_free_port(host: str) -> int:
    """A port nobody listens on, so that a service that runs already is left alone."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_service(settings: Settings, *, log: Path) -> Iterator[ServiceClient]:
    """The service in a process of its own, ready, stopped at the end; its output goes to `log`.

    Raises:
        NotReadyError: It ended or did not answer in time; the message shows its last words.
    """
    launch = prepare_launch(settings, environment=os.environ)
    key = launch.development_key or _any_key(settings)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and arguments
            launch.command,
            env=dict(launch.environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        with ServiceClient(f"http://{settings.host}:{settings.port}", key=key) as client:
            _wait_until_ready(client, process, log)
            yield client
    finally:
        _stop(process)


def _any_key(settings: Settings) -> str:
    return next(iter(settings.api_keys.values())).key.get_secret_value()


def _wait_until_ready(client: ServiceClient, process: "subprocess.Popen[bytes]", log: Path) -> None:
    give_up_at = time.monotonic() + _START_WITHIN_SECONDS
    while not client.is_ready():
        words = log.read_text(encoding="utf-8", errors="replace")
        has_failed = process.poll() is not None or _FAILED_TO_START in words
        if has_failed or time.monotonic() > give_up_at:
            raise NotReadyError(
                f"the service did not start; its log {log} ends with\n{words[-2000:]}"
            )
        time.sleep(_LOOK_AGAIN_SECONDS)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask the whole process group to end, then make it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
