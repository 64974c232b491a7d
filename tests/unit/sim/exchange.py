"""A client of the venue without sockets: signs with the official SDK, steps blocks, reads answers and account."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from eth_account import Account
from hyperliquid.utils import signing
from hyperliquid.utils.signing import sign_l1_action

from hip3.sim.agents import Agent
from hip3.sim.journal import Journal
from hip3.sim.scenario import Scenario, load, parse
from hip3.sim.venue import Venue

START_MS = 1_795_500_000_000
SILVER = 110026
#: A builder dex whose prices stand still until its deployer moves them: one market of each margin mode.
STILL = """
name = "still"
description = "prices move only when they are told to"
{tail}

[makers]
lag_ms_min = 0
lag_ms_max = 0
flicker_per_block = 0
levels = 2

[[tokens]]
index = 0
name = "USDC"

[[dexs]]
name = ""
full_name = "Main"

[[dexs.markets]]
coin = "BTC"
px = "50000"
sz_decimals = 5
max_leverage = 40
margin_mode = "normal"
margin_table = 56
margin_tiers = "100000:20,1000000:10"
step_bps = 0

[[dexs]]
name = "abc"
full_name = "Test"
deployer = "0x1111111111111111111111111111111111111111"

[[dexs.markets]]
coin = "CROSS"
px = "100"
sz_decimals = 2
max_leverage = 20
margin_mode = "normal"
step_bps = 0
touch_usd = 20000

[[dexs.markets]]
coin = "ISO"
px = "100"
sz_decimals = 2
max_leverage = 10
margin_mode = "noCross"
step_bps = 0
touch_usd = 20000

[[dexs.markets]]
coin = "STRICT"
px = "100"
sz_decimals = 2
max_leverage = 10
margin_mode = "strictIsolated"
step_bps = 0
touch_usd = 20000
"""
CROSS, ISO, STRICT = 110000, 110001, 110002
SIGNERS = {
    "usdSend": (signing.sign_usd_transfer_action, "time"),
    "spotSend": (signing.sign_spot_transfer_action, "time"),
    "withdraw3": (signing.sign_withdraw_from_bridge_action, "time"),
    "usdClassTransfer": (signing.sign_usd_class_transfer_action, "nonce"),
    "sendAsset": (signing.sign_send_asset_action, "nonce"),
    "approveAgent": (signing.sign_agent, "nonce"),
    "approveBuilderFee": (signing.sign_approve_builder_fee, "nonce"),
    "userSetAbstraction": (signing.sign_user_set_abstraction_action, "nonce"),
}


def still(tail: str = "") -> Scenario:
    """The quiet scenario, with more lines at its head."""
    return parse(STILL.format(tail=tail), "still")


def refused(answer: dict[str, Any]) -> str:
    """The text with which a whole action was refused."""
    assert answer["status"] == "err", answer
    text: str = answer["response"]
    return text


class Exchange:
    """One venue and one funded account; `send` signs, steps a block and returns the answer."""

    def __init__(
        self,
        seed: int = 1,
        usdc: str = "10000",
        number: int = 1,
        scenario: Scenario | None = None,
        beside: Exchange | None = None,
        journal: Journal | None = None,
        agents: list[Agent] | None = None,
    ) -> None:
        write = None if journal is None else journal.write
        world = scenario or load("default")
        self.venue = beside.venue if beside else Venue(world, START_MS, seed, write, agents)
        self.now_ms = START_MS
        self.wallet = Account.from_key("0x" + f"{number:064x}")
        self.user = self.wallet.address.lower()
        if Decimal(usdc):
            self.venue.fund(self.user, usdc, False)
        self.nonce = START_MS
        self.step()

    def step(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.now_ms = self.venue.now_ms + 100
            self.venue.step(self.now_ms)
            assert self.venue.conservation() == {"money": 0, "unbalanced_markets": 0}

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

    def send_signed(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Signs a user-signed action with the official SDK and sends it."""
        sign, nonce = SIGNERS[kind]
        self.nonce += 1
        action = {"type": kind, **fields, nonce: self.nonce}
        signature = sign(self.wallet, action, False)
        answers: list[dict[str, Any]] = []
        body = {"action": action, "nonce": self.nonce, "signature": signature, "vaultAddress": None}
        self.venue.exchange(body, answers.append)
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

    def subscribe(self, connection: int, **subscription: Any) -> None:
        self.venue.on_message(connection, json.dumps({"method": "subscribe", "subscription": subscription}))

    def move(self, asset: int, px: int, blocks: int = 30) -> None:
        """The oracle of a market goes to `px` (10^-8) as fast as its clamp lets it; makers follow."""
        market = self.venue.engine.markets[asset]
        self.venue.engine.scripted.add(market.dex.index)
        for _ in range(500):
            if market.oracle == px:
                break
            self.venue.inside.set_oracle(market.dex.index, {market.key: px}, ({market.key: px}, {market.key: px}))
            self.step(26)
        self.step(blocks)

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

    def held(self, coin: str = "xyz:SILVER") -> dict[str, Any] | None:
        """The position in a market, as the account shows it."""
        dex = coin.partition(":")[0] if ":" in coin else ""
        state = self.read(type="clearinghouseState", dex=dex)
        rows = [row["position"] for row in state["assetPositions"] if row["position"]["coin"] == coin]
        return rows[0] if rows else None

    def position(self, coin: str = "xyz:SILVER") -> str:
        held = self.held(coin)
        return "0.0" if held is None else held["szi"]
