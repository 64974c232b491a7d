"""Money between accounts, dexs and spot; agents, sub-accounts, builders. Signed by the official SDK."""

from __future__ import annotations

from typing import Any

import pytest

from .exchange import CROSS, START_MS, Exchange, refused, still

OTHER = "0x" + "ab" * 20
DAY_MS = 86_400_000


@pytest.fixture
def client() -> Exchange:
    return Exchange(scenario=still())


def ok(answer: dict[str, Any]) -> None:
    assert answer["status"] == "ok", answer


def worth(client: Exchange, dex: str, user: str | None = None) -> str:
    state = client.read(type="clearinghouseState", dex=dex, **({"user": user} if user else {}))
    value: str = state["marginSummary"]["accountValue"]
    return value


def spot(client: Exchange, user: str | None = None) -> dict[str, str]:
    state = client.read(type="spotClearinghouseState", **({"user": user} if user else {}))
    return {row["coin"]: row["total"] for row in state["balances"]}


def send(client: Exchange, source: str, target: str, amount: str, to: str = "", **more: Any) -> dict[str, Any]:
    fields = {"destination": to or client.user, "sourceDex": source, "destinationDex": target, "amount": amount}
    return client.send_signed("sendAsset", **fields, **{"token": "USDC", "fromSubAccount": "", **more})


def test_money_moves_and_every_step_is_told(client: Exchange) -> None:
    ok(client.send_signed("usdSend", destination=OTHER, amount="100.5"))
    assert (worth(client, ""), worth(client, "", OTHER)) == ("9899.5", "100.5")
    ok(client.send_signed("usdClassTransfer", amount="50", toPerp=False))
    assert (worth(client, ""), spot(client)) == ("9849.5", {"USDC": "50.0"})
    ok(client.send_signed("usdClassTransfer", amount="20", toPerp=True))
    ok(client.send_signed("spotSend", destination=OTHER, token="USDC:0x6d1e7cde53ba9467b783cb7c530ce054", amount="10"))
    assert (spot(client), spot(client, OTHER)) == ({"USDC": "20.0"}, {"USDC": "10.0"})
    ok(send(client, "", "abc", "1000"))
    ok(send(client, "abc", "spot", "500"))
    assert (worth(client, ""), worth(client, "abc")) == ("8869.5", "10500.0")
    ok(client.send_signed("withdraw3", destination=OTHER, amount="100"))
    assert worth(client, "") == "8769.5"
    kinds = [row["delta"]["type"] for row in client.read(type="userNonFundingLedgerUpdates", startTime=0)]
    moved = ["accountClassTransfer"] * 2 + ["spotTransfer", "send", "send", "withdraw"]
    assert kinds == ["deposit", "deposit", "internalTransfer", *moved]


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        ({"amount": "0"}, "Send amount cannot be zero"),
        ({"amount": "1000000"}, "Insufficient balance for token transfer"),
        ({"target": "nope"}, "Invalid perp DEX"),
        ({"token": "GOLD"}, "Unknown token GOLD"),
    ],
)
def test_transfers_are_refused_for_their_reason(client: Exchange, terms: dict[str, str], text: str) -> None:
    full = {"source": "", "target": "abc", "amount": "1", **terms}
    assert refused(send(client, **full)) == text


def test_money_that_backs_a_position_stays(client: Exchange) -> None:
    client.one(asset=CROSS, sz="500")
    free = client.read(type="clearinghouseState", dex="abc")["withdrawable"]
    assert "Insufficient" in refused(send(client, "abc", "", "9000"))
    ok(send(client, "abc", "", f"{float(free) - 0.01:.2f}"))


def test_a_user_signed_action_needs_its_nonce_its_chain_and_money(client: Exchange) -> None:
    poor = Exchange(number=9, usdc="0", beside=client)
    told = refused(poor.send_signed("usdSend", destination=OTHER, amount="1"))
    assert told == f"Must deposit before performing actions. User: {poor.user}"
    answers: list[Any] = []
    action = {"type": "usdSend", "destination": OTHER, "amount": "1", "time": START_MS + 5}
    from hyperliquid.utils.signing import sign_usd_transfer_action

    signature = sign_usd_transfer_action(client.wallet, action, False)
    client.venue.exchange({"action": action, "nonce": START_MS + 6, "signature": signature}, answers.append)
    client.venue.network = "mainnet"
    client.venue.exchange({"action": action, "nonce": START_MS + 5, "signature": signature}, answers.append)
    client.venue.network = "any"
    client.step()
    assert refused(answers[0]) == "Nonce mismatch."


def test_the_other_network_is_refused_where_one_is_set(client: Exchange) -> None:
    client.venue.network = "mainnet"
    assert refused(client.send_signed("usdSend", destination=OTHER, amount="1")) == (
        "Mainnet and testnet require different signature."
    )
    assert "does not exist" in refused(client.send({"type": "noop"}))
    client.venue.network = "testnet"
    ok(client.send({"type": "noop"}))


