//! From intents to the bytes for the socket, in one call: checks, nonce, action, signature, envelope.
//!
//! Owns the list of actions that can be signed at all and the nonces. One pass writes the JSON and
//! the msgpack of an action, so what is hashed and what is sent cannot differ. Rules: exchange
//! page, sections 2, 3, 4 and 6. Holds no socket and no clock.

mod wire;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::decimal::{Px, Sz};
use crate::signing::{Address, Key, Scope};
use crate::types::Cloid;
use wire::{Wire, envelope, write_action, write_uint};

/// Most orders or cancels in one action: the venue's weight limit of a signed action.
pub const ACTION_ITEMS_MAX: usize = 200;

/// How long an order may rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tif {
    /// Fill at once what can be filled, cancel the rest.
    Ioc,
    /// Rest until cancelled.
    Gtc,
    /// Rest, or be refused if it would take.
    Alo,
}

impl Tif {
    /// Reads the wire word (`Ioc`, `Gtc`, `Alo`).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Ioc, Self::Gtc, Self::Alo]
            .into_iter()
            .find(|tif| tif.word() == text)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ioc => "Ioc",
            Self::Gtc => "Gtc",
            Self::Alo => "Alo",
        }
    }
}

/// One limit order as the venue takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderWire {
    /// Asset id.
    pub asset: u32,
    /// Buys.
    pub is_buy: bool,
    /// Limit price, on the tick.
    pub px: Px,
    /// Size, on the lot, above zero.
    pub sz: Sz,
    /// May only shrink a position.
    pub reduce_only: bool,
    /// Time in force.
    pub tif: Tif,
    /// Client order id.
    pub cloid: Option<Cloid>,
    /// Size decimals of the asset: they give tick and lot.
    pub sz_decimals: u32,
}

/// Everything that this program can sign. Transfers and approvals are not expressible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// New orders.
    Order(&'a [OrderWire]),
    /// Cancels by asset and order id.
    Cancel(&'a [(u32, u64)]),
    /// Cancels by asset and client order id.
    CancelByCloid(&'a [(u32, Cloid)]),
    /// Cancel everything at this venue time in ms; `None` takes the schedule back.
    ScheduleCancel(Option<u64>),
    /// Leverage and margin mode of one asset.
    UpdateLeverage {
        /// Asset id.
        asset: u32,
        /// Cross, else isolated margin.
        is_cross: bool,
        /// From 1 to the asset's maximum.
        leverage: u32,
    },
    /// Burns a nonce.
    Noop,
}

/// Why an action was not written. Nothing was signed and no nonce was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderError {
    /// No order or cancel in it.
    Empty,
    /// More items than [`ACTION_ITEMS_MAX`].
    TooMany(usize),
    /// The price is not above zero or not on the tick.
    OffTick(u32, Px),
    /// The size is not above zero or not on the lot.
    OffLot(u32, Sz),
    /// A client order id of zero.
    ZeroCloid(u32),
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("action without orders or cancels"),
            Self::TooMany(count) => {
                write!(f, "{count} items in one action, {ACTION_ITEMS_MAX} at most")
            }
            Self::OffTick(asset, px) => write!(f, "price {px} of asset {asset} is not on the tick"),
            Self::OffLot(asset, sz) => write!(f, "size {sz} of asset {asset} is not on the lot"),
            Self::ZeroCloid(asset) => write!(f, "client order id of zero for asset {asset}"),
        }
    }
}

impl std::error::Error for OrderError {}

/// Nonces of one signer: the time in ms, and always above the last one.
#[derive(Debug)]
pub struct NonceSource(AtomicU64);

impl NonceSource {
    /// Nonces above `last`.
    pub fn above(last: u64) -> Self {
        Self(AtomicU64::new(last))
    }

