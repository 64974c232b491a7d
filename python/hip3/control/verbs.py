"""The operator's side of control: `hip3 pause`, `resume`, `flatten`, `reload`, `kill`, `unkill`, and the view's keys.

On mainnet each of them wants its word typed; a trader there takes no verb that does not say so.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

import orjson

from hip3.config import Config
from hip3.control.confirm import confirm
from hip3.control.latch import clear_latch, latch_path, read_latch, set_latch
from hip3.control.server import REQUEST_BYTES_MAX, TIMEOUT_S, control_path
from hip3.errors import CheckFailed, UsageError, VenueUnreachable
from hip3.status.publish import check_owner, socket_path


def ask(config: Config, verb: str, coins: list[str], reason: str, sure: bool) -> int:
    """Sends one verb to the running trader and prints what it says. Raises Hip3Error."""
    on_mainnet = _exchange(config, {"verb": "about"})["venue"] == "mainnet"
    if on_mainnet:
        confirm(verb, "this trader is on mainnet", sure)
    answer = _exchange(config, {"verb": verb, "coins": coins, "reason": reason, "confirmed": on_mainnet})
    sys.stdout.write(f"{answer['text']}\n")
    return 0


def act(config: Config, verb: str, coins: list[str], confirmed: bool) -> str:
    """What a key of the view asked for; returns the sentence for the operator. Raises Hip3Error."""
    if verb == "kill":
        set_latch(latch_path(config, os.environ), "a key of the status view")
        return "killed: nothing is signed any more; hip3 unkill lifts it"
    reason = "a key of the status view"
    answer = _exchange(config, {"verb": verb, "coins": coins, "reason": reason, "confirmed": confirmed})
    return str(answer["text"])


def _exchange(config: Config, asked: dict[str, Any]) -> dict[str, Any]:
    """One request and its answer. Raises VenueUnreachable without a trader, CheckFailed for its refusal."""
    path = control_path(socket_path(config, os.environ))
    request = orjson.dumps(asked) + b"\n"
    if len(request) > REQUEST_BYTES_MAX:
        raise UsageError(f"{asked['verb']}: the markets and the reason are too long together")
    try:
        answer: dict[str, Any] = orjson.loads(_spoken(path, request))
    except orjson.JSONDecodeError:
        raise VenueUnreachable(f"what answers at {path} is no trader of this version; update both") from None
    if answer["status"] != "ok":
        raise CheckFailed(f"{asked['verb']}: {answer['text']}")
    return answer


def _spoken(path: Path, request: bytes) -> bytes:
    check_owner(path)
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


def kill(config: Config, reason: str, sure: bool) -> int:
    """Latches: a running trader signs nothing more within milliseconds, and none starts. Raises Hip3Error."""
    path = latch_path(config, os.environ)
    if _is_on_mainnet(config):
        confirm("kill", "a trader on mainnet signs nothing more, and its positions stay", sure)
    set_latch(path, reason)
    sys.stdout.write(f"killed: nothing is signed and nothing starts while {path} is there; hip3 unkill lifts it\n")
    sys.stdout.write("positions and resting orders stay as they are\n")
    return 0


def _is_on_mainnet(config: Config) -> bool:
    """By the running trader's word, else by the configuration: killing needs no trader."""
    try:
        return bool(_exchange(config, {"verb": "about"})["venue"] == "mainnet")
    except (VenueUnreachable, CheckFailed):
        return config.text("venue.name") == "mainnet"


def unkill(config: Config, reason: str, sure: bool) -> int:
    """Lifts the latch after the operator has typed the word, or with `--yes`. Raises Hip3Error."""
    path = latch_path(config, os.environ)
    latch = read_latch(path)
    if latch is None:
        sys.stdout.write("there is no kill latch\n")
        return 0
    confirm("unkill", f"{latch.told()}; traders may start again", sure)
    clear_latch(path, reason)
    sys.stdout.write("the latch is lifted; hip3 run starts again\n")
    return 0
