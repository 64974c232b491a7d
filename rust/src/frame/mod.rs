//! From the bytes of one WebSocket message to a typed frame.
//!
//! Total: any bytes give a frame or an error, never a panic. Borrows from the bytes wherever the
//! text allows. Holds no state and takes no decision; unknown channels, keys and words survive as
//! typed unknowns, because the venue adds them without notice. REST answers come through here too,
//! wrapped by the shell into the frame of the matching channel.

mod book;
#[cfg(test)]
mod tests;
mod user;
mod wire;

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use book::{
    ActiveAssetCtx, ActiveAssetData, AllDexsAssetCtxs, AllMids, AssetCtx, Bbo, BookLevel, Candle, L2Book, Mids, Trade,
};
pub use user::{
    AllDexsClearinghouseState, AssetPosition, ClearinghouseState, DexAccount, Dir, Fill, FillAmounts, Funding,
    MarginSummary, NonUserCancel, OpenOrders, OrderRow, OrderStatus, OrderUpdate, PositionRow, Post, PostKind,
    PostResponse, SubscriptionResponse, UserBody, UserEvents, UserFills, UserFundings,
};
use wire::record;
pub use wire::{LevelPx, LevelSz, LoosePx, OpenInterest, Other, RefPx, Text};

/// Largest message that is read, in bytes: many times the largest that the venue sends.
pub const FRAME_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The venue's greeting, which is not JSON.
const ESTABLISHED: &[u8] = b"Websocket connection established.";

/// Longest error text in bytes, because it quotes what it did not understand.
const ERROR_TEXT_MAX: usize = 200;

/// Why bytes are no frame.
#[derive(Debug)]
pub enum FrameError {
    /// Larger than [`FRAME_BYTES_MAX`]; the size in bytes.
    TooLarge(usize),
    /// Not a JSON object with a channel.
    Envelope(serde_json::Error),
    /// The data of a known channel has another shape, or a number that is none.
    Data {
        /// The channel.
        channel: String,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// A known channel without data.
    NoData(String),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(size) => write!(f, "frame of {size} bytes, more than {FRAME_BYTES_MAX}"),
            Self::Envelope(error) => write!(f, "no frame: {}", cut(&error.to_string())),
            Self::Data { channel, error } => write!(f, "{channel}: {}", cut(&error.to_string())),
            Self::NoData(channel) => write!(f, "{channel}: no data"),
        }
    }
}

impl std::error::Error for FrameError {}

/// The start of a text, at most [`ERROR_TEXT_MAX`] bytes and whole characters.
fn cut(text: &str) -> &str {
    let end = text
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .take_while(|&end| end <= ERROR_TEXT_MAX)
        .last();
    &text[..end.unwrap_or(0)]
}

/// One message of the venue.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// What it says.
    pub body: Body<'a>,
    /// Keys beside `channel` and `data`.
    pub other: Other<'a>,
}

