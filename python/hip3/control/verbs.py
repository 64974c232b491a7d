"""The commands `hip3 pause`, `resume`, `flatten`, `kill`, `unkill`, as the operator's side of control."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import orjson

from hip3.config import Config
from hip3.control.latch import clear_latch, latch_path, read_latch, set_latch
from hip3.control.server import REQUEST_BYTES_MAX, TIMEOUT_S, control_path
from hip3.errors import CheckFailed, UsageError, VenueUnreachable
from hip3.status.publish import socket_path


def ask(config: Config, verb: str, coins: list[str], reason: str) -> int:
    """Sends one verb to the running trader and prints what it says. Raises Hip3Error."""
    path = control_path(socket_path(config, os.environ))
    request = orjson.dumps({"verb": verb, "coins": coins, "reason": reason}) + b"\n"
    if len(request) > REQUEST_BYTES_MAX:
        raise UsageError(f"{verb}: the markets and the reason are too long together")
    answer = orjson.loads(_exchange(path, request))
    if answer["status"] != "ok":
        raise CheckFailed(f"{verb}: {answer['text']}")
    sys.stdout.write(f"{answer['text']}\n")
    return 0


def _exchange(path: Path, request: bytes) -> bytes:
    answer = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(TIMEOUT_S)
        try:
            client.connect(str(path))
            client.sendall(request)
            while not answer.endswith(b"\n"):
                part = client.recv(REQUEST_BYTES_MAX)
                if not part:
                    raise VenueUnreachable(f"the trader at {path} ended without an answer; look at it: hip3 status")
                answer += part
        except OSError as error:
            raise VenueUnreachable(f"no trader at {path} ({error}); start one with `hip3 run`") from None
    return answer


def kill(config: Config, reason: str) -> int:
    """Latches: a running trader signs nothing more within milliseconds, and none starts. Raises Hip3Error."""
    path = latch_path(config, os.environ)
    set_latch(path, reason)
    sys.stdout.write(f"killed: nothing is signed and nothing starts while {path} is there; hip3 unkill lifts it\n")
    sys.stdout.write("positions and resting orders stay as they are\n")
    return 0


def unkill(config: Config, reason: str, sure: bool) -> int:
    """Lifts the latch after the operator has typed the word, or with `--yes`. Raises Hip3Error."""
    path = latch_path(config, os.environ)
    latch = read_latch(path)
    if latch is None:
        sys.stdout.write("there is no kill latch\n")
        return 0
    if not sure:
        if not sys.stdin.isatty():
            raise UsageError("unkill asks for a word on a terminal; without one it needs --yes")
        sys.stdout.write(f"{latch.told()}\ntype unkill to let traders start again: ")
        sys.stdout.flush()
        if sys.stdin.readline().strip() != "unkill":
            raise CheckFailed("the latch stays")
    clear_latch(path, reason)
    sys.stdout.write("the latch is lifted; hip3 run starts again\n")
    return 0
