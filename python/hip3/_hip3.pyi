"""Trading core of hip3: market state, edges, entries, exits, positions, signing. No I/O, no clock.

Numbers that matter are exact decimal texts ("248.15"), times are integers: names ending in `_ns` are
nanoseconds since the epoch on the caller's steady clock, names ending in `_ms` milliseconds, on the
venue's clock where a class describes something the venue said. Basis points are of the oracle price.
Floats only show. Every class may be used from several threads. An integer outside the range of a
parameter (a negative time, an asset id above 2^32 - 1) raises OverflowError.
"""

from collections.abc import Sequence
from os import PathLike
from typing import Self, TypeAlias, final

__all__ = [
    "EXIT_REASONS",
    "AccountState",
    "Ack",
    "Claim",
    "CoreError",
    "EdgePeriod",
    "EdgeRow",
    "Engine",
    "Entry",
    "Event",
    "Fill",
    "FlattenOrder",
    "LatencyHistogram",
    "Malformed",
    "OrderUpdate",
    "Position",
    "PostReply",
    "Resync",
    "SignedAction",
    "Signer",
    "Snapshot",
    "UnknownFrame",
    "VenueError",
    "address_of",
    "keystore_address",
    "lock_key",
    "recover_l1",
    "recover_user",
    "relock_key",
]

EXIT_REASONS: tuple[str, ...]
"""Every reason for which a position is left, in order of precedence."""

class CoreError(Exception):
    """A bug of this program, or configuration that it cannot run with. Nothing the venue says raises this."""

