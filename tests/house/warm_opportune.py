"""The command line, started once and forked for every command: a page's commands need not each
wait seconds for the imports of MLflow, LightGBM and DuckDB.

    python warm_opportune.py listen SOCKET           waits, with everything imported
    python warm_opportune.py call SOCKET ARGUMENTS   stands for `opportune ARGUMENTS`: own process,
                                                     folder, environment, streams and exit status
"""

import json
import os
import socket
import sys
import traceback
from importlib import import_module
from pathlib import Path

_N_LENGTH = 8
_STREAMS = (0, 1, 2)


def listen(path: str) -> None:
    """Answer every call with a fork of this process; ends when its own input does."""
    for name in ("data", "features", "models", "decisions", "online", "serve", "copy"):
        import_module(f"serving.cli.{name}")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _answer(connection)
            connection.close()
            while _reap():
                pass


def _reap() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _answer(connection: socket.socket) -> None:
    """Be the command that is called for; never returns."""
    data, streams, _, _ = socket.recv_fds(connection, _N_LENGTH, len(_STREAMS))
    with connection.makefile("rb") as rest:
        call = json.loads(rest.read(int(data)))
    for stream, number in zip(streams, _STREAMS, strict=True):
        os.dup2(stream, number)
    os.chdir(call["folder"])
    os.environ.clear()
    os.environ.update(call["environment"])
    sys.argv = ["opportune", *call["arguments"]]
    status = 1
    try:
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(f"{status:3d}".encode())
        os._exit(0)


def call(path: str, arguments: list[str]) -> int:
    """Have the listener run a command; its exit status."""
    asked = {"folder": str(Path.cwd()), "environment": dict(os.environ), "arguments": arguments}
    body = json.dumps(asked).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [f"{len(body):{_N_LENGTH}d}".encode()], list(_STREAMS))
        connection.sendall(body)
        answer = connection.recv(3)
    return int(answer) if answer else 1


if __name__ == "__main__":
    role, where, *rest = sys.argv[1:]
    if role == "listen":
        from serving.cli.main import main

        listen(where)
    sys.exit(call(where, rest))
