"""The official Python SDK trades on the venue; nothing of it is changed but the address."""

from __future__ import annotations

import time
from typing import Any

import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info

pytestmark = pytest.mark.filterwarnings("default")
COIN = "xyz:SILVER"
#: Everything the SDK can subscribe to that our venue has, and how many frames a short session must bring.
MARKET_CHANNELS: list[dict[str, Any]] = [
    {"type": "allMids"},
    {"type": "bbo", "coin": COIN},
    {"type": "l2Book", "coin": COIN},
    {"type": "trades", "coin": COIN},
    {"type": "candle", "coin": COIN, "interval": "1m"},
    {"type": "activeAssetCtx", "coin": COIN},
]
USER_CHANNELS = ["userEvents", "orderUpdates", "userFills", "userFundings", "userNonFundingLedgerUpdates"]


def statuses(answer: Any) -> Any:
    assert answer["status"] == "ok", answer
    return answer["response"]["data"]["statuses"]


def wait_for(got: dict[str, list[Any]], kinds: set[str]) -> None:
    end = time.monotonic() + 15
    while kinds - got.keys() and time.monotonic() < end:
        time.sleep(0.05)
    assert not kinds - got.keys(), f"no frames of {sorted(kinds - got.keys())}"


def test_a_session_from_metas_to_a_closed_position(url: str, wallet: Any) -> None:
    info = Info(url, perp_dexs=["", "xyz"])
    exchange = Exchange(wallet, url, perp_dexs=["", "xyz"])
    try:
        assert info.name_to_asset(COIN) == 110026
        got: dict[str, list[Any]] = {}
        channels = MARKET_CHANNELS + [{"type": kind, "user": wallet.address} for kind in USER_CHANNELS]
        channels.append({"type": "activeAssetData", "user": wallet.address, "coin": "BTC"})
        for channel in channels:
            kind = channel["type"]
            info.subscribe(channel, lambda frame, kind=kind: got.setdefault(kind, []).append(frame))

        assert exchange.update_leverage(5, COIN, is_cross=True)["status"] == "ok"
        (opened,) = statuses(exchange.market_open(COIN, True, 2))
        assert opened["filled"]["totalSz"] == "2.0"
        (rested,) = statuses(exchange.order(COIN, True, 1, 80.0, {"limit": {"tif": "Gtc"}}))
        (amended,) = statuses(
            exchange.modify_order(rested["resting"]["oid"], COIN, True, 2, 81.0, {"limit": {"tif": "Alo"}})
        )
        (row,) = info.open_orders(wallet.address, "xyz")
        assert (row["oid"], row["limitPx"], row["sz"]) == (amended["resting"]["oid"], "81.0", "2.0")
        assert info.query_order_by_oid(wallet.address, row["oid"])["order"]["status"] == "open"
        assert statuses(exchange.cancel(COIN, row["oid"])) == ["success"]
        stop = {"trigger": {"triggerPx": 70.0, "isMarket": True, "tpsl": "sl"}}
        assert statuses(exchange.order(COIN, False, 2, 65.0, stop, reduce_only=True)) == ["waitingForTrigger"]
        (held,) = info.user_state(wallet.address, "xyz")["assetPositions"]
        assert (held["position"]["coin"], held["position"]["szi"]) == (COIN, "2.0")

        (closed,) = statuses(exchange.market_close(COIN))
        assert closed["filled"]["totalSz"] == "2.0"
        assert info.user_state(wallet.address, "xyz")["assetPositions"] == []
        # The stop went with the position.
        assert info.frontend_open_orders(wallet.address, "xyz") == []
        fills = info.user_fills(wallet.address)
        assert {fill["dir"] for fill in fills} == {"Open Long", "Close Long"}
        wait_for(got, {channel["type"] for channel in channels})
    finally:
        info.disconnect_websocket()
        info.ws_manager.join(5)


def test_money_agents_and_every_read_of_an_account(url: str, wallet: Any) -> None:
    info = Info(url, skip_ws=True)
    exchange = Exchange(wallet, url, perp_dexs=["", "xyz"])
    for answer in (
        exchange.usd_transfer(10, "0x" + "ab" * 20),
        exchange.usd_class_transfer(100, to_perp=False),
        exchange.spot_transfer(5, "0x" + "ab" * 20, "USDC"),
        exchange.send_asset(wallet.address, "", "xyz", "USDC", 20),
        exchange.set_referrer("ABC"),
        exchange.create_sub_account("second"),
    ):
        assert answer["status"] == "ok", answer
    answer, key = exchange.approve_agent("bot")
    assert answer["status"] == "ok"
    agent = Exchange(Account.from_key(key), url, account_address=wallet.address, perp_dexs=["", "xyz"])
    assert "filled" in statuses(agent.market_open("BTC", True, 0.01))[0]
    for read in (
        info.user_state,
        info.spot_user_state,
        info.open_orders,
        info.frontend_open_orders,
        info.user_fills,
        info.user_fees,
        info.user_role,
        info.user_rate_limit,
        info.portfolio,
        info.historical_orders,
        info.extra_agents,
        info.query_sub_accounts,
        info.query_referral_state,
        info.user_staking_summary,
        info.user_staking_delegations,
        info.user_staking_rewards,
        info.delegator_history,
        info.user_vault_equities,
        info.user_twap_slice_fills,
        info.query_user_abstraction_state,
    ):
        assert read(wallet.address) is not None, read.__name__
    assert info.user_role(agent.wallet.address)["role"] == "agent"
    assert info.user_funding_history(wallet.address, 0) == []
    assert next(row["delta"]["type"] for row in info.user_non_funding_ledger_updates(wallet.address, 0)) == "deposit"
    assert info.candles_snapshot("BTC", "1m", 0, int(time.time() * 1000)) != []
    assert info.funding_history("BTC", 0) == []
    assert len(info.meta_and_asset_ctxs()[1]) == 2
    assert info.spot_meta_and_asset_ctxs()[0]["tokens"][0]["name"] == "USDC"