@final
class Engine:
    """Market state, edges, entries, exits and positions behind one door for frames.

    A deterministic function of its inputs in their order. Methods that take `now_ns` never read a clock.
    """

    def __new__(cls, settings: bytes, session: int) -> Self:
        """Takes the settings (JSON with the objects `entry`, `exit`, `edges`, and `blackouts`: a list of lists of
        `[start_ns, end_ns]`, sorted and disjoint; unknown keys are errors) and
        a session number (64 bits, random for each start), which makes client order ids unique.

        CoreError: the settings cannot be read, or contradict each other.
        """

    def set_markets(self, markets: bytes) -> None:
        """Adds markets and updates the specs of known ones: a JSON list of objects with `asset`, `dex_index`,
        `dex`, `coin`, `sz_decimals`, `taker_fee_bps`, `entry_threshold_bps`, `max_notional_usd`,
        `entry_enabled`, and `blackout`: None, or the place of the market's blackout in the settings.

        CoreError: the list cannot be read, or a spec is out of range.
        """

    def reconfigure(self, settings: bytes, markets: bytes) -> None:
        """Puts other entry settings, blackouts and market specs in place at one moment, or changes nothing.

        `settings` and `markets` are as for the constructor and `set_markets`; those of exits and edges are not
        looked at. CoreError: they cannot be read or contradict themselves.
        """

    def on_frame(self, frame: bytes, recv_ns: int) -> list[Event] | None:
        """Takes one frame as it came from a socket, or a REST answer in a frame's shape; `recv_ns` is its arrival.

        Within it the order is state, exits, entries. Returns what the shell has to know, or None. Any bytes
        are taken: what cannot be read gives one `Malformed` and changes nothing else.
        """

    def on_deadline(self, now_ns: int) -> int:
        """Primary path without a frame: exits whose holding time, time stop or pause has ended by `now_ns`.

        To be called when `next_deadline_ns` has come. Returns the claims made.
        """

    def next_deadline_ns(self) -> int | None:
        """When `on_deadline` is wanted next, a time in the past for at once; None as long as only frames matter."""

    def sweep_exits(self, now_ns: int) -> int:
        """Backup path: the exit rule over all open positions. Returns the claims made."""

    def request_exit(self, asset: int, reason: str, now_ns: int) -> bool:
        """Asks for the exit of one position; the request stands until the position is gone.

        `reason` is "operator" or "hard_stop". True when a claim was made; False when there is no
        position, a flatten order is alive, or nothing can be sent yet. ValueError: another reason.
        """

    def pop_flatten(self) -> FlattenOrder | None:
        """Takes the oldest flatten order that waits to be sent. Each is given to one caller only."""

    def flattens_waiting(self) -> int:
        """Flatten orders that wait to be sent."""

    def release_claim(self, asset: int, cloid: str, reason: str, now_ns: int) -> bool:
        """Ends the claim that the order `cloid` holds on a market; False when it does not hold it.

        `reason` is how the order ended: "filled", "partly_filled", "rejected", "canceled", "expired",
        "proven_absent", "not_sent", "channel_full" or "settled". After one that filled nothing the market is
        left alone for a pause that doubles. ValueError: another reason, or a malformed `cloid`.
        """

    def claims(self) -> list[Claim]:
        """Markets that have a flatten order alive, in order of market."""

    def settle_entry(self, cloid: str, filled: bool, now_ns: int) -> bool:
        """Ends the reservation of an entry whose order is over; False when there was none.

        `filled` tells whether any of it filled. ValueError: a malformed `cloid`.
        """

    def set_entries_enabled(self, enabled: bool) -> None:
        """Switches entries in all markets; exits are untouched."""

    def get_snapshot(self, asset: int) -> Snapshot | None:
        """The market as last seen; None when it is not tracked."""

    def get_position(self, asset: int) -> Position | None:
        """The open position of a market, or None."""

    def positions(self) -> list[Position]:
        """Every open position, in order of market."""

    def is_flattening(self, asset: int) -> bool:
        """Whether a flatten order of this market is alive or waits to be sent."""

    def maybe_log(self, now_ns: int) -> EdgePeriod | None:
        """The edges since the last period once `edges.period_ms` have passed, else None."""

    def edge_summary(self) -> list[EdgeRow]:
        """The edges of every tracked market since the start."""

    def counters(self) -> dict[str, int]:
        """Counts since the start by stable name, among them `frames`, `frames_malformed`, `frames_unknown`,
        `frames_regressed`, `updates`, `refused_<code>`, `claims_made_<path>`, `claims_released_<reason>`,
        `flatten_channel_full`, `fills_applied`, `fills_duplicate`, `fills_too_old`, `resyncs`.
        """

    def cash(self) -> list[tuple[str, str, str, str, str]]:
        """Per market: coin, cash (sold less bought less fees, and funding), fees, realized profit, funding.

        Profit is before fees; funding is positive when received. In dollars (the dex's collateral), exact, in order
        of market; markets without fills and funding are absent.
        """

    def digest(self) -> str:
        """Hex digest of every entry and exit decided so far: equal for equal inputs."""

    def latest_venue_ms(self) -> int:
        """The newest venue time in any frame; 0 before the first."""

@final
class Entry:
    """An entry was decided: an immediate-or-cancel order to send. Reserved until `Engine.settle_entry`."""

    @property
    def asset(self) -> int:
        """Asset id."""
    @property
    def coin(self) -> str:
        """The venue's full coin name."""
    @property
    def is_buy(self) -> bool:
        """Direction."""
    @property
    def px(self) -> str:
        """Limit price, on the tick."""
    @property
    def sz(self) -> str:
        """Size, on the lot."""
    @property
    def cloid(self) -> str:
        """Client order id."""
    @property
    def edge_bps(self) -> str:
        """Gross edge at the touch."""
    @property
    def net_edge_bps(self) -> str:
        """Edge less taker fees both ways and expected slippage."""
    @property
    def oracle_px(self) -> str:
        """Oracle price that the edge was measured against."""
    @property
    def notional_usd(self) -> str:
        """What is reserved for it, in dollars."""
    @property
    def book_age_ms(self) -> int:
        """Age of the touch at the decision."""
    @property
    def oracle_age_ms(self) -> int:
        """Age of the asset context at the decision."""
    @property
    def decided_ns(self) -> int:
        """When it was decided."""

