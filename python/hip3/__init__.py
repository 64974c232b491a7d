"""hip3 trades left-behind liquidity on Hyperliquid's builder-deployed perpetuals."""

from __future__ import annotations

from importlib.metadata import version

__version__ = version("hip3")
