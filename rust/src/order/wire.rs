//! The wire forms of actions: JSON and msgpack in one pass, and the envelope around them.

use std::fmt;
use std::io::Write as _;

use super::{Action, OrderWire};
use crate::signing::msgpack::{pack_bool, pack_list_head, pack_map_head, pack_text, pack_uint};
use crate::signing::{Scope, Signature, write_scalar};

/// Body of `POST /exchange`.
pub(super) fn envelope(action_json: &[u8], scope: &Scope, signature: &Signature) -> Vec<u8> {
    let mut body = Vec::with_capacity(action_json.len() + 320);
    body.extend_from_slice(br#"{"action":"#);
    body.extend_from_slice(action_json);
    body.extend_from_slice(br#","nonce":"#);
    write_uint(&mut body, scope.nonce);
    body.extend_from_slice(br#","signature":{"r":""#);
    write_scalar(&mut body, &signature.r);
    body.extend_from_slice(br#"","s":""#);
    write_scalar(&mut body, &signature.s);
    body.extend_from_slice(br#"","v":"#);
    write_uint(&mut body, u64::from(signature.v));
    body.extend_from_slice(br#"},"vaultAddress":"#);
    match scope.vault {
        Some(vault) => write_quoted(&mut body, &vault),
        None => body.extend_from_slice(b"null"),
    }
    body.extend_from_slice(br#","expiresAfter":"#);
    match scope.expires_after_ms {
        Some(expires) => write_uint(&mut body, expires),
        None => body.extend_from_slice(b"null"),
    }
    body.push(b'}');
    body
}

/// A number in decimal.
pub(super) fn write_uint(out: &mut Vec<u8>, value: u64) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{value}");
}

fn write_quoted(out: &mut Vec<u8>, value: &dyn fmt::Display) {
    let _ = write!(out, "\"{value}\"");
}

/// Both forms of an action, written in step. Texts are our own and need no escaping.
#[derive(Default)]
pub(super) struct Wire {
    pub json: Vec<u8>,
    pub pack: Vec<u8>,
    comma: bool,
}

impl Wire {
    fn separate(&mut self) {
        if self.comma {
            self.json.push(b',');
        }
        self.comma = true;
    }

    fn map(&mut self, length: usize) {
        self.separate();
        self.json.push(b'{');
        self.comma = false;
        pack_map_head(&mut self.pack, length);
    }

    fn list(&mut self, length: usize) {
        self.separate();
        self.json.push(b'[');
        self.comma = false;
        pack_list_head(&mut self.pack, length);
    }

    fn end(&mut self, bracket: u8) {
        self.json.push(bracket);
        self.comma = true;
    }

    fn key(&mut self, key: &'static str) -> &mut Self {
        self.separate();
        write_quoted(&mut self.json, &key);
        self.json.push(b':');
        self.comma = false;
        pack_text(&mut self.pack, key);
        self
    }

    fn text(&mut self, value: &dyn fmt::Display) {
        self.separate();
        let text = value.to_string();
        write_quoted(&mut self.json, &text);
        pack_text(&mut self.pack, &text);
    }

    fn uint(&mut self, value: u64) {
        self.separate();
        write_uint(&mut self.json, value);
        pack_uint(&mut self.pack, value);
    }

    fn boolean(&mut self, value: bool) {
        self.separate();
        self.json.extend_from_slice(if value { b"true" } else { b"false" });
        pack_bool(&mut self.pack, value);
    }
}

/// Writes `action` in the key order of the exchange page, section 3.
pub(super) fn write_action(wire: &mut Wire, action: &Action<'_>) {
    match *action {
        Action::Order(orders) => {
            wire.map(3);
            wire.key("type").text(&"order");
            wire.key("orders").list(orders.len());
            for order in orders {
                write_order(wire, order);
            }
            wire.end(b']');
            wire.key("grouping").text(&"na");
        }
        Action::Cancel(cancels) => {
            wire.map(2);
            wire.key("type").text(&"cancel");
            wire.key("cancels").list(cancels.len());
            for (asset, oid) in cancels {
                wire.map(2);
                wire.key("a").uint(u64::from(*asset));
                wire.key("o").uint(*oid);
                wire.end(b'}');
            }
            wire.end(b']');
        }
        Action::CancelByCloid(cancels) => {
            wire.map(2);
            wire.key("type").text(&"cancelByCloid");
            wire.key("cancels").list(cancels.len());
            for (asset, cloid) in cancels {
                wire.map(2);
                wire.key("asset").uint(u64::from(*asset));
                wire.key("cloid").text(cloid);
                wire.end(b'}');
            }
            wire.end(b']');
        }
        Action::ScheduleCancel(time_ms) => {
            wire.map(1 + usize::from(time_ms.is_some()));
            wire.key("type").text(&"scheduleCancel");
            if let Some(time_ms) = time_ms {
                wire.key("time").uint(time_ms);
            }
        }
        Action::UpdateLeverage {
            asset,
            is_cross,
            leverage,
        } => {
            wire.map(4);
            wire.key("type").text(&"updateLeverage");
            wire.key("asset").uint(u64::from(asset));
            wire.key("isCross").boolean(is_cross);
            wire.key("leverage").uint(u64::from(leverage));
        }
        Action::Noop => {
            wire.map(1);
            wire.key("type").text(&"noop");
        }
    }
    wire.end(b'}');
}

fn write_order(wire: &mut Wire, order: &OrderWire) {
    wire.map(6 + usize::from(order.cloid.is_some()));
    wire.key("a").uint(u64::from(order.asset));
    wire.key("b").boolean(order.is_buy);
    wire.key("p").text(&order.px);
    wire.key("s").text(&order.sz);
    wire.key("r").boolean(order.reduce_only);
    wire.key("t").map(1);
    wire.key("limit").map(1);
    wire.key("tif").text(&order.tif.word());
    wire.end(b'}');
    wire.end(b'}');
    if let Some(cloid) = order.cloid {
        wire.key("c").text(&cloid);
    }
    wire.end(b'}');
}
