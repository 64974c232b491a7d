"""What a run starts from, and how a trader is built from it: the first line of every recording.

Live runs and replays build their trader here, from the same plain data, so that both are one machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from hip3._hip3 import Engine, Signer
from hip3.errors import ConfigError
from hip3.execution.batch import BatchLimits
from hip3.execution.desk import DeskSettings
from hip3.execution.trader import Recorder, Trader, TraderSettings

#: Raised with every change that makes older recordings mean something else.
FORMAT = 1


@dataclass(frozen=True, slots=True)
class SessionStart:
    """Everything that decides besides the inputs: settings, markets and the session's number.

    `engine_settings` and `markets` are the JSON that the core takes; `session` (64 bits, drawn at random
    by the shell) makes client order ids unique across starts.
    """

    engine_settings: dict[str, Any]
    markets: list[dict[str, Any]]
    session: int
    desk: DeskSettings
    dexs: tuple[str, ...]
    sends_orders: bool

    def to_line(self) -> bytes:
        """The start as a control line of a recording."""
        data = {"kind": "start", "format": FORMAT, **asdict(self), "session": f"{self.session:016x}"}
        return orjson.dumps({"channel": "hip3", "data": data})

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> SessionStart:
        """Reads the data of a control line; raises ConfigError for another format."""
        if data.get("format") != FORMAT:
            raise ConfigError(f"this recording has format {data.get('format')}; this version replays format {FORMAT}")
        try:
            desk = dict(data["desk"])
            limits = BatchLimits(**desk.pop("batch"))
            return cls(
                engine_settings=data["engine_settings"],
                markets=data["markets"],
                session=int(data["session"], 16),
                desk=DeskSettings(batch=limits, **desk),
                dexs=tuple(data["dexs"]),
                sends_orders=data["sends_orders"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"the recording's start line is damaged: {error}") from error

    def build(
        self, signer: Signer, recorder: Recorder | None = None, stopwatch: Callable[[], int] | None = None
    ) -> Trader:
        """A trader at its beginning."""
        engine = Engine(orjson.dumps(self.engine_settings), self.session)
        engine.set_markets(orjson.dumps(self.markets))
        settings = TraderSettings(
            desk=self.desk,
            dexs=frozenset(self.dexs),
            sz_decimals={m["asset"]: m["sz_decimals"] for m in self.markets},
            sends_orders=self.sends_orders,
        )
        return Trader(engine, signer, settings, recorder, stopwatch)
