"""The embedded simulated venue: `hip3 sim` in a process of its own, on a loopback port of its own.

A pipe ties it to its parent: when the parent ends, in whatever way, the pipe closes and the venue ends.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Any

import orjson

from hip3.errors import CheckFailed, ConfigError, Hip3Error, VenueUnreachable

#: How long the venue may take to say that it is ready.
READY_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
#: Which error of ours stands for an exit status of the venue.
REFUSALS: dict[int, type[Hip3Error]] = {2: ConfigError, 3: VenueUnreachable}


@dataclass(slots=True)
class EmbeddedVenue:
    """A running `hip3 sim`. `ready` is its JSON line (`ws_url`, `http_url`, `dexs`)."""

    process: asyncio.subprocess.Process
    ready: dict[str, Any]

    @classmethod
    async def start(cls, seed: int, scenario: str, funded: dict[str, str]) -> EmbeddedVenue:
        """Starts the venue with `funded` addresses (address to USDC) and waits until it is ready.

        Raises Hip3Error: what the venue itself says of a scenario or an address that it cannot take, or that it is not
        there.
        """
        arguments = ["sim", "--port", "0", "--seed", str(seed), f"--scenario={scenario}", "--parent-pipe"]
        for address, usdc in funded.items():
            arguments += ["--fund", f"{address}={usdc}"]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hip3",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), READY_TIMEOUT_S)
            ready = orjson.loads(line)
        except (TimeoutError, orjson.JSONDecodeError) as error:
            venue = cls(process, {})
            await venue.stop()
            raise VenueUnreachable("the embedded venue did not start; run `hip3 sim` alone to see why") from error
        if "refused" in ready:
            await cls(process, {}).stop()
            raise REFUSALS.get(ready["status"], CheckFailed)(ready["refused"])
        return cls(process, ready)

    async def stop(self) -> None:
        """Closes the pipe and waits for the process; ends it by force after five seconds."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
