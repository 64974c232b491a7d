"""A desk on a bench: everything that it hands out is read back and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from hip3._hip3 import Signer
from hip3.execution.batch import BatchLimits
from hip3.execution.desk import DeskSettings, OrderDesk
from hip3.execution.orders import Order, OrderKind, OrderState
from hip3.execution.outbound import Outbound, Route

KEY = b"0x0123456789012345678901234567890123456789012345678901234567890123"
USER = "0x14791697260e4c9a71f18484c9f997b308e59325"
MS = 1_000_000
T0 = 1_790_000_000_000 * MS
SILVER = 110_026
GOLD = 110_003


@dataclass
class ToldFill:
    """A fill as the core tells it."""

    cloid: str | None
    oid: int
    sz: str
    px: str = "90"
    applied: bool = True


@dataclass
class ToldUpdate:
    """An order update as the core tells it."""

    cloid: str | None
    status: str
    sz: str
    orig_sz: str
    oid: int


@dataclass
class Sent:
    """One message that left the desk, and its request as the venue reads it."""

    message: Outbound
    request: dict[str, Any]

    @property
    def id(self) -> int:
        return self.message.post_id

    @property
    def cloids(self) -> list[str]:
        return [order["c"] for order in self.request.get("action", {}).get("orders", [])]


class Reader:
    """Takes messages out and counts them; fails when an order or a nonce leaves twice."""

    def __init__(self, take: Callable[[], Outbound | None]) -> None:
        self.all: list[Sent] = []
        self.orders_sent: Counter[str] = Counter()
        self._take = take
        self._last_nonce = 0
        self._ids: set[int] = set()

    def __call__(self) -> list[Sent]:
        new = []
        while (message := self._take()) is not None:
            sent = Sent(message, orjson.loads(message.body))
            self._check(sent)
            new.append(sent)
        self.all += new
        return new

    def _check(self, sent: Sent) -> None:
        kind = "action" if sent.message.route is Route.EXCHANGE else "info"
        post = {"method": "post", "id": sent.id, "request": {"type": kind, "payload": sent.request}}
        assert orjson.loads(sent.message.post) == post
        assert sent.id not in self._ids, "a post id was used twice"
        self._ids.add(sent.id)
        if kind == "info":
            return
        assert sent.request["nonce"] > self._last_nonce
        self._last_nonce = sent.request["nonce"]
        assert sent.request["expiresAfter"] * MS == sent.message.expires_ns
        self.orders_sent.update(sent.cloids)
        assert max(self.orders_sent.values(), default=1) == 1, "an order left twice"


class DeskBench:
    """A desk with a clock; the venue's time equals it."""

    def __init__(self, batch: BatchLimits | None = None, **settings: int) -> None:
        self.now_ns = T0
        self.ended: list[Order] = []
        self.refusals: list[str] = []
        terms = DeskSettings(user=USER, batch=batch or BatchLimits(), **settings)
        self.desk = OrderDesk(Signer(bytearray(KEY), False), terms, self._on_end, self._on_refusal)
        outbox = self.desk.posts.outbox
        self.read = Reader(lambda: outbox.popleft() if outbox else None)
        self.orders = 0

    def _on_end(self, order: Order, now_ns: int) -> None:
        assert now_ns == self.now_ns
        assert order.is_over
        assert order not in self.ended, "an order ended twice"
        self.ended.append(order)

    def _on_refusal(self, order: Order, text: str, now_ns: int) -> None:
        self.refusals.append(text)

    @property
    def ends(self) -> list[OrderState]:
        return [order.state for order in self.ended]

    @property
    def now_ms(self) -> int:
        return self.now_ns // MS

    def make(self, kind: OrderKind = OrderKind.FLATTEN, sz: str = "2", asset: int = SILVER, px: str = "90") -> Order:
        self.orders += 1
        cloid, is_buy = f"0x{self.orders:032x}", kind is OrderKind.ENTRY
        return Order(cloid, kind, asset, "xyz:SILVER", is_buy, px, sz, 2, self.now_ns)

    def submit(self, kind: OrderKind = OrderKind.FLATTEN, sz: str = "2", asset: int = SILVER, px: str = "90") -> Order:
        order = self.make(kind, sz, asset, px)
        self.desk.submit(order, self.now_ns)
        return order

    def flush(self) -> list[Sent]:
        self.desk.flush(self.now_ns, self.now_ns)
        return self.read()

    def send(self, kind: OrderKind = OrderKind.FLATTEN, sz: str = "2") -> tuple[Order, int]:
        """One order that left, and the id of its post."""
        order = self.submit(kind, sz)
        if kind is OrderKind.ENTRY:
            self.now_ns += 20 * MS
        (sent,) = self.flush()
        assert sent.cloids == [order.cloid]
        return order, sent.id

    def answer(self, post_id: int, *statuses: object) -> None:
        body = {"status": "ok", "response": {"type": "order", "data": {"statuses": list(statuses)}}}
        self.desk.on_answer(post_id, orjson.dumps(body), self.now_ns)

    def answer_filled(self, post_id: int, sz: str, oid: int = 7) -> None:
        self.answer(post_id, {"filled": {"totalSz": sz, "avgPx": "90", "oid": oid}})

    def fill(self, order: Order, sz: str, *, applied: bool = True, cloid: bool = True, oid: int = 7) -> None:
        self.desk.on_fill(ToldFill(order.cloid if cloid else None, oid, sz, applied=applied), self.now_ns)  # type: ignore[arg-type]

    def update(self, order: Order, status: str, left: str = "0", oid: int = 7) -> None:
        self.desk.on_update(ToldUpdate(order.cloid, status, left, order.sz, oid), self.now_ns)  # type: ignore[arg-type]

    def wait(self, ms: int, venue_lag_ms: int = 0) -> list[Sent]:
        """Lets time pass and returns what is asked for then."""
        self.now_ns += ms * MS
        self.desk.check(self.now_ns, self.now_ms - venue_lag_ms)
        return self.read()

    def status(self, sent: Sent, data: object) -> None:
        """The reply to a question about an order."""
        post = self.desk.posts.take(sent.id)
        assert post is not None
        assert post.kind == "status"
        self.desk.on_status(post, data, self.now_ns)

    def status_word(self, sent: Sent, order: Order, word: str, left: str = "0", oid: int = 7) -> None:
        """The reply with a record of the order."""
        row = {"oid": oid, "sz": left, "origSz": order.sz, "cloid": order.cloid}
        self.status(sent, {"status": "order", "order": {"order": row, "status": word, "statusTimestamp": 1}})

    def status_unknown(self, sent: Sent) -> None:
        """The reply of a venue that does not know the order."""
        self.status(sent, {"status": "unknownOid"})

    def fills_read(self, sent: Sent) -> None:
        """All fills up to now have been told."""
        post = self.desk.posts.take(sent.id)
        assert post is not None
        assert post.kind == "fills"
        self.desk.on_fills_read(post, self.now_ns)