@final
class FlattenOrder:
    """A reduce-only immediate-or-cancel order that closes a whole position. It holds the market's claim."""

    @property
    def asset(self) -> int:
        """Asset id."""
    @property
    def coin(self) -> str:
        """The venue's full coin name."""
    @property
    def is_buy(self) -> bool:
        """Direction of the order."""
    @property
    def px(self) -> str:
        """Limit price, on the tick."""
    @property
    def sz(self) -> str:
        """Size, on the lot, at most the position."""
    @property
    def cloid(self) -> str:
        """Client order id."""
    @property
    def reason(self) -> str:
        """One of `EXIT_REASONS`."""
    @property
    def path(self) -> str:
        """Who found it: primary, backup or operator."""
    @property
    def decided_ns(self) -> int:
        """When it was decided."""
    @property
    def due_ns(self) -> int:
        """Since when it could have been decided; the difference is the exit's latency."""
    @property
    def edge_bps(self) -> str | None:
        """Edge of closing at the touch: negative while the book is on the wrong side of the oracle."""

@final
class OrderUpdate:
    """The venue reported a change of an order; texts as the venue wrote them."""

    @property
    def coin(self) -> str:
        """The venue's full coin name."""
    @property
    def oid(self) -> int:
        """The venue's order id."""
    @property
    def cloid(self) -> str | None:
        """Client order id, when the order has one."""
    @property
    def status(self) -> str:
        """The venue's status word, unknown ones included."""
    @property
    def sz(self) -> str:
        """What remains."""
    @property
    def orig_sz(self) -> str:
        """What was asked for."""
    @property
    def time_ms(self) -> int:
        """Venue time of the status."""

@final
class Fill:
    """The venue reported a fill, new or not."""

    @property
    def coin(self) -> str:
        """The venue's full coin name."""
    @property
    def asset(self) -> int | None:
        """Asset id, when the market is tracked."""
    @property
    def is_buy(self) -> bool:
        """Our side."""
    @property
    def px(self) -> str:
        """Price."""
    @property
    def sz(self) -> str:
        """Size."""
    @property
    def tid(self) -> int:
        """Trade id; unique together with coin and time."""
    @property
    def oid(self) -> int:
        """The venue's order id."""
    @property
    def cloid(self) -> str | None:
        """Client order id, when the order had one."""
    @property
    def fee(self) -> str:
        """Fee in collateral; negative is a rebate."""
    @property
    def closed_pnl(self) -> str:
        """The venue's profit of the closed part, before fees."""
    @property
    def dir(self) -> str:
        """The venue's direction word."""
    @property
    def time_ms(self) -> int:
        """Venue time."""
    @property
    def applied(self) -> bool:
        """Whether this frame counted it."""
    @property
    def known(self) -> bool:
        """Whether it was counted before, or is part of an adopted account state."""
    @property
    def position(self) -> str:
        """Our signed size after it."""

@final
class PostReply:
    """The answer to a WebSocket post."""

    @property
    def id(self) -> int:
        """The id of the request."""
    @property
    def kind(self) -> str:
        """action, info, error, or a word that this program does not know."""
    @property
    def payload(self) -> bytes:
        """The payload as the venue wrote it (JSON)."""

@final
class Ack:
    """A subscription was acknowledged."""

    @property
    def method(self) -> str:
        """subscribe or unsubscribe."""
    @property
    def subscription(self) -> bytes:
        """The subscription as the venue wrote it (JSON), defaults filled in."""

@final
class VenueError:
    """The venue sent a text on its error channel."""

    @property
    def text(self) -> str:
        """The text."""

