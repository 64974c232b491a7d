"""A client of the venue without sockets: signs with the official SDK, steps blocks, reads answers and account."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from eth_account import Account
from hyperliquid.utils.signing import sign_l1_action

from hip3.sim.scenario import load
from hip3.sim.venue import Venue

START_MS = 1_795_500_000_000
SILVER = 110026


class Exchange:
    """One venue and one funded account; `send` signs, steps a block and returns the answer."""

    def __init__(self, seed: int = 1, usdc: str = "10000", number: int = 1) -> None:
        self.venue = Venue(load("default"), START_MS, seed)
        self.now_ms = START_MS
        self.wallet = Account.from_key("0x" + f"{number:064x}")
        self.user = self.wallet.address.lower()
        if Decimal(usdc):
            self.venue.fund(self.user, usdc, False)
        self.nonce = START_MS
        self.step()

    def step(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.now_ms += 100
            self.venue.step(self.now_ms)

    def envelope(self, action: dict[str, Any], **changes: Any) -> dict[str, Any]:
        self.nonce += 1
        nonce, expires = changes.get("nonce", self.nonce), changes.get("expiresAfter")
        signature = sign_l1_action(self.wallet, action, changes.get("vaultAddress"), nonce, expires, False)
        return {"action": action, "nonce": nonce, "signature": signature, "vaultAddress": None, **changes}

    def send(self, action: dict[str, Any], **changes: Any) -> dict[str, Any]:
        answers: list[dict[str, Any]] = []
        self.venue.exchange(self.envelope(action, **changes), answers.append)
        self.step()
        (answer,) = answers
        return answer

    def order(self, *rows: dict[str, Any]) -> list[Any]:
        answer = self.send({"type": "order", "orders": list(rows), "grouping": "na"})
        assert answer["status"] == "ok", answer
        found: list[Any] = answer["response"]["data"]["statuses"]
        return found

    def one(self, **terms: Any) -> Any:
        (status,) = self.order(self.row(**terms))
        return status

    def error(self, **terms: Any) -> str:
        found: str = self.one(**terms)["error"]
        return found

    def row(
        self,
        *,
        asset: int = SILVER,
        is_buy: bool = True,
        px: str = "",
        sz: str = "1",
        tif: str = "Ioc",
        reduce_only: bool = False,
        cloid: str | None = None,
    ) -> dict[str, Any]:
        made: dict[str, Any] = {"a": asset, "b": is_buy, "p": px or self.far(asset, is_buy), "s": sz}
        made |= {"r": reduce_only, "t": {"limit": {"tif": tif}}}
        return made if cloid is None else made | {"c": cloid}

    def touch(self, asset: int = SILVER) -> tuple[int, int]:
        """Best bid and ask; the mark for a side that is empty."""
        market = self.venue.engine.markets[asset]
        bid, ask = market.book.touch()
        return bid[0] if bid else market.mark, ask[0] if ask else market.mark

    def far(self, asset: int, is_buy: bool, bps: int = 200) -> str:
        """A legal price that crosses (a buy above the ask) by so many basis points; negative rests."""
        px = self.touch(asset)[is_buy]
        px += px * bps // 10_000 * (1 if is_buy else -1)
        shown = Decimal(f"{px / 10**8:.4g}") if px < 10**12 else Decimal(px // 10**8)
        # Signing over padded decimals would recover another address.
        return format(shown.normalize(), "f")

    def read(self, **body: Any) -> Any:
        return self.venue.info({"user": self.user, **body})

    def position(self, coin: str = "xyz:SILVER") -> str:
        state = self.read(type="clearinghouseState", dex="xyz")
        rows = [row["position"]["szi"] for row in state["assetPositions"] if row["position"]["coin"] == coin]
        return rows[0] if rows else "0.0"
