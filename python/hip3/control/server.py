"""The control socket of a running trader: its verbs, and `about`. One JSON request, one JSON answer.

A request says until when it may be done (`until_ms`): one that a hung trader reads later has been given up.

A socket of its own beside that for status, which stays read-only. Mode 0600; the user comes from the kernel. No
verb raises a limit, opens a position or lifts the kill latch.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, Protocol

import orjson

from hip3.control.latch import REASON_MAX, note
from hip3.errors import ConfigError
from hip3.status.publish import identity, is_welcome, open_socket, peer_uid, remove_socket
from hip3.users import name_of

REQUEST_BYTES_MAX = 4096
TIMEOUT_S = 5.0
#: The deadline of a request that names none.
NEVER_MS = 2**63
#: Requests at once; a further one is not heard.
CLIENTS_MAX = 8
VERBS = ("pause", "resume", "flatten", "reload")


class Controlled(Protocol):
    """What the verbs act on. Each returns the sentence that is told to the operator."""

    @property
    def venue(self) -> str:
        """Name of the venue: on mainnet every verb has to be confirmed."""
        ...

    @property
    def state(self) -> str:
        """The trading state in a word."""
        ...

    def pause(self) -> str:
        """No new entries; positions and exits go on."""
        ...

    def resume(self) -> str:
        """Entries again."""
        ...

    def flatten(self, coins: list[str]) -> str:
        """Leaves the positions of these coins; of all where none is named. Raises ValueError."""
        ...

    async def reload(self) -> str:
        """Takes over what tightens in the configuration, read anew. Raises ValueError."""
        ...


def control_path(status: Path) -> Path:
    """The control socket beside the status socket."""
    return status.with_name(f"{status.stem}.control")


class ControlServer:
    """Serves the verbs until cancelled. A socket that cannot be had is a `problem`, never the end of a run."""

    def __init__(self, trader: Controlled, path: Path, latch: Path) -> None:
        self.path = path
        self.problem = ""
        self._clients = 0
        self._trader = trader
        self._latch = latch

    async def run(self) -> None:
        """Serves until cancelled."""
        try:
            bound = open_socket(self.path)
        except (OSError, ConfigError) as error:
            self.problem = f"no control socket: {error}"
            await asyncio.Event().wait()
            return
        name = identity(self.path)
        server = await asyncio.start_unix_server(self._serve, sock=bound, limit=REQUEST_BYTES_MAX)
        try:
            await server.serve_forever()
        finally:
            server.close()
            remove_socket(self.path, name)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("socket")
        if self._clients >= CLIENTS_MAX or not is_welcome(peer):
            writer.close()
            return
        self._clients += 1
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._answer(await reader.readline(), name_of(peer_uid(peer)))
                writer.write(orjson.dumps(answer) + b"\n")
                await writer.drain()
        except (TimeoutError, ValueError, ConnectionError):
            # Too long, too late or gone: there is nobody to answer.
            return
        finally:
            self._clients -= 1
            writer.close()

    async def _answer(self, line: bytes, user: str) -> dict[str, Any]:
        try:
            asked = orjson.loads(line)
            verb, coins, reason = asked["verb"], asked.get("coins", []), str(asked.get("reason", ""))[:REASON_MAX]
            if verb == "about":
                return self._about()
            if verb not in VERBS or not all(isinstance(coin, str) for coin in coins):
                raise ValueError(f"{verb!r} is not a verb of this trader")
            if time.time_ns() // 1_000_000 > asked.get("until_ms", NEVER_MS):
                raise ValueError("it came too late and was not done")
            if self._trader.venue == "mainnet" and asked.get("confirmed") is not True:
                raise ValueError("on mainnet it needs the word typed, or --yes")
            told = await self._do(verb, coins)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return {"status": "err", "text": "not a request of control"}
        except ValueError as error:
            return {"status": "err", "text": str(error)}
        # The disk may take its time, and the loop has frames to take.
        problem = await asyncio.to_thread(note, self._latch, verb, user, reason, told)
        return {"status": "ok", "text": told + problem}

    def _about(self) -> dict[str, Any]:
        """Who is there, by which latch it can be killed, and whether it was."""
        return {
            "status": "ok",
            "text": "",
            "venue": self._trader.venue,
            "state": self._trader.state,
            "latch": str(self._latch),
        }

    async def _do(self, verb: str, coins: list[str]) -> str:
        match verb:
            case "flatten":
                return self._trader.flatten(coins)
            case "reload":
                return await self._trader.reload()
            case _:
                return self._trader.pause() if verb == "pause" else self._trader.resume()