@final
class Resync:
    """The venue's position differed from ours in two account states and was taken over."""

    @property
    def asset(self) -> int:
        """Asset id."""
    @property
    def coin(self) -> str:
        """The venue's full coin name."""
    @property
    def was(self) -> str:
        """Signed size before."""
    @property
    def now(self) -> str:
        """Signed size from now on."""

@final
class Malformed:
    """The input could not be read; nothing of it was applied."""

    @property
    def reason(self) -> str:
        """Why, in one line."""

@final
class UnknownFrame:
    """A channel that this program does not know."""

    @property
    def channel(self) -> str:
        """Its name."""

@final
class AccountState:
    """The account state of one dex; dollars of its collateral, as the venue wrote them."""

    @property
    def dex(self) -> str:
        """Name of the dex; empty for the main one."""
    @property
    def time_ms(self) -> int:
        """Venue time."""
    @property
    def account_value(self) -> str:
        """Collateral and positions at mark."""
    @property
    def total_raw_usd(self) -> str:
        """Account value without the positions at mark."""
    @property
    def withdrawable(self) -> str:
        """What could be taken out."""

Event: TypeAlias = (
    Entry | OrderUpdate | Fill | PostReply | Ack | VenueError | Resync | Malformed | UnknownFrame | AccountState
)

@final
class Claim:
    """The right of one order to flatten a market."""

    @property
    def asset(self) -> int:
        """Asset id."""
    @property
    def cloid(self) -> str:
        """The order that holds it."""
    @property
    def reason(self) -> str:
        """Why the position is left."""
    @property
    def path(self) -> str:
        """primary, backup or operator."""
    @property
    def claimed_ns(self) -> int:
        """When it was made."""
    @property
    def lease_until_ns(self) -> int:
        """When an inquiry is due; it frees nothing by itself."""

@final
class Snapshot:
    """One market at one moment. An absent side or price is None, never zero."""

    @property
    def asset(self) -> int:
        """Asset id."""
    @property
    def coin(self) -> str:
        """The venue's full coin name."""
    @property
    def bid_px(self) -> str | None:
        """Best bid."""
    @property
    def bid_sz(self) -> str | None:
        """Size displayed there."""
    @property
    def ask_px(self) -> str | None:
        """Best ask."""
    @property
    def ask_sz(self) -> str | None:
        """Size displayed there."""
    @property
    def oracle_px(self) -> str | None:
        """Oracle price."""
    @property
    def mark_px(self) -> str | None:
        """Mark price."""
    @property
    def buy_edge_bps(self) -> str | None:
        """(oracle - ask) / oracle."""
    @property
    def sell_edge_bps(self) -> str | None:
        """(bid - oracle) / oracle."""
    @property
    def book_recv_ns(self) -> int:
        """When the touch was received; 0 when none was."""
    @property
    def oracle_recv_ns(self) -> int:
        """When the last asset context was received; 0 when none was."""
    @property
    def oracle_changed_ns(self) -> int:
        """When the oracle was last received with another price."""
    @property
    def book_time_ms(self) -> int:
        """Venue time of the touch."""

@final
class Position:
    """One open position."""

    @property
    def asset(self) -> int:
        """Asset id."""
    @property
    def coin(self) -> str:
        """The venue's full coin name."""
    @property
    def szi(self) -> str:
        """Signed size: negative is short."""
    @property
    def entry_px(self) -> str:
        """Average entry price, truncated to eight decimals."""
    @property
    def entry_ns(self) -> int:
        """When it was opened or adopted."""
    @property
    def entry_edge_bps(self) -> str | None:
        """Gross edge of the entry that opened it; None when it was adopted."""
    @property
    def verified_ns(self) -> int:
        """When an account state last agreed with its size; 0 when none has yet."""
    @property
    def realized_pnl_usd(self) -> str:
        """Profit of what was closed in this market since the start, before fees."""