def agent_of(client: Exchange, number: int, name: str = "") -> tuple[Exchange, dict[str, Any]]:
    agent = Exchange(number=number, usdc="0", beside=client)
    return agent, client.send_signed("approveAgent", agentAddress=agent.user, agentName=name)


def test_an_agent_trades_for_its_master_until_it_is_removed(client: Exchange) -> None:
    agent, answer = agent_of(client, 20, "bot1")
    ok(answer)
    assert client.read(type="userRole", user=agent.user) == {"role": "agent", "data": {"user": client.user}}
    (row,) = client.read(type="extraAgents")
    assert (row["name"], row["address"]) == ("bot1", agent.user)
    assert row["validUntil"] == pytest.approx(client.now_ms + 90 * DAY_MS, abs=1000)
    assert "filled" in agent.one(asset=CROSS, sz="1")
    assert client.position("abc:CROSS") == "1.0"
    # An agent cannot sign for money.
    assert refused(agent.send_signed("usdSend", destination=OTHER, amount="1")).startswith("Must deposit")
    assert refused(agent_of(client, 20, "bot2")[1]) == "Extra agent already used."
    ok(client.send_signed("approveAgent", agentAddress="0x" + "0" * 40, agentName="bot1"))
    assert refused(agent.send({"type": "noop"})) == f"User or API Wallet {agent.user} does not exist."


def test_agents_are_four_and_expire(client: Exchange) -> None:
    for number, name in enumerate(("", "a", "b", f"c valid_until {START_MS + 5000}")):
        ok(agent_of(client, 30 + number, name)[1])
    assert refused(agent_of(client, 40, "d")[1]).startswith("Too many extra agents for cumulative volume traded.")
    late = Exchange(number=33, usdc="0", beside=client)
    ok(late.send({"type": "noop"}))
    late.step(60)
    assert "does not exist" in refused(late.send({"type": "noop"}))
    far = f"e valid_until {START_MS + 400 * DAY_MS}"
    assert refused(agent_of(client, 41, far)[1]) == "Invalid agent expiration"


def test_a_sub_account_is_traded_for_by_its_address(client: Exchange) -> None:
    made = client.send({"type": "createSubAccount", "name": "second"})["response"]
    user = made["data"]
    ok(client.send({"type": "subAccountTransfer", "subAccountUser": user, "isDeposit": True, "usd": 500_000_000}))
    assert worth(client, "", user) == "500.0"
    assert client.read(type="userRole", user=user) == {"role": "subAccount", "data": {"master": client.user}}
    (row,) = client.read(type="subAccounts")
    assert (row["name"], row["subAccountUser"]) == ("second", user)
    answer = client.send(
        {"type": "order", "orders": [client.row(asset=0, sz="0.001")], "grouping": "na"}, vaultAddress=user
    )
    assert "filled" in answer["response"]["data"]["statuses"][0]
    assert client.read(type="clearinghouseState", user=user)["assetPositions"] != []
    assert client.read(type="clearinghouseState")["assetPositions"] == []


def test_a_builder_takes_what_was_approved(client: Exchange) -> None:
    def order() -> Any:
        builder = {"b": OTHER, "f": 10}
        rows = [client.row(asset=CROSS, sz="10")]
        answer = client.send({"type": "order", "orders": rows, "grouping": "na", "builder": builder})
        return answer["response"]["data"]["statuses"][0]

    assert order() == {"error": f"Builder fee has not been approved asset={CROSS}"}
    ok(client.send_signed("approveBuilderFee", maxFeeRate="0.01%", builder=OTHER))
    assert client.read(type="maxBuilderFee", builder=OTHER) == 10
    assert "filled" in order()
    fees = [float(fill["builderFee"]) for fill in client.read(type="userFills")]
    # One basis point of ten contracts at a hundred dollars.
    assert sum(fees) == pytest.approx(0.1, rel=0.01)


def test_a_unified_account_has_one_balance_for_all_dexs(client: Exchange) -> None:
    ok(client.send_signed("userSetAbstraction", user=client.user, abstraction="unifiedAccount"))
    assert client.read(type="userAbstraction") == "unifiedAccount"
    assert spot(client) == {"USDC": "20000.0"}
    assert "filled" in client.one(asset=CROSS, sz="10")
    assert refused(send(client, "", "abc", "1")) == "Action disabled when unified account is active"
    told = refused(client.send_signed("usdClassTransfer", amount="1", toPerp=True))
    assert told == "Action disabled when unified account is active"
    told = refused(client.send({"type": "agentSetAbstraction", "abstraction": "i"}))
    assert told == "Cannot change abstraction with open positions or orders."
    client.one(asset=CROSS, sz="10", is_buy=False, reduce_only=True)
    ok(client.send({"type": "agentSetAbstraction", "abstraction": "i"}))
    assert client.read(type="userAbstraction") == "default"
