"""A trader on a bench: hand-made frames in, everything that it sends read back and counted."""

from __future__ import annotations

from typing import Any

import orjson

from hip3._hip3 import Signer
from hip3.config import load
from hip3.execution.batch import BatchLimits
from hip3.execution.desk import DeskSettings
from hip3.execution.session import SessionStart

from .desk_bench import GOLD, KEY, MS, SILVER, T0, USER, Reader, Sent


def market(asset: int, coin: str) -> dict[str, Any]:
    """What the core is told of a market."""
    return {
        "asset": asset,
        "dex_index": 1,
        "dex": "xyz",
        "coin": coin,
        "sz_decimals": 2,
        "taker_fee_bps": "0.9",
        "entry_threshold_bps": "40",
        "max_notional_usd": "1000",
        "entry_enabled": True,
    }


class TraderBench:
    """A trader with a real core and key on hand-made frames."""

    def __init__(
        self, *overrides: str, sends_orders: bool = True, batch: BatchLimits | None = None, **desk: int
    ) -> None:
        config = load(None, list(overrides), {"XDG_CONFIG_HOME": "/nonexistent"})
        self.start = SessionStart(
            engine_settings=config.core_settings(),
            markets=[market(SILVER, "xyz:SILVER"), market(GOLD, "xyz:GOLD")],
            session=7,
            desk=DeskSettings(user=USER, batch=batch or BatchLimits(), **desk),
            dexs=("xyz",),
            sends_orders=sends_orders,
        )
        self.now_ns = T0
        #: The venue's clock is this far behind ours.
        self.venue_lag_ms = 0
        self.inputs: list[tuple[int, bytes]] = []
        record = lambda now_ns, line: self.inputs.append((now_ns, line))  # noqa: E731
        self.trader = self.start.build(Signer(bytearray(KEY), False), record)
        self.read = Reader(self.trader.take_outbound)
        self.tid = 0

    @property
    def venue_ms(self) -> int:
        return self.now_ns // MS - self.venue_lag_ms

    def frame(self, channel: str, data: Any) -> list[Sent]:
        """One frame comes in; returns what it made the trader send."""
        self.trader.on_frame(orjson.dumps({"channel": channel, "data": data}), self.now_ns)
        return self.read()

    def wait(self, ms: int) -> list[Sent]:
        """Time passes in the trader's own deadlines; returns what was sent at them."""
        until_ns = self.now_ns + ms * MS
        sent: list[Sent] = []
        for _ in range(10_000):
            due_ns = max(self.trader.next_timer_ns(), self.now_ns)
            if due_ns > until_ns:
                self.now_ns = until_ns
                return sent
            self.now_ns = due_ns
            self.trader.on_timer(due_ns)
            sent += self.read()
        raise AssertionError("the timer does not advance")

    def sweep(self) -> list[Sent]:
        self.trader.sweep(self.now_ns)
        return self.read()

    def bbo(self, bid: str, ask: str, coin: str = "xyz:SILVER") -> list[Sent]:
        levels = [{"px": px, "sz": "500", "n": 3} for px in (bid, ask)]
        return self.frame("bbo", {"coin": coin, "time": self.venue_ms, "bbo": levels})

    def ctx(self, oracle: str, coin: str = "xyz:SILVER") -> list[Sent]:
        body = dict.fromkeys(("funding", "prevDayPx", "dayNtlVlm", "dayBaseVlm"), "1.0")
        prices = {"oraclePx": oracle, "markPx": "100.0", "midPx": None, "impactPxs": None, "premium": None}
        return self.frame("activeAssetCtx", {"coin": coin, "ctx": {**body, **prices, "openInterest": "100000.0"}})

    def account(self, dex: str = "xyz") -> list[Sent]:
        figures = {"accountValue": "900.5", "totalNtlPos": "0.0", "totalRawUsd": "900.5", "totalMarginUsed": "0.0"}
        state = {"marginSummary": figures, "withdrawable": "900.5", "assetPositions": [], "time": self.venue_ms}
        return self.frame("clearinghouseState", {"dex": dex, "user": USER, "clearinghouseState": state})

    def begin(self) -> None:
        """Link up, account read, its fills read: trading."""
        self.trader.on_link(True, self.now_ns)
        (fills,) = self.read()
        self.reply(fills, [])
        self.account()

    def signal(self, coin: str = "xyz:SILVER") -> None:
        """A market whose ask stays 45 bps under the oracle: an entry is decided within."""
        self.bbo("99.9", "100", coin)
        self.ctx("100.45", coin)

    def enter(self, coin: str = "xyz:SILVER") -> Sent:
        """The entry order of a dislocation, as it left."""
        self.signal(coin)
        (sent,) = self.wait(20)
        return sent

    def hold(self) -> str:
        """A long position from an entry that was filled; returns its size."""
        sent = self.enter()
        order = sent.request["action"]["orders"][0]
        self.fill(sent, order["s"], "100")
        self.answer(sent, {"filled": {"totalSz": order["s"], "avgPx": "100", "oid": 5}})
        return str(order["s"])

    def leave(self) -> Sent:
        """The flatten order once the book has come back to the oracle, from whichever path is on."""
        self.wait(1500)
        (sent,) = self.bbo("100.44", "100.5") + self.sweep()
        return sent

    def fill(self, sent: Sent, sz: str, px: str, tid: int | None = None) -> list[Sent]:
        return self.frame("userFills", {"user": USER, "fills": [self.fill_row(sent, sz, px, tid)]})

    def fill_row(self, sent: Sent, sz: str, px: str, tid: int | None = None) -> dict[str, Any]:
        order = sent.request["action"]["orders"][0]
        self.tid += 1
        return {
            "coin": "xyz:SILVER" if order["a"] == SILVER else "xyz:GOLD",
            "px": px,
            "sz": sz,
            "side": "B" if order["b"] else "A",
            "time": self.venue_ms,
            "startPosition": "0.0",
            "dir": "Open Long" if order["b"] else "Close Long",
            "closedPnl": "0.0",
            "hash": "0x0",
            "oid": 5,
            "crossed": True,
            "fee": "0.01",
            "tid": tid or self.tid,
            "cloid": order["c"],
            "feeToken": "USDC",
        }

    def answer(self, sent: Sent, *statuses: object) -> list[Sent]:
        response = {"type": "order", "data": {"statuses": list(statuses)}}
        return self.post(sent, "action", {"status": "ok", "response": response})

    def refuse(self, sent: Sent, text: str) -> list[Sent]:
        """The whole action is refused."""
        return self.post(sent, "action", {"status": "err", "response": text})

    def reply(self, sent: Sent, data: object) -> list[Sent]:
        return self.post(sent, "info", {"type": sent.request["type"], "data": data})

    def post(self, sent: Sent, kind: str, payload: object) -> list[Sent]:
        return self.frame("post", {"id": sent.id, "response": {"type": kind, "payload": payload}})

    def counter(self, name: str) -> int:
        return self.trader.engine.counters()[name]

    def notices(self, event: str) -> list[dict[str, Any]]:
        return [notice.fields for notice in self.trader.take_notices() if notice.event == event]