@final
class EdgeRow:
    """Edges of one market over a period."""

    @property
    def market(self) -> str:
        """As operators read it: dex_1:110026 (SILVER)."""
    @property
    def coin(self) -> str:
        """The venue's full coin name."""
    @property
    def asset(self) -> int:
        """Asset id."""
    @property
    def max_buy_edge_bps(self) -> float:
        """Largest edge of a buy; never below 0."""
    @property
    def max_sell_edge_bps(self) -> float:
        """Largest edge of a sale; never below 0."""
    @property
    def threshold_bps(self) -> float:
        """The market's entry threshold."""
    @property
    def threshold_pct(self) -> float:
        """The larger of both edges in percent of the threshold."""
    @property
    def updates(self) -> int:
        """Updates of the market."""
    @property
    def p50_bps(self) -> float:
        """Median of the larger edge of each update."""
    @property
    def p90_bps(self) -> float:
        """90th percentile of it."""
    @property
    def p95_bps(self) -> float:
        """95th percentile of it."""
    @property
    def p99_bps(self) -> float:
        """99th percentile of it."""

@final
class EdgePeriod:
    """Edges of all markets over a period."""

    @property
    def rows(self) -> list[EdgeRow]:
        """One row per tracked market."""
    @property
    def global_max_edge_bps(self) -> float:
        """Largest edge of any market."""
    @property
    def threshold_bps(self) -> float:
        """Smallest threshold of any market."""
    @property
    def markets_tracked(self) -> int:
        """Markets."""

@final
class LatencyHistogram:
    """Durations in nanoseconds in bounded memory: percentiles to three figures; maximum, mean and sum exact."""

    def __new__(cls) -> Self: ...
    def record(self, ns: int) -> None:
        """Counts one duration; a negative one counts as zero."""

    def percentile(self, q: float) -> int:
        """The duration that `q` percent (0 to 100) do not exceed; 0 when nothing was recorded."""

    def max(self) -> int:
        """The longest duration."""

    def mean(self) -> float:
        """The mean; 0.0 when nothing was recorded."""

    def count(self) -> int:
        """How many were recorded."""

    def cumulative(self, bounds_ns: Sequence[int]) -> tuple[list[int], int, int]:
        """For each bound (ascending) how many were at most this long; how many there are; their sum.

        All of one moment. Durations are told apart to three figures: one within 0.1 % above a bound may count as on it.
        """

@final
class Signer:
    """Holds an agent key in memory that is erased with it, and signs the actions below and no others.

    Each action takes a fresh nonce, `max(now_ms, last_nonce + 1)`. `post_id` names the WebSocket request.
    `expires_after_ms` is the venue time after which the venue refuses the action.
    ValueError: something that the venue would refuse by its form (off tick or lot, an empty batch, more than
    200 items, a malformed cloid); nothing is signed and no nonce used then.
    """

    def __new__(cls, key: bytearray, mainnet: bool, vault: str | None = None) -> Self:
        """Takes 64 hex digits (with or without 0x) or 32 raw bytes; the bytearray holds zeros afterwards.

        `vault` is the address of a sub-account or vault to act for. ValueError: no valid key or address; the
        text never repeats the key.
        """

    @staticmethod
    def unlock(keystore: bytes, passphrase: bytearray, mainnet: bool, vault: str | None = None) -> Signer:
        """A signer with the key of a keystore (JSON, Web3 Secret Storage version 3, scrypt or PBKDF2).

        The passphrase's bytearray holds zeros afterwards. Takes about a second, in which other threads run.
        ValueError: no such keystore, one that takes more than 1 GiB or eight times the work of ours, or a wrong
        passphrase.
        """

    @property
    def address(self) -> str:
        """The key's address, in lower case."""

    @property
    def last_nonce(self) -> int:
        """The nonce used last; 0 before the first."""

    def watch_kill_file(self, path: str | PathLike[str]) -> None:
        """Signs nothing any more once `path` exists or SIGUSR1 has come, looked at every 2 ms from a thread of its own.

        Neither the interpreter nor an event loop is needed for it, and nothing takes it back. Every action then
        is a ValueError. After the signal the file is made, so that the kill holds over a restart.
        """

    @property
    def is_killed(self) -> bool:
        """Whether the file was seen."""

    def orders(
        self,
        orders: Sequence[tuple[int, bool, str, str, bool, str, str | None, int]],
        now_ms: int,
        expires_after_ms: int | None,
        post_id: int,
    ) -> SignedAction:
        """Signs a batch of limit orders: (asset, is_buy, px, sz, reduce_only, tif, cloid, sz_decimals).

        `tif` is "Ioc", "Gtc" or "Alo".
        """

    def cancel(
        self, cancels: Sequence[tuple[int, int]], now_ms: int, expires_after_ms: int | None, post_id: int
    ) -> SignedAction:
        """Signs cancels: (asset, oid)."""

    def cancel_by_cloid(
        self, cancels: Sequence[tuple[int, str]], now_ms: int, expires_after_ms: int | None, post_id: int
    ) -> SignedAction:
        """Signs cancels: (asset, cloid)."""

    def schedule_cancel(self, time_ms: int | None, now_ms: int, post_id: int) -> SignedAction:
        """Signs the cancel of everything at `time_ms` (venue time); None takes the schedule back."""

    def update_leverage(self, asset: int, is_cross: bool, leverage: int, now_ms: int, post_id: int) -> SignedAction:
        """Signs leverage and margin mode of one asset."""

    def noop(self, now_ms: int, post_id: int) -> SignedAction:
        """Signs an action that does nothing but use a nonce."""

