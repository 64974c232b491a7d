"""Typed reads of `/info`: the few requests that a start and a final account read need."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import orjson

from hip3.errors import VenueRefused, VenueUnreachable
from hip3.venue.http import HttpClient

#: Tries of one read, and the pause between them: a limit of the venue holds for a minute at most.
TRIES_MAX = 4
PAUSE_S = 0.5


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Around the reading of an answer: VenueRefused where it has another shape than this version knows."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise VenueRefused(f"{what} of the venue cannot be read: {type(error).__name__}: {error}") from error


class Info:
    """Reads over HTTP. Raises VenueUnreachable without an answer and VenueRefused for a refusal."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def ask(self, **request: Any) -> Any:
        """The decoded answer to one request; a busy venue (429, 5xx) is asked again a few times."""
        body = orjson.dumps(request)
        problem = ""
        for attempt in range(TRIES_MAX):
            if attempt:
                await asyncio.sleep(PAUSE_S * 2 ** (attempt - 1))
            try:
                status, answer = await self._http.post("/info", body)
            except (OSError, TimeoutError) as error:
                problem = f"{type(error).__name__}: {error}".rstrip(": ")
                continue
            if status == 200:
                try:
                    return orjson.loads(answer)
                except orjson.JSONDecodeError as error:
                    raise VenueRefused(f"info {request['type']}: the answer is no JSON ({error})") from error
            problem = f"HTTP {status}"
            if status not in (429, 500, 502, 503, 504):
                text = answer[:200].decode(errors="replace")
                raise VenueRefused(f"info {request['type']}: HTTP {status}: {text}")
        if problem == "HTTP 429":
            problem = "too many requests came from this machine's address (HTTP 429); wait a minute"
        raise VenueUnreachable(f"the venue does not answer info {request['type']}: {problem}")

    async def perp_dexs(self) -> list[dict[str, Any] | None]:
        """Dexs by index; the first is None, the main dex."""
        answer: list[dict[str, Any] | None] = await self.ask(type="perpDexs")
        return answer

    async def all_perp_metas(self) -> list[dict[str, Any]]:
        """The meta of every dex, in dex order."""
        answer: list[dict[str, Any]] = await self.ask(type="allPerpMetas")
        return answer

    async def spot_token_names(self) -> dict[int, str]:
        """Names of spot tokens by index: what collateral is called."""
        meta = await self.ask(type="spotMeta")
        with understood("spotMeta"):
            return {token["index"]: token["name"] for token in meta["tokens"]}

    async def clearinghouse_state(self, user: str, dex: str) -> dict[str, Any]:
        """The account's state on one dex."""
        answer: dict[str, Any] = await self.ask(type="clearinghouseState", user=user, dex=dex)
        return answer

    async def user_rate_limit(self, user: str) -> tuple[int, int]:
        """Requests that the account has used, and how many it may."""
        answer = await self.ask(type="userRateLimit", user=user)
        with understood("userRateLimit"):
            return int(answer["nRequestsUsed"]), int(answer["nRequestsCap"])

    async def user_fees(self, user: str) -> tuple[Decimal, Decimal]:
        """The taker rate with tier and staking applied, and the referral discount, as fractions."""
        answer = await self.ask(type="userFees", user=user)
        with understood("userFees"):
            return Decimal(answer["userCrossRate"]), Decimal(answer["activeReferralDiscount"])