    /// The next nonce: `max(now_ms, last + 1)`. A clock that goes back never repeats one.
    pub fn draw(&self, now_ms: u64) -> u64 {
        let next = |last: u64| now_ms.max(last.saturating_add(1));
        let mut last = self.0.load(Ordering::Relaxed);
        loop {
            match self
                .0
                .compare_exchange_weak(last, next(last), Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return next(last),
                Err(seen) => last = seen,
            }
        }
    }

    /// The nonce drawn last.
    pub fn last(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Client order ids of one session, never the same one twice.
#[derive(Debug)]
pub struct CloidSource {
    session: u64,
    last: AtomicU64,
}

impl CloidSource {
    /// Ids of `session`, which the shell draws at random for each start.
    pub fn new(session: u64) -> Self {
        Self {
            session,
            last: AtomicU64::new(0),
        }
    }

    /// The next id.
    pub fn draw(&self) -> Cloid {
        Cloid::of(self.session, self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// A signed action, ready for either door of the venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Nonce it was signed with.
    pub nonce: u64,
    /// Body of `POST /exchange`.
    pub body: Vec<u8>,
    /// Text frame of a WebSocket `post`, with the id given.
    pub post: Vec<u8>,
}

/// Key, network and account: turns actions into signed bytes.
#[derive(Debug)]
pub struct Desk {
    /// Signs.
    pub key: Key,
    /// Mainnet, else testnet.
    pub mainnet: bool,
    /// Sub-account or vault acted for.
    pub vault: Option<Address>,
    /// Nonces of the key.
    pub nonces: NonceSource,
}

impl Desk {
    /// Checks, numbers, writes and signs `action`.
    ///
    /// `expires_after_ms` is the venue time after which the venue refuses it; `post_id` names the
    /// WebSocket request. On an error no nonce is used.
    pub fn sign(
        &self,
        action: &Action<'_>,
        now_ms: u64,
        expires_after_ms: Option<u64>,
        post_id: u64,
    ) -> Result<Signed, OrderError> {
        check(action)?;
        let nonce = self.nonces.draw(now_ms);
        let mut wire = Wire::default();
        write_action(&mut wire, action);
        let scope = Scope {
            nonce,
            vault: self.vault,
            expires_after_ms,
            mainnet: self.mainnet,
        };
        let signature = self.key.sign_l1(&wire.pack, &scope);
        let body = envelope(&wire.json, &scope, &signature);
        let mut post = Vec::with_capacity(body.len() + 80);
        post.extend_from_slice(br#"{"method":"post","id":"#);
        write_uint(&mut post, post_id);
        post.extend_from_slice(br#","request":{"type":"action","payload":"#);
        post.extend_from_slice(&body);
        post.extend_from_slice(b"}}");
        Ok(Signed { nonce, body, post })
    }
}

fn check(action: &Action<'_>) -> Result<(), OrderError> {
    let count = match action {
        Action::Order(orders) => orders.len(),
        Action::Cancel(cancels) => cancels.len(),
        Action::CancelByCloid(cancels) => cancels.len(),
        Action::ScheduleCancel(_) | Action::UpdateLeverage { .. } | Action::Noop => return Ok(()),
    };
    match count {
        0 => return Err(OrderError::Empty),
        1..=ACTION_ITEMS_MAX => {}
        _ => return Err(OrderError::TooMany(count)),
    }
    if let Action::CancelByCloid(cancels) = action {
        return match cancels.iter().find(|(_, cloid)| cloid.0 == 0) {
            Some((asset, _)) => Err(OrderError::ZeroCloid(*asset)),
            None => Ok(()),
        };
    }
    let Action::Order(orders) = action else {
        return Ok(());
    };
    for order in *orders {
        if !order.px.is_on_tick(order.sz_decimals) {
            return Err(OrderError::OffTick(order.asset, order.px));
        }
        if order.sz.0 <= 0 || order.sz.on_lot(order.sz_decimals) != order.sz {
            return Err(OrderError::OffLot(order.asset, order.sz));
        }
        if order.cloid == Some(Cloid(0)) {
            return Err(OrderError::ZeroCloid(order.asset));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
