"""The venue's fee formula, against a copy in exact fractions and against figures worked by hand."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.venue.discovery import Market
from hip3.venue.fees import maker_rate, taker_rate, to_bps

TIER_0 = Decimal("0.00045")
TIER_0_ADD = Decimal("0.00015")
NONE = Decimal(0)


def market(*, dex_index: int = 1, growth_mode: bool = False, scale: str = "1.0") -> Market:
    return Market(110_026, dex_index, "xyz", "xyz:SILVER", 2, 25, growth_mode, Decimal(scale), "cross", False)


@pytest.mark.parametrize(
    ("traded", "rate", "discount", "bps"),
    [
        (market(), "0.00045", "0", "9"),
        (market(growth_mode=True), "0.00045", "0", "0.9"),
        (market(dex_index=0), "0.00045", "0", "4.5"),
        (market(dex_index=0, scale="3.0"), "0.00045", "0", "4.5"),
        (market(scale="0"), "0.00045", "0", "4.5"),
        (market(scale="0.5"), "0.00045", "0", "6.75"),
        (market(scale="0.9999"), "0.00045", "0", "8.999550"),
        (market(scale="1.5"), "0.00045", "0", "13.5"),
        (market(scale="3"), "0.00045", "0", "27"),
        (market(scale="9.9", growth_mode=True), "0.00045", "0", "8.91"),
        (market(), "0.00045", "0.04", "8.64"),
        (market(growth_mode=True), "0.00024", "0.04", "0.4608"),
    ],
)
def test_taker_fees_worked_by_hand(traded: Market, rate: str, discount: str, bps: str) -> None:
    assert traded.taker_fee_bps(Decimal(rate), Decimal(discount)) == Decimal(bps)


@pytest.mark.parametrize(
    ("rate", "scale", "growth", "aligned", "bps"),
    [
        (TIER_0_ADD, "1", False, False, "3"),
        (TIER_0_ADD, "1", True, False, "0.3"),
        (TIER_0_ADD, "0.5", False, False, "2.25"),
        (TIER_0_ADD, "2", False, False, "6"),
        (Decimal("-0.00003"), "1", False, False, "-0.3"),
        (Decimal("-0.00003"), "1", True, False, "-0.03"),
        (Decimal("-0.00003"), "1", False, True, "-0.375"),
        (NONE, "1", False, False, "0"),
    ],
)
def test_maker_fees_and_rebates_worked_by_hand(
    rate: Decimal, scale: str, growth: bool, aligned: bool, bps: str
) -> None:
    fee = maker_rate(
        rate,
        is_builder_dex=True,
        deployer_fee_scale=Decimal(scale),
        growth_mode=growth,
        referral_discount=NONE,
        aligned=aligned,
    )
    assert to_bps(fee) == Decimal(bps)


def formula(rate: Fraction, builder: bool, s: Fraction, growth: bool, referral: Fraction, aligned: bool) -> Fraction:
    """Section 9 of the exchange's protocol page, written down a second time."""
    k = (1 + s if s < 1 else 2 * s) if builder else Fraction(1)
    g = Fraction(1, 10) if growth else Fraction(1)
    share = s / (1 + s) if s < 1 else Fraction(1, 2)
    return rate * k * g * (1 - referral) * ((1 - share) * Fraction(4, 5) + share if aligned else 1)


HUNDREDTHS = st.decimals(0, 10, places=2)


@given(
    st.decimals("0.00001", "0.001", places=5),
    st.booleans(),
    HUNDREDTHS,
    st.booleans(),
    st.decimals(0, "0.5", places=2),
    st.booleans(),
)
def test_taker_fees_follow_the_formula_of_the_protocol_page(
    rate: Decimal, builder: bool, scale: Decimal, growth: bool, referral: Decimal, aligned: bool
) -> None:
    fee = taker_rate(
        rate,
        is_builder_dex=builder,
        deployer_fee_scale=scale,
        growth_mode=growth,
        referral_discount=referral,
        aligned=aligned,
    )
    right = formula(Fraction(rate), builder, Fraction(scale), growth, Fraction(referral), aligned)
    if aligned:  # the share may have no end as a decimal
        assert abs(Fraction(fee) - right) <= right / 10**24
    else:
        assert Fraction(fee) == right


@given(HUNDREDTHS, HUNDREDTHS)
def test_a_larger_scale_never_costs_less_also_over_the_seam_at_one(one: Decimal, other: Decimal) -> None:
    low, high = sorted((one, other))
    fees = [market(scale=str(scale)).taker_fee_bps(TIER_0, NONE) for scale in (low, high)]
    assert fees[0] <= fees[1]
    assert fees[0] >= Decimal("4.5")