@final
class SignedAction:
    """A signed action, ready for either door of the venue."""

    @property
    def nonce(self) -> int:
        """Nonce it was signed with, in milliseconds."""
    @property
    def post(self) -> bytes:
        """Text frame of a WebSocket post."""
    @property
    def body(self) -> bytes:
        """Body of POST /exchange."""

def recover_l1(
    action: bytes,
    nonce: int,
    vault: str | None,
    expires_after: int | None,
    mainnet: bool,
    r: str,
    s: str,
    v: int,
) -> str:
    """The address (0x, lower case) that signed `action` (JSON), as the venue finds it.

    The action is brought to the venue's own form first: its key order, decimals without padding, hex in lower
    case. A signature over anything else recovers some other address. `r` and `s` are hex numbers, `v` is 27
    or 28. ValueError: no address can be recovered, or the action has not the shape of its type.
    """

def recover_user(kind: str, action: bytes, r: str, s: str, v: int) -> str:
    """The address (0x, lower case) that signed a user-signed `action` (JSON) of type `kind`, such as `usdSend`.

    The hash covers the fields of its type and the chain in `signatureChainId`. ValueError: an unknown type, a
    missing field, or no address can be recovered.
    """

def address_of(key: bytearray) -> str:
    """The address (0x, lower case) of a private key in a form that `Signer` takes; the bytearray is zeroed.

    ValueError: no valid key.
    """

def keystore_address(keystore: bytes) -> str | None:
    """The address (0x, lower case) that a keystore names; None where it names none. Needs no passphrase.

    ValueError: no keystore, or one that `Signer.unlock` would refuse before it asks for the passphrase.
    """

def lock_key(key: bytearray, passphrase: bytearray, chance: bytes) -> bytes:
    """A keystore with a key in a form that `Signer` takes; both bytearrays hold zeros afterwards.

    Web3 Secret Storage version 3 (scrypt, n=2^18, r=8, p=1), with the key's address. `chance` are 64 fresh random
    bytes. Takes about a second. ValueError: no valid key.
    """

def relock_key(keystore: bytes, passphrase: bytearray, chance: bytes) -> bytes:
    """The key of a keystore in a new one, under the same passphrase and at the cost of `lock_key`.

    The bytearray holds zeros afterwards. ValueError: as for `Signer.unlock`.
    """
