//! Reading of JSON objects in place: borrowed text, tolerant numbers, and records that keep the
//! keys they do not know.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde_json::value::RawValue;

use crate::decimal::{DecimalError, Px, Sz, Usd};

/// Text of a frame: borrowed from it unless it holds escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        d.deserialize_str(V)
    }
}

/// Keys of an object that this program does not know, in their order. None cost nothing.
pub type Other<'a> = Vec<(Text<'a>, &'a RawValue)>;

/// Reads a text or null with `read`, which says what an acceptable value is.
fn text_or_null<'de, D: Deserializer<'de>, T>(
    d: D,
    read: fn(&str) -> Result<T, DecimalError>,
) -> Result<Option<T>, D::Error> {
    struct V<T>(fn(&str) -> Result<T, DecimalError>);
    impl<'de, T> Visitor<'de> for V<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a decimal number as text, or null")
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
            d.deserialize_str(self)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            (self.0)(text)
                .map(Some)
                .map_err(|e| E::custom(format_args!("{e}: {text:?}")))
        }
    }
    d.deserialize_option(V(read))
}

/// A price of a book level: above zero, or the frame is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelPx(pub Px);

impl<'de> Deserialize<'de> for LevelPx {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match Px::deserialize(d)? {
            px if px.0 > 0 => Ok(Self(px)),
            px => Err(de::Error::custom(format_args!("book price not above zero: {px}"))),
        }
    }
}

/// A size of a book level: above zero, or the frame is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelSz(pub Sz);

impl<'de> Deserialize<'de> for LevelSz {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match text_or_null(d, saturating_sz)? {
            Some(sz) if sz.0 > 0 => Ok(Self(sz)),
            sz => Err(de::Error::custom(format_args!(
                "book size not above zero: {}",
                sz.unwrap_or_default()
            ))),
        }
    }
}

/// A size for caps alone: digits beyond eight decimals are dropped, beyond the range it is the
/// largest size, so that a market counted in billions of units does not cost the frame.
fn saturating_sz(text: &str) -> Result<Sz, DecimalError> {
    match Sz::parse_truncating(text) {
        Err(DecimalError::TooLarge) if !text.starts_with('-') => Ok(Sz(i64::MAX)),
        other => other,
    }
}

/// A reference price of an asset context: null, absent and zero all mean that there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefPx(pub Option<Px>);

impl<'de> Deserialize<'de> for RefPx {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match text_or_null(d, Px::parse)? {
            Some(px) if px.0 < 0 => Err(de::Error::custom(format_args!("negative price: {px}"))),
            px => Ok(Self(px.filter(|px| px.0 > 0))),
        }
    }
}

/// Open interest in base units: truncated, since the venue shows more decimals than count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenInterest(pub Option<Sz>);

impl<'de> Deserialize<'de> for OpenInterest {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match text_or_null(d, saturating_sz)? {
            Some(sz) if sz.0 < 0 => Err(de::Error::custom(format_args!("negative open interest: {sz}"))),
            sz => Ok(Self(sz)),
        }
    }
}

/// A price that only informs (an average, for one): truncated to eight decimals; null is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoosePx(pub Option<Px>);

impl<'de> Deserialize<'de> for LoosePx {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        text_or_null(d, Px::parse_truncating).map(Self)
    }
}

/// Dollars as text, truncated to the six decimals that the venue books with; empty is zero.
pub fn loose_usd(text: &str) -> Result<Usd, DecimalError> {
    if text.is_empty() {
        Ok(Usd(0))
    } else {
        Usd::parse_truncating(text)
    }
}

/// Declares a struct read from a JSON object: `field: Type = "key" required|optional`. An optional
/// field that is absent is its type's default. Keys not named land in `other`; a key given twice
/// is an error, because which of both counts would be a guess.
macro_rules! record {
    (@required $field:ident $key:literal) => {
        $field.ok_or_else(|| serde::de::Error::missing_field($key))?
    };
    (@optional $field:ident $key:literal) => {
        $field.unwrap_or_default()
    };
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $ty:ty = $key:literal $kind:ident,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name<'a> {
            $($(#[$field_doc])* pub $field: $ty,)*
            /// Keys that this program does not know.
            pub other: $crate::frame::Other<'a>,
        }

        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct V<'a>(std::marker::PhantomData<&'a ()>);
                impl<'de: 'a, 'a> serde::de::Visitor<'de> for V<'a> {
                    type Value = $name<'a>;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("an object (", stringify!($name), ")"))
                    }

                    fn visit_map<M: serde::de::MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                        $(let mut $field: Option<$ty> = None;)*
                        let mut other = Vec::new();
                        while let Some(key) = map.next_key::<$crate::frame::Text<'de>>()? {
                            match &*key {
                                $($key => {
                                    if $field.replace(map.next_value()?).is_some() {
                                        return Err(serde::de::Error::duplicate_field($key));
                                    }
                                })*
                                _ => other.push((key, map.next_value()?)),
                            }
                        }
                        Ok($name { $($field: record!(@$kind $field $key),)* other })
                    }
                }
                d.deserialize_map(V(std::marker::PhantomData))
            }
        }
    )*};
}
pub(super) use record;

/// Declares an enum of the venue's words: known ones have a variant, others keep their text.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name<'a> {
            $($(#[$variant_doc])* $variant,)*
            /// A word that this program does not know.
            Unknown($crate::frame::Text<'a>),
        }

        impl $name<'_> {
            /// The venue's word.
            pub fn word(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Unknown(text) => text,
                }
            }
        }

        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = $crate::frame::Text::deserialize(d)?;
                Ok(match &*text {
                    $($word => Self::$variant,)*
                    _ => Self::Unknown(text),
                })
            }
        }
    };
}
pub(super) use words;
