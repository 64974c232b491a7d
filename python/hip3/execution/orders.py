"""Orders and the states they pass through. Owns no queue, no socket and no decision."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from hip3._hip3 import Entry, FlattenOrder, Position

ZERO = Decimal(0)
#: Size, notional and number of no fills at all.
NO_FILLS = (ZERO, ZERO, 0)
#: Ended orders kept for the status view.
HISTORY_MAX = 500
#: Venue order ids whose fills came before the order was known by that id.
STRAYS_MAX = 1_000
#: Order ids of recently ended orders, so that a late fill or update still finds its order.
ENDED_IDS_MAX = 10_000


class OrderKind(StrEnum):
    """What an order is for: an entry takes left-behind liquidity, a flatten leaves reduce-only."""

    ENTRY = "entry"
    FLATTEN = "flatten"


class OrderState(StrEnum):
    """Where an order is. The members after `SETTLING` are ends."""

    QUEUED = "queued"
    SENT = "sent"
    UNKNOWN = "unknown"
    SETTLING = "settling"
    FILLED = "filled"
    PARTLY_FILLED = "partly_filled"
    REJECTED = "rejected"
    CANCELED = "canceled"
    EXPIRED = "expired"
    PROVEN_ABSENT = "proven_absent"
    NOT_SENT = "not_sent"


ENDS = frozenset(
    {
        OrderState.FILLED,
        OrderState.PARTLY_FILLED,
        OrderState.REJECTED,
        OrderState.CANCELED,
        OrderState.EXPIRED,
        OrderState.PROVEN_ABSENT,
        OrderState.NOT_SENT,
    }
)


@dataclass(slots=True)
class Order:
    """One order of ours, from its decision to its end.

    `px` and `sz` are the exact wire texts. `reported` is the executed size that the venue told
    (None until it told), `applied` the size of the fills that reached the position.
    """

    cloid: str
    kind: OrderKind
    asset: int
    coin: str
    is_buy: bool
    px: str
    sz: str
    sz_decimals: int
    decided_ns: int
    reason: str = ""
    path: str = ""
    #: Edge at the decision, in basis points: of the entry, or of closing at the touch.
    edge_bps: str | None = None
    #: Of a flatten order: the position's edge at its entry (None when it was adopted) and when it was opened.
    entry_edge_bps: str | None = None
    entry_ns: int = 0
    state: OrderState = OrderState.QUEUED
    oid: int | None = None
    post_id: int | None = None
    sent_ns: int = 0
    expires_after_ms: int = 0
    next_check_ns: int = 0
    checks: int = 0
    reported: Decimal | None = None
    applied: Decimal = ZERO
    refusal: str = ""
    ended_ns: int = 0
    #: The end that the venue told, held until the fills it speaks of have been applied.
    pending_end: OrderState | None = None
    fills: int = 0
    notional: Decimal = ZERO

    @property
    def is_over(self) -> bool:
        """Whether the order can no longer change anything at the venue or here."""
        return self.state in ENDS

    def count_fills(self, size: Decimal, notional: Decimal, fills: int) -> None:
        """Adds applied fills."""
        self.applied += size
        self.notional += notional
        self.fills += fills

    @property
    def avg_px(self) -> Decimal | None:
        """Average price of the applied fills; None without any."""
        return self.notional / self.applied if self.applied else None


def entry_order(signal: Entry, sz_decimals: int, now_ns: int) -> Order:
    """The order of an entry that passed every gate."""
    return _decided(OrderKind.ENTRY, signal, sz_decimals, now_ns)


def flatten_order(wanted: FlattenOrder, position: Position | None, sz_decimals: int, now_ns: int) -> Order:
    """The order of an exit, with what is known of the position that it leaves."""
    order = _decided(OrderKind.FLATTEN, wanted, sz_decimals, now_ns)
    order.reason, order.path = wanted.reason, wanted.path
    if position is not None:
        order.entry_edge_bps, order.entry_ns = position.entry_edge_bps, position.entry_ns
    return order


def _decided(kind: OrderKind, decided: Entry | FlattenOrder, sz_decimals: int, now_ns: int) -> Order:
    """What the core decides of every order."""
    return Order(
        cloid=decided.cloid,
        kind=kind,
        asset=decided.asset,
        coin=decided.coin,
        is_buy=decided.is_buy,
        px=decided.px,
        sz=decided.sz,
        sz_decimals=sz_decimals,
        decided_ns=now_ns,
        edge_bps=decided.edge_bps,
    )


@dataclass(slots=True)
class OrderTable:
    """Live orders by client id, with a bounded memory of ended ones."""

    live: dict[str, Order] = field(default_factory=dict)
    history: deque[Order] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    ended: Counter[str] = field(default_factory=Counter)
    _by_oid: dict[int, Order] = field(default_factory=dict)
    _ended_by_cloid: OrderedDict[str, Order] = field(default_factory=OrderedDict)
    _strays: OrderedDict[int, tuple[Decimal, Decimal, int]] = field(default_factory=OrderedDict)

    def add(self, order: Order) -> None:
        """Takes up a new order; its client id must be new."""
        if order.cloid in self.live:
            raise ValueError(f"client order id {order.cloid} is in use")
        self.live[order.cloid] = order

    def find(self, cloid: str | None, oid: int | None) -> Order | None:
        """The live or recently ended order of either id; the client id is asked first."""
        if cloid is not None:
            order = self.live.get(cloid) or self._ended_by_cloid.get(cloid)
            if order is not None:
                return order
        return self._by_oid.get(oid) if oid is not None else None

    def set_oid(self, order: Order, oid: int) -> None:
        """Notes the venue's id of an order, and counts the fills that came under it before."""
        if order.oid != oid:
            order.oid = oid
            self._by_oid[oid] = order
            order.count_fills(*self._strays.pop(oid, NO_FILLS))

    def keep_stray(self, oid: int, size: Decimal, px: Decimal) -> None:
        """Keeps a fill without our client id until an answer tells whose order id it is; bounded."""
        before, notional, fills = self._strays.get(oid, NO_FILLS)
        self._strays[oid] = (before + size, notional + size * px, fills + 1)
        if len(self._strays) > STRAYS_MAX:
            self._strays.popitem(last=False)

    def end(self, order: Order, state: OrderState, now_ns: int) -> None:
        """Moves a live order to its end; counted once."""
        order.state = state
        order.ended_ns = now_ns
        del self.live[order.cloid]
        self.ended[state.value] += 1
        self.history.append(order)
        self._ended_by_cloid[order.cloid] = order
        if len(self._ended_by_cloid) > ENDED_IDS_MAX:
            _, oldest = self._ended_by_cloid.popitem(last=False)
            if oldest.oid is not None:
                self._by_oid.pop(oldest.oid, None)
