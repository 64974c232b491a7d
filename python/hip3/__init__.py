"""hip3 trades left-behind liquidity on Hyperliquid's builder-deployed perpetuals."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

__version__ = version("hip3")
_COMMIT = Path(__file__).with_name("commit.txt")
#: The commit that a wheel was built from; empty for a checkout, whose commit is in git.
__commit__ = _COMMIT.read_text(encoding="ascii").strip() if _COMMIT.exists() else ""
