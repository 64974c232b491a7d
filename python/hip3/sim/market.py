"""One market of the venue: its book, oracle, mark and day figures. Decides no order."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import Any

from hip3.sim.agents import SCALE, floor_to, lot, tick
from hip3.sim.book import Book, Order, Touch
from hip3.sim.rules import OracleRules
from hip3.sim.scenario import Dex, Market
from hip3.sim.tape import Tape
from hip3.sim.wire import notional, text, usd

#: Notional for which impact prices are averaged, in millionths of a dollar.
IMPACT_NOTIONAL = 20_000 * 1_000_000
BPS = 10_000
#: No price goes beyond this many times its value at the start of the day.
DAY_FACTOR_MAX = 10
DAY_MS = 86_400_000
#: The span over which growth of open interest is bounded.
GROWTH_MS = 10_000
#: Builder dexs of today set their funding to half.
FUNDING_MULTIPLIER_BPS = 5_000
#: Funding rates are integers of 10^-10. Interest of 0.01 % and a clamp of 0.05 % for eight hours.
RATE_UNIT = 10**10
INTEREST_8H = RATE_UNIT // 10_000
CLAMP_8H = RATE_UNIT // 2_000
#: The venue's bound of an hourly rate: 4 %.
HOURLY_MAX = RATE_UNIT // 25


def hourly_rate(premium: int, multiplier_bps: int = BPS) -> int:
    """The funding rate of one hour from the mean premium, both in 10^-10; the multiplier in basis points."""
    eight = premium + min(max(INTEREST_8H - premium, -CLAMP_8H), CLAMP_8H)
    return min(max(eight * multiplier_bps // (8 * BPS), -HOURLY_MAX), HOURLY_MAX)


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
        #: Set by an incident: open interest counts as capped whatever it is.
        self.cap_forced = False
        self.oi_cap_usd = market.oi_cap_usd
        self.halted = False
        self.delisted = False
        #: Positions of accounts that are not the venue's own, long side, for open interest.
        self.held = 0
        self.tape = Tape(market.coin)
        self.funding_rate = 125_000
        self._premiums = 0
        self._samples = 0
        self._rules = rules
        self._oracle_ms: int | None = None
        self._day, self._day_oracle = -1, self.oracle
        self._mark_ms = 0
        #: When the present span of growth began, and what was held then.
        self._growth = (0, 0)

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
        if not self.may_speak(now_ms):
            return False
        self._oracle_ms = now_ms
        if now_ms // DAY_MS != self._day:
            self._day, self._day_oracle = now_ms // DAY_MS, self.oracle
        px = min(px, DAY_FACTOR_MAX * self._day_oracle)
        reach = self.oracle * self._rules.move_bps_max // BPS
        self.oracle = min(max(px, self.oracle - reach), self.oracle + reach)
        self._set_mark([self.local_mark(), *mark_inputs], now_ms)
        self._sample_premium()
        return True

    def show(self, oracle: int, mark: int, now_ms: int) -> None:
        """Takes oracle and mark as they are, without the rules of a deployer's call."""
        self.oracle, self.mark = oracle, mark
        self._oracle_ms = self._mark_ms = now_ms
        self._sample_premium()

    def recycle(self, px: int, max_leverage: int, now_ms: int) -> None:
        """Begins again under the same id with other terms, without history."""
        self.spec = replace(self.spec, max_leverage=max_leverage)
        self.mark = self.oracle = self.prev_day = self._on_grid(px)
        self.last_px, self.base_interest, self.day_volume, self.day_base = None, 0, 0, 0
        self.tape = Tape(self.key)
        self.halted = self.delisted = False
        self._premiums = self._samples = self.funding_rate = 0
        self._oracle_ms = self._mark_ms = now_ms
        self._day, self._day_oracle = now_ms // DAY_MS, self.oracle

    def _sample_premium(self) -> None:
        premium = self.premium()
        if premium is not None:
            self._premiums += premium
            self._samples += 1

    def take_premium(self) -> tuple[int, int]:
        """Mean premium since the last call and the hourly rate that follows from it, in 10^-10."""
        premium = self._premiums // self._samples if self._samples else 0
        self._premiums = self._samples = 0
        self.funding_rate = hourly_rate(premium, FUNDING_MULTIPLIER_BPS if self.dex.index else 10_000)
        return premium, self.funding_rate

    def premium(self) -> int | None:
        """How far the impact prices lie beyond the oracle, in 10^-10 of it; None without a two-sided book."""
        bid, ask = self.book.touch()
        if bid is None or ask is None:
            return None
        gap = max(self._impact(True) - self.oracle, 0) - max(self.oracle - self._impact(False), 0)
        return gap * 10**10 // self.oracle

    def may_speak(self, now_ms: int) -> bool:
        """Whether enough time has passed since the last oracle price."""
        return self._oracle_ms is None or now_ms - self._oracle_ms >= self._rules.interval_ms_min

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

    def mid(self) -> int:
        """Middle of the touch, or the mark where the book is not two-sided."""
        bid, ask = self.book.touch()
        return (bid[0] + ask[0]) // 2 if bid is not None and ask is not None else self.mark

    def grows_too_fast(self, worth: int, now_ms: int) -> bool:
        """Whether open interest would grow beyond the market's rate with this much more, in 10^-6 USD."""
        most = self.spec.oi_growth_usd_max * 1_000_000
        if most == 0:
            return False
        worth_now = notional(self.mark, self.held)
        if now_ms - self._growth[0] >= GROWTH_MS:
            self._growth = (now_ms, worth_now)
        return worth_now + worth - self._growth[1] > most

    @property
    def capped(self) -> bool:
        """Whether open interest is at its cap."""
        return self.cap_forced or notional(self.mark, self.open_interest()) >= self.oi_cap_usd * 1_000_000

    def open_interest(self) -> int:
        """Open interest in 10^-8: what was there at the start and what accounts hold."""
        return self.base_interest + self.held

    def context(self) -> dict[str, Any]:
        """The asset context as the wire shows it."""
        bid, ask = self.book.touch()
        premium = self.premium()
        two_sided = bid is not None and ask is not None
        return {
            "funding": text(self.funding_rate, 10),
            "openInterest": text(self.open_interest()),
            "prevDayPx": text(self.prev_day),
            "dayNtlVlm": usd(self.day_volume),
            "premium": None if premium is None else text(premium, 10),
            "oraclePx": text(self.oracle),
            "markPx": text(self.mark),
            "midPx": text(self.mid()) if two_sided else None,
            "impactPxs": [text(self._impact(True)), text(self._impact(False))] if two_sided else None,
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
            "marginTableId": spec.margin_table_id,
        }
        if self.delisted:
            entry["isDelisted"] = True
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