/// The data of a message by its channel.
#[derive(Clone, Debug)]
pub enum Body<'a> {
    /// `bbo`.
    Bbo(Bbo<'a>),
    /// `activeAssetCtx`.
    ActiveAssetCtx(ActiveAssetCtx<'a>),
    /// `allDexsAssetCtxs`.
    AllDexsAssetCtxs(AllDexsAssetCtxs<'a>),
    /// `allMids`.
    AllMids(AllMids<'a>),
    /// `l2Book`.
    L2Book(L2Book<'a>),
    /// `trades`.
    Trades(Vec<Trade<'a>>),
    /// `candle`.
    Candle(Candle<'a>),
    /// `activeAssetData`.
    ActiveAssetData(ActiveAssetData<'a>),
    /// `orderUpdates`.
    OrderUpdates(Vec<OrderUpdate<'a>>),
    /// `userFills`.
    UserFills(UserFills<'a>),
    /// `user`: what a `userEvents` subscription brings.
    User(UserEvents<'a>),
    /// `clearinghouseState`.
    ClearinghouseState(ClearinghouseState<'a>),
    /// `allDexsClearinghouseState`.
    AllDexsClearinghouseState(AllDexsClearinghouseState<'a>),
    /// `openOrders`.
    OpenOrders(OpenOrders<'a>),
    /// `spotState`.
    SpotState(UserBody<'a>),
    /// `webData3`.
    WebData3(UserBody<'a>),
    /// `notification`.
    Notification(UserBody<'a>),
    /// `userFundings`.
    UserFundings(UserFundings<'a>),
    /// `userNonFundingLedgerUpdates`.
    UserNonFundingLedgerUpdates(UserBody<'a>),
    /// `subscriptionResponse`.
    SubscriptionResponse(SubscriptionResponse<'a>),
    /// `post`.
    Post(Post<'a>),
    /// `error`: the venue's text.
    Error(Text<'a>),
    /// `pong`.
    Pong,
    /// The greeting after the handshake.
    Established,
    /// `hip3`: our own inputs inside a recording, which the shell reads.
    Control(&'a RawValue),
    /// A channel that this program does not know.
    Unknown {
        /// Its name.
        channel: Text<'a>,
        /// Its data, if any.
        data: Option<&'a RawValue>,
    },
}

record! {
    /// The outer object of every message.
    Envelope {
        /// What the data is.
        channel: Text<'a> = "channel" required,
        /// The data, read once the channel is known, since the order of keys is not promised.
        data: Option<&'a RawValue> = "data" optional,
    }
}

/// Reads one message.
pub fn parse(bytes: &[u8]) -> Result<Frame<'_>, FrameError> {
    if bytes.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLarge(bytes.len()));
    }
    if bytes == ESTABLISHED {
        return Ok(Frame {
            body: Body::Established,
            other: Vec::new(),
        });
    }
    let Envelope { channel, data, other } = serde_json::from_slice(bytes).map_err(FrameError::Envelope)?;
    let body = parse_body(channel, data)?;
    Ok(Frame { body, other })
}

fn parse_body<'a>(channel: Text<'a>, data: Option<&'a RawValue>) -> Result<Body<'a>, FrameError> {
    Ok(match &*channel {
        "bbo" => Body::Bbo(typed(&channel, data)?),
        "activeAssetCtx" => Body::ActiveAssetCtx(typed(&channel, data)?),
        "allDexsAssetCtxs" => Body::AllDexsAssetCtxs(typed(&channel, data)?),
        "allMids" => Body::AllMids(typed(&channel, data)?),
        "l2Book" => Body::L2Book(typed(&channel, data)?),
        "trades" => Body::Trades(typed(&channel, data)?),
        "candle" => Body::Candle(typed(&channel, data)?),
        "activeAssetData" => Body::ActiveAssetData(typed(&channel, data)?),
        // One object instead of an array has been met.
        "orderUpdates" if data.is_some_and(|data| data.get().starts_with('{')) => {
            Body::OrderUpdates(vec![typed(&channel, data)?])
        }
        "orderUpdates" => Body::OrderUpdates(typed(&channel, data)?),
        "userFills" => Body::UserFills(typed(&channel, data)?),
        "user" => Body::User(typed(&channel, data)?),
        "clearinghouseState" => Body::ClearinghouseState(typed(&channel, data)?),
        "allDexsClearinghouseState" => Body::AllDexsClearinghouseState(typed(&channel, data)?),
        "openOrders" => Body::OpenOrders(typed(&channel, data)?),
        "spotState" => Body::SpotState(typed(&channel, data)?),
        "webData3" => Body::WebData3(typed(&channel, data)?),
        "notification" => Body::Notification(typed(&channel, data)?),
        "userFundings" => Body::UserFundings(typed(&channel, data)?),
        "userNonFundingLedgerUpdates" => Body::UserNonFundingLedgerUpdates(typed(&channel, data)?),
        "subscriptionResponse" => Body::SubscriptionResponse(typed(&channel, data)?),
        "post" => Body::Post(typed(&channel, data)?),
        "error" => Body::Error(typed(&channel, data)?),
        "pong" => Body::Pong,
        "hip3" => Body::Control(data.ok_or_else(|| FrameError::NoData(channel.to_string()))?),
        _ => Body::Unknown { channel, data },
    })
}

fn typed<'a, T: Deserialize<'a>>(channel: &str, data: Option<&'a RawValue>) -> Result<T, FrameError> {
    let data = data.ok_or_else(|| FrameError::NoData(channel.to_owned()))?;
    serde_json::from_str(data.get()).map_err(|error| FrameError::Data {
        channel: channel.to_owned(),
        error,
    })
}
