"""Taker fees by the venue's formula: the one place that knows it, for the client and the simulated venue."""

from __future__ import annotations

from decimal import Decimal

ONE = Decimal(1)
GROWTH_FACTOR = Decimal("0.1")
ALIGNED_FACTOR = Decimal("0.8")


def taker_rate(
    user_rate: Decimal,
    *,
    is_builder_dex: bool,
    deployer_fee_scale: Decimal,
    growth_mode: bool,
    referral_discount: Decimal,
    aligned: bool = False,
) -> Decimal:
    """The taker fee as a fraction of notional (0.0009 is 9 bps), exact.

    `user_rate` is `userCrossRate` of `userFees` (tier and staking applied), `deployer_fee_scale` and
    `growth_mode` stand on the market's universe entry. Source: fees page of the venue's documentation.
    """
    scale = deployer_fee_scale
    factor = ONE
    if is_builder_dex:
        factor = ONE + scale if scale < 1 else 2 * scale
    rate = user_rate * factor * (GROWTH_FACTOR if growth_mode else ONE) * (ONE - referral_discount)
    if aligned:
        share = scale / (ONE + scale) if scale < 1 else Decimal("0.5")
        rate *= (ONE - share) * ALIGNED_FACTOR + share
    return rate


def to_bps(rate: Decimal) -> Decimal:
    """A rate as basis points."""
    return rate * 10_000


def maker_rate(
    user_rate: Decimal,
    *,
    is_builder_dex: bool,
    deployer_fee_scale: Decimal,
    growth_mode: bool,
    referral_discount: Decimal,
    aligned: bool = False,
) -> Decimal:
    """The maker fee as a fraction of notional; a rebate where `user_rate` (`userAddRate`) is negative."""
    growth = GROWTH_FACTOR if growth_mode else ONE
    scale = deployer_fee_scale
    if user_rate <= 0:
        share = scale / (ONE + scale) if scale < 1 else Decimal("0.5")
        return user_rate * growth * ((ONE - share) * Decimal("1.5") + share if aligned else ONE)
    factor = (ONE + scale if scale < 1 else 2 * scale) if is_builder_dex else ONE
    return user_rate * factor * growth * (ONE - referral_discount)
