"""The operator's side of control: `hip3 pause`, `resume`, `flatten`, `reload`, `kill`, `unkill`, and the view's keys.

On mainnet each of them wants its word typed; a trader there takes no verb that does not say so.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import orjson

from hip3.config import Config
from hip3.control.confirm import confirm
from hip3.control.latch import clear_latch, latch_path, read_latch, set_latch
from hip3.control.server import REQUEST_BYTES_MAX, TIMEOUT_S, control_path
from hip3.errors import CheckFailed, Hip3Error, UsageError, VenueUnreachable
from hip3.status.publish import check_owner, socket_path

#: How long a kill waits for a trader's word; the latch is set before it asks.
ABOUT_TIMEOUT_S = 1.0
#: A trader that sees the latch halts well within this.
HALTED_TIMEOUT_S = 2.0
LOOK_S = 0.02


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
    reason = "a key of the status view"
    if verb == "kill":
        return _latched(config, reason)[0]
    answer = _exchange(config, {"verb": verb, "coins": coins, "reason": reason, "confirmed": confirmed})
    return str(answer["text"])


def _exchange(config: Config, asked: dict[str, Any], timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """One request and its answer. Raises VenueUnreachable without a trader, CheckFailed for its refusal."""
    path = control_path(socket_path(config, os.environ))
    until_ms = (time.time_ns() + int(timeout_s * 1e9)) // 1_000_000
    request = orjson.dumps(asked | {"until_ms": until_ms}) + b"\n"
    if len(request) > REQUEST_BYTES_MAX:
        raise UsageError(f"{asked['verb']}: the markets and the reason are too long together")
    try:
        answer: dict[str, Any] = orjson.loads(_spoken(path, request, timeout_s))
        status, text = answer["status"], str(answer["text"])
        if asked["verb"] == "about" and status == "ok":
            answer = {name: str(answer[name]) for name in ("venue", "state", "latch")}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise VenueUnreachable(f"what answers at {path} is no trader of this version; update both") from None
    if status != "ok":
        raise CheckFailed(f"{asked['verb']}: {text}")
    return answer


def _spoken(path: Path, request: bytes, timeout_s: float) -> bytes:
    check_owner(path)
    answer = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout_s)
        try:
            client.connect(str(path))
            client.sendall(request)
            while not answer.endswith(b"\n"):
                part = client.recv(REQUEST_BYTES_MAX)
                if not part:
                    raise VenueUnreachable(f"the trader at {path} ended without an answer; look at it: hip3 status")
                answer += part
        except TimeoutError:
            # It refuses by itself what it reads later than this.
            raise VenueUnreachable(
                f"the trader at {path} gives no answer within {timeout_s:g} s, and does nothing of it later; "
                "is it stopped? hip3 kill needs no answer"
            ) from None
        except OSError as error:
            raise VenueUnreachable(f"no trader at {path} ({error}); start one with `hip3 run`") from None
    return answer


def kill(config: Config, reason: str, sure: bool) -> int:
    """Latches: a running trader signs nothing more within milliseconds, and none starts. Raises Hip3Error."""
    if not sure and _is_on_mainnet(config):
        confirm("kill", "a trader on mainnet signs nothing more, and its positions stay", sure)
    told, where = _latched(config, reason)
    sys.stdout.write(f"{told}\n")
    sys.stdout.write(f"nothing starts while {' or '.join(map(str, where))} is there; hip3 unkill lifts it\n")
    sys.stdout.write("positions and resting orders stay as they are\n")
    return 0


def _latched(config: Config, reason: str) -> tuple[str, list[Path]]:
    """Sets the latch, and that of the running trader where it looks at another; says what is known to be killed."""
    own = latch_path(config, os.environ)
    set_latch(own, reason)
    try:
        trader = _about(config)
    except Hip3Error as error:
        return f"killed: whoever looks at this latch signs nothing any more; no trader confirms it ({error})", [own]
    theirs = Path(trader["latch"])
    if theirs != own:
        set_latch(theirs, reason)
    if not _is_halted(config):
        raise CheckFailed(f"the latch is set at {theirs}, but the trader goes on: stop its process")
    return "killed: the running trader has halted and signs nothing any more", list(dict.fromkeys((own, theirs)))


def _is_halted(config: Config) -> bool:
    """Whether the trader halts, or ends, soon after its latch was set."""
    end_s = time.monotonic() + HALTED_TIMEOUT_S
    while time.monotonic() < end_s:
        try:
            if _about(config)["state"] == "halted":
                return True
        except VenueUnreachable:
            return True
        time.sleep(LOOK_S)
    return False


def _about(config: Config) -> dict[str, Any]:
    """Who is there: `venue`, `state`, and the `latch` that it looks at. Killing does not wait long for it."""
    return _exchange(config, {"verb": "about"}, ABOUT_TIMEOUT_S)


def _is_on_mainnet(config: Config) -> bool:
    """By the running trader's word, else by the configuration: killing needs no trader."""
    try:
        return bool(_about(config)["venue"] == "mainnet")
    except Hip3Error:
        return config.text("venue.name") == "mainnet"


def unkill(config: Config, reason: str, sure: bool) -> int:
    """Lifts the latch after the operator has typed the word, or with `--yes`. Raises Hip3Error."""
    path = latch_path(config, os.environ)
    latch = read_latch(path)
    if latch is None:
        sys.stdout.write(f"there is no kill latch at {path}\n")
        return 0
    confirm("unkill", f"{latch.told()}; traders may start again", sure)
    clear_latch(path, reason)
    sys.stdout.write("the latch is lifted; hip3 run starts again\n")
    return 0
