"""One market of the venue: its book, oracle, mark and day figures. Decides no order."""

from __future__ import annotations

from statistics import median
from typing import Any

from hip3.sim.agents import SCALE, floor_to, lot, tick
from hip3.sim.book import Book, Order, Touch
from hip3.sim.scenario import Dex, Market, OracleRules
from hip3.sim.wire import notional, text, usd

#: Notional for which impact prices are averaged, in millionths of a dollar.
IMPACT_NOTIONAL = 20_000 * 1_000_000
BPS = 10_000


class LiveMarket:
    """The moving part of one market."""

    def __init__(self, market: Market, dex: Dex, rules: OracleRules) -> None:
        self.spec = market
        self.dex = dex
        self.book = Book()
        self.oracle = int(market.px * SCALE)
        self.mark = self._on_grid(self.oracle)
        self.prev_day = int((market.prev_day_px or market.px) * SCALE)
        self.last_px: int | None = None
        step = lot(market.sz_decimals)
        self.base_interest = floor_to(market.open_interest_usd * SCALE * SCALE // self.oracle, step)
        self.day_volume = market.day_volume_usd * 1_000_000
        self.day_base = floor_to(market.day_volume_usd * SCALE * SCALE // self.oracle, step)
        self.sent_touch: Touch | None = None
        self.dirty = True
        self.capped = False
        self._rules = rules
        self._oracle_ms: int | None = None
        self._mark_ms = 0

    @property
    def key(self) -> str:
        """The venue's full name of the market."""
        return self.spec.coin

    def _on_grid(self, px: int) -> int:
        step = tick(px, self.spec.sz_decimals)
        return (px + step // 2) // step * step

    # ------------------------------------------------------------- oracle

    def set_oracle(self, px: int, mark_inputs: list[int], now_ms: int) -> bool:
        """Takes an oracle price, at most one per `interval_ms_min` and moving at most `move_bps_max`."""
        if self._oracle_ms is not None and now_ms - self._oracle_ms < self._rules.interval_ms_min:
            return False
        self._oracle_ms = now_ms
        reach = self.oracle * self._rules.move_bps_max // BPS
        self.oracle = min(max(px, self.oracle - reach), self.oracle + reach)
        self._set_mark([self.local_mark(), *mark_inputs], now_ms)
        return True

    def local_mark(self) -> int:
        """Median of best bid, best ask and last trade, of those there are; else the mark as it is."""
        inputs = [self.book.best_px(True), self.book.best_px(False), self.last_px]
        known = [px for px in inputs if px is not None]
        return int(median(known)) if known else self.mark

    def fall_back(self, now_ms: int) -> None:
        """Without an oracle update for ten seconds the mark follows the book."""
        if now_ms - max(self._mark_ms, self._oracle_ms or 0) >= self._rules.fallback_ms:
            self._set_mark([self.local_mark()], now_ms)

    def _set_mark(self, inputs: list[int], now_ms: int) -> None:
        self._mark_ms = now_ms
        wanted = int(median(inputs))
        reach = self.mark * self._rules.move_bps_max // BPS
        self.mark = self._on_grid(min(max(wanted, self.mark - reach), self.mark + reach))

    # ------------------------------------------------------------- trades

    def on_trade(self, px: int, sz: int) -> None:
        """Counts a trade."""
        self.last_px = px
        self.day_volume += notional(px, sz)
        self.day_base += sz

    def rest(self, order: Order) -> None:
        """Puts an order on the book."""
        self.book.add(order)
        self.dirty = True

    def unrest(self, order: Order) -> None:
        """Takes an order off the book."""
        self.book.remove(order)
        self.dirty = True

    # --------------------------------------------------------------- wire

    def context(self, open_interest: int) -> dict[str, Any]:
        """The asset context as the wire shows it."""
        bid, ask = self.book.touch()
        premium = mid = impact = None
        if bid is not None and ask is not None:
            middle = (bid[0] + ask[0]) // 2
            mid = text(middle)
            impact_bid, impact_ask = self._impact(True), self._impact(False)
            impact = [text(impact_bid), text(impact_ask)]
            gap = max(impact_bid - self.oracle, 0) - max(self.oracle - impact_ask, 0)
            premium = text(gap * 10**10 // self.oracle, 10)
        return {
            "funding": "0.0000125",
            "openInterest": text(self.base_interest + open_interest),
            "prevDayPx": text(self.prev_day),
            "dayNtlVlm": usd(self.day_volume),
            "premium": premium,
            "oraclePx": text(self.oracle),
            "markPx": text(self.mark),
            "midPx": mid,
            "impactPxs": impact,
            "dayBaseVlm": text(self.day_base),
        }

    def _impact(self, is_buy: bool) -> int:
        """Average price over the impact notional on one side, or over what there is of it."""
        worth = size = 0
        for px, sz, _ in self.book.depth(is_buy, 20):
            left = IMPACT_NOTIONAL - worth
            worth += min(notional(px, sz), left)
            size += min(sz, left * 10_000_000_000 // px)
            if worth >= IMPACT_NOTIONAL:
                break
        px = worth * 10_000_000_000 // size if size else 0
        step: int = 10 ** (1 + self.spec.sz_decimals)
        return px // step * step

    def universe_entry(self) -> dict[str, Any]:
        """The market's entry in its dex's meta; optional keys are absent, not null."""
        spec = self.spec
        entry: dict[str, Any] = {
            "szDecimals": spec.sz_decimals,
            "name": spec.coin,
            "maxLeverage": spec.max_leverage,
            "marginTableId": spec.max_leverage,
        }
        if self.dex.index == 0:
            return entry
        if spec.only_isolated:
            entry |= {"onlyIsolated": True, "marginMode": spec.margin_mode}
        if spec.growth_mode:
            entry["growthMode"] = "enabled"
        entry["lastFeeScaleChangeTime"] = "2025-12-27T14:46:13.933247634"
        entry["deployerFeeScale"] = _scale(spec.fee_scale)
        return entry


def _scale(value: Any) -> str:
    shown = format(value.normalize(), "f")
    return shown if "." in shown else shown + ".0"
