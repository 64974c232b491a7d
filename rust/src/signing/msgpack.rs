//! Actions as ordered values, and their msgpack form: the bytes that are hashed.
//!
//! Owns the writing of msgpack with integers of minimal width. Knows nothing of what an action
//! means; key order is whatever the value carries. Called by `signing` and `order`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// A JSON value that keeps the order of its keys, because the order is part of the hash.
///
/// There are no floats: the venue sends and takes decimals as strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A non-negative integer.
    Uint(u64),
    /// A negative integer.
    Int(i64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object in the order of its keys, each key once.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// The value under `key`, when this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Appends the msgpack form to `out`.
    ///
    /// Recursion is bounded by the reader: `serde_json` refuses more than 128 levels.
    pub fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(0xc0),
            Self::Bool(value) => pack_bool(out, *value),
            Self::Uint(value) => pack_uint(out, *value),
            Self::Int(value) => pack_int(out, *value),
            Self::Text(text) => pack_text(out, text),
            Self::List(items) => {
                pack_list_head(out, items.len());
                for item in items {
                    item.pack(out);
                }
            }
            Self::Map(entries) => {
                pack_map_head(out, entries.len());
                for (key, value) in entries {
                    pack_text(out, key);
                    value.pack(out);
                }
            }
        }
    }
}

/// Appends `true` or `false`.
pub fn pack_bool(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

/// Appends `value` in the fewest bytes.
pub fn pack_uint(out: &mut Vec<u8>, value: u64) {
    if let Ok(narrow) = u8::try_from(value) {
        if narrow >= 0x80 {
            out.push(0xcc);
        }
        out.push(narrow);
    } else if let Ok(narrow) = u16::try_from(value) {
        out.push(0xcd);
        out.extend_from_slice(&narrow.to_be_bytes());
    } else if let Ok(narrow) = u32::try_from(value) {
        out.push(0xce);
        out.extend_from_slice(&narrow.to_be_bytes());
    } else {
        out.push(0xcf);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Appends `value` in the fewest bytes; a non-negative one takes the unsigned form.
pub fn pack_int(out: &mut Vec<u8>, value: i64) {
    if let Ok(positive) = u64::try_from(value) {
        pack_uint(out, positive);
    } else if let Ok(narrow) = i8::try_from(value) {
        if narrow < -32 {
            out.push(0xd0);
        }
        out.extend_from_slice(&narrow.to_be_bytes());
    } else if let Ok(narrow) = i16::try_from(value) {
        out.push(0xd1);
        out.extend_from_slice(&narrow.to_be_bytes());
    } else if let Ok(narrow) = i32::try_from(value) {
        out.push(0xd2);
        out.extend_from_slice(&narrow.to_be_bytes());
    } else {
        out.push(0xd3);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Appends a text.
pub fn pack_text(out: &mut Vec<u8>, text: &str) {
    let length = text.len();
    match u8::try_from(length) {
        Ok(short @ 0..=31) => out.push(0xa0 | short),
        Ok(narrow) => out.extend_from_slice(&[0xd9, narrow]),
        Err(_) => pack_wide_length(out, length, 0xda, 0xdb),
    }
    out.extend_from_slice(text.as_bytes());
}

/// Appends the head of a list of `length` values, which the caller appends next.
pub fn pack_list_head(out: &mut Vec<u8>, length: usize) {
    pack_head(out, length, 0x90, 0xdc);
}

/// Appends the head of a map of `length` pairs, which the caller appends next.
pub fn pack_map_head(out: &mut Vec<u8>, length: usize) {
    pack_head(out, length, 0x80, 0xde);
}

fn pack_head(out: &mut Vec<u8>, length: usize, fix: u8, wide: u8) {
    match u8::try_from(length) {
        Ok(short @ 0..=15) => out.push(fix | short),
        _ => pack_wide_length(out, length, wide, wide + 1),
    }
}

fn pack_wide_length(out: &mut Vec<u8>, length: usize, code16: u8, code32: u8) {
    if let Ok(narrow) = u16::try_from(length) {
        out.push(code16);
        out.extend_from_slice(&narrow.to_be_bytes());
    } else {
        // A frame is capped far below 4 GiB, so the saturated length cannot occur.
        out.push(code32);
        out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value without floats")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Uint(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(u64::try_from(value).map_or(Value::Int(value), Value::Uint))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        let mut entries: Vec<(String, Value)> = Vec::new();
        while let Some((key, value)) = pairs.next_entry::<String, Value>()? {
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format!("key {key:?} occurs twice")));
            }
            entries.push((key, value));
        }
        Ok(Value::Map(entries))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(json: &str) -> String {
        let value: Value = serde_json::from_str(json).unwrap();
        let mut out = Vec::new();
        value.pack(&mut out);
        hex::encode(out)
    }

    #[test]
    fn integers_take_the_fewest_bytes() {
        for (json, bytes) in [
            ("0", "00"),
            ("127", "7f"),
            ("128", "cc80"),
            ("256", "cd0100"),
            ("65536", "ce00010000"),
            ("110026", "ce0001adca"),
            ("4294967296", "cf0000000100000000"),
            ("-1", "ff"),
            ("-32", "e0"),
            ("-33", "d0df"),
            ("-129", "d1ff7f"),
            ("-32769", "d2ffff7fff"),
            ("-2147483649", "d3ffffffff7fffffff"),
        ] {
            assert_eq!(packed(json), bytes, "{json}");
        }
    }

    #[test]
    fn texts_lists_and_maps_have_the_heads_of_their_length() {
        assert_eq!(packed(r#""abc""#), "a3616263");
        assert!(packed(&format!("{:?}", "c".repeat(34))).starts_with("d922"));
        assert!(packed(&format!("{:?}", "c".repeat(300))).starts_with("da012c"));
        assert!(packed(&format!("[{}]", ["1"; 16].join(","))).starts_with("dc0010"));
        assert_eq!(packed(r#"{"b":true,"a":null}"#), "82a162c3a161c0");
    }

    #[test]
    fn floats_and_keys_that_occur_twice_are_refused() {
        assert!(serde_json::from_str::<Value>("1.5").is_err());
        assert!(serde_json::from_str::<Value>(r#"{"a":1,"a":2}"#).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(value) = serde_json::from_slice::<Value>(&bytes) {
                value.pack(&mut Vec::new());
            }
        }

        #[test]
        fn wider_integers_never_pack_shorter(a in any::<u64>(), b in any::<u64>()) {
            let (mut low, mut high) = (Vec::new(), Vec::new());
            pack_uint(&mut low, a.min(b));
            pack_uint(&mut high, a.max(b));
            prop_assert!(low.len() <= high.len());
        }
    }
}
