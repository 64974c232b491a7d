"""Matching: price before time, partial fills, fees by the formula of the page, nothing made or lost."""

from __future__ import annotations

import random
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hip3.sim.book import Book, Order, lot_problem, tick_problem

from .exchange import SILVER, Exchange

UNIT = 10**8


def resting(oid: int, is_buy: bool, px: int, sz: int = UNIT) -> Order:
    return Order(oid, "0x1", 1, "X", is_buy, px, sz, sz, "Gtc", False, None, 0)


def test_the_best_price_comes_first_and_within_it_the_oldest() -> None:
    book = Book()
    for oid, px in ((1, 101), (2, 100), (3, 100), (4, 102)):
        book.add(resting(oid, False, px * UNIT))
    taken = []
    while (order := book.crossing(True, 101 * UNIT)) is not None:
        taken.append(order.oid)
        book.remove(order)
    assert taken == [2, 3, 1]
    assert book.touch() == (None, (102 * UNIT, UNIT, 1))


@given(st.lists(st.tuples(st.booleans(), st.integers(90, 110), st.integers(1, 5)), max_size=60))
def test_a_book_that_matches_before_it_rests_is_never_crossed(orders: list[tuple[bool, int, int]]) -> None:
    book, placed, traded = Book(), 0, 0
    for oid, (is_buy, px, sz) in enumerate(orders):
        order = resting(oid, is_buy, px * UNIT, sz)
        placed += sz
        while order.sz and (other := book.crossing(is_buy, order.px)) is not None:
            size = min(order.sz, other.sz)
            order.sz -= size
            other.sz -= size
            traded += 2 * size
            if other.sz == 0:
                book.remove(other)
        if order.sz:
            book.add(order)
        bid, ask = book.touch()
        assert bid is None or ask is None or bid[0] < ask[0]
    assert placed == traded + sum(order.sz for order in book.orders())


@pytest.mark.parametrize(
    ("px", "sz_decimals", "legal"),
    [
        ("1234.5", 0, True),
        ("1234.56", 0, False),
        ("0.001234", 0, True),
        ("0.0012345", 0, False),
        ("0.01234", 1, True),
        ("0.012345", 1, False),
        ("123456", 5, True),
        ("12345.6", 5, False),
    ],
)
def test_ticks_follow_the_examples_of_the_page(px: str, sz_decimals: int, legal: bool) -> None:
    assert (tick_problem(int(Decimal(px) * UNIT), sz_decimals) is None) == legal


def test_lots_have_the_markets_decimals() -> None:
    assert lot_problem(UNIT // 100, 2) is None
    assert lot_problem(UNIT // 1000, 2) == "Order has invalid size."
    assert lot_problem(0, 2) == "Order has zero size."


def test_fees_are_those_of_the_page_truncated_at_six_decimals() -> None:
    client = Exchange()
    for asset, rate in ((SILVER, "0.00009"), (0, "0.00045")):
        client.one(asset=asset, sz="1.37" if asset else "0.00371")
        fill = client.read(type="userFills")[0]
        exact = Decimal(fill["px"]) * Decimal(fill["sz"]) * Decimal(rate)
        assert Decimal(fill["fee"]) == exact.quantize(Decimal("0.000001"), ROUND_DOWN)
        assert fill["feeToken"] == "USDC"
        assert fill["crossed"] is True


def test_takers_come_after_post_only_orders_and_cancels_of_the_same_block() -> None:
    client = Exchange()
    low = client.far(SILVER, True, -300)
    oid = client.one(px=low, tif="Gtc")["resting"]["oid"]
    order: list[str] = []

    def queue(name: str, action: dict[str, Any]) -> None:
        client.venue.exchange(client.envelope(action), lambda _: order.append(name))

    rows = {tif: client.row(px=low if tif == "Alo" else "", tif=tif) for tif in ("Ioc", "Alo")}
    queue("taker", {"type": "order", "orders": [rows["Ioc"]], "grouping": "na"})
    queue("cancel", {"type": "cancel", "cancels": [{"a": SILVER, "o": oid}]})
    queue("post only", {"type": "order", "orders": [rows["Alo"]], "grouping": "na"})
    client.step()
    assert order == ["post only", "cancel", "taker"]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32))
def test_nothing_is_made_or_lost_over_random_actions(seed: int) -> None:
    rng = random.Random(seed)
    client = Exchange(seed=seed % 5)
    assets = [SILVER, 0, 110001]
    for _ in range(40):
        asset = rng.choice(assets)
        is_buy = rng.random() < 0.5
        tif = rng.choice(["Ioc", "Ioc", "Gtc", "Alo"])
        bps = rng.choice([-300, -20, 50, 300])
        sz = "0.003" if asset == 0 else rng.choice(["0.5", "1", "7"])
        terms: dict[str, Any] = {"asset": asset, "is_buy": is_buy, "tif": tif, "sz": sz}
        client.one(**terms, px=client.far(asset, is_buy, bps), reduce_only=rng.random() < 0.3)
        client.step(rng.randrange(3))
        assert client.venue.conservation() == {"money": 0, "unbalanced_markets": 0}
    state = client.read(type="clearinghouseState", dex="xyz")
    marks = {m.key: m.mark for m in client.venue.engine.markets.values()}
    worth = sum(
        Decimal(row["position"]["szi"]) * marks[row["position"]["coin"]] / UNIT for row in state["assetPositions"]
    )
    told = Decimal(state["marginSummary"]["accountValue"])
    assert abs(told - Decimal(state["marginSummary"]["totalRawUsd"]) - worth) < Decimal("0.00001")
