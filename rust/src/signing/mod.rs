//! Signatures of exchange actions: action hash, EIP-712 digest, secp256k1.
//!
//! The key lives only here and is erased when dropped. What may be signed is decided by `order`,
//! whose actions are the only ones reachable from outside the crate's Rust side. Rules: exchange
//! page, section 5.

pub mod canonical;
pub mod keystore;
pub mod msgpack;
pub mod typed;

use std::fmt;

use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, PublicKey, SecretKey};
use sha3::{Digest, Keccak256};
use zeroize::Zeroizing;

use canonical::{ShapeError, canonical};
use msgpack::Value;

/// `keccak256("Agent(string source,bytes32 connectionId)")`.
const AGENT_TYPEHASH: [u8; 32] = word(b"26f05c2f7239b6983075e58321292d77b3aa173d19b27257ac96ab362570f508");
/// Separator of the domain `Exchange`, version 1, chain 1337, zero contract, on both networks.
const DOMAIN_SEPARATOR: [u8; 32] = word(b"d79297fcdf2ffcd4ae223d01edaa2ba214ff8f401d7c9300d995d17c82aa4040");

/// Why a key, an address or a signature was refused. No text repeats what was given: it may be a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SigningError {
    /// Neither 32 bytes nor 64 hex digits, or not a number of the curve's group.
    Key,
    /// Not `0x` and 40 hex digits.
    Address,
    /// `r` or `s` is no hex number of at most 32 bytes, `v` is neither 27 nor 28, or no public key fits.
    Signature,
    /// The action is no JSON that can be hashed.
    Json(String),
    /// The action has not the shape of its type.
    Shape(ShapeError),
}

impl fmt::Display for SigningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("key is neither 32 bytes nor 64 hex digits of a valid private key"),
            Self::Address => f.write_str("address is not 0x and 40 hex digits"),
            Self::Signature => f.write_str("signature recovers no signer"),
            Self::Json(reason) => write!(f, "action is no JSON that can be hashed: {reason}"),
            Self::Shape(fault) => write!(f, "{} must be {}", fault.path, fault.expected),
        }
    }
}

impl std::error::Error for SigningError {}

/// Account address: 20 bytes, shown as `0x` and lower-case hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address(pub [u8; 20]);

impl Address {
    /// Reads `0x` and 40 hex digits of either case.
    pub fn parse(text: &str) -> Result<Self, SigningError> {
        let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 40);
        digits.and_then(hex_bytes).map(Self).ok_or(SigningError::Address)
    }

    fn of(public: &PublicKey) -> Self {
        let hash = keccak(&[&public.serialize_uncompressed()[1..]]);
        let mut address = [0; 20];
        address.copy_from_slice(&hash[12..]);
        Self(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Signature with the recovery number of its signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// First half, big-endian.
    pub r: [u8; 32],
    /// Second half, big-endian, in the lower half of the group.
    pub s: [u8; 32],
    /// 27 or 28.
    pub v: u8,
}

/// What a hash covers besides the action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Milliseconds, unique per signer.
    pub nonce: u64,
    /// Sub-account or vault acted for.
    pub vault: Option<Address>,
    /// Venue time in ms after which the action is refused.
    pub expires_after_ms: Option<u64>,
    /// Mainnet, else testnet (which the simulated venue also speaks).
    pub mainnet: bool,
}

/// Private key. Boxed so that moving it leaves no copy behind; erased on drop; never shown.
pub struct Key {
    secret: Box<SecretKey>,
    address: Address,
}

impl Key {
    /// Reads 32 raw bytes, or 64 hex digits with or without `0x`.
    ///
    /// The caller still owns `text` and erases it.
    pub fn read(text: &[u8]) -> Result<Self, SigningError> {
        let bytes = if let Ok(raw) = <[u8; 32]>::try_from(text) {
            Zeroizing::new(raw)
        } else {
            let text = std::str::from_utf8(text).map_err(|_| SigningError::Key)?.trim();
            let digits = text.strip_prefix("0x").unwrap_or(text);
            if digits.len() != 64 {
                return Err(SigningError::Key);
            }
            Zeroizing::new(hex_bytes(digits).ok_or(SigningError::Key)?)
        };
        let secret = SecretKey::from_secret_bytes(*bytes).map_err(|_| SigningError::Key)?;
        let address = Address::of(&PublicKey::from_secret_key(&secret));
        Ok(Self {
            secret: Box::new(secret),
            address,
        })
    }

    /// The address that signatures of this key recover.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Signs an action given as msgpack, as an L1 action of the venue.
    pub fn sign_l1(&self, action_msgpack: &[u8], scope: &Scope) -> Signature {
        let digest = agent_digest(&action_hash(action_msgpack, scope), scope.mainnet);
        let signed = RecoverableSignature::sign_ecdsa_recoverable(Message::from_digest(digest), &self.secret);
        let (recovery, compact) = signed.serialize_compact();
        let (mut r, mut s) = ([0; 32], [0; 32]);
        r.copy_from_slice(&compact[..32]);
        s.copy_from_slice(&compact[32..]);
        // Recovery numbers 2 and 3 need an r beyond the group order: no such signature can be met.
        Signature {
            r,
            s,
            v: 27 + (recovery.to_u8() & 1),
        }
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.secret.non_secure_erase();
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(redacted, address {})", self.address)
    }
}

/// `keccak256(msgpack || nonce || vault || expiry)`: the `connectionId` of the typed data.
pub fn action_hash(action_msgpack: &[u8], scope: &Scope) -> [u8; 32] {
    let mut tail = Vec::with_capacity(38);
    tail.extend_from_slice(&scope.nonce.to_be_bytes());
    match &scope.vault {
        None => tail.push(0),
        Some(vault) => {
            tail.push(1);
            tail.extend_from_slice(&vault.0);
        }
    }
    if let Some(expires) = scope.expires_after_ms {
        tail.push(0);
        tail.extend_from_slice(&expires.to_be_bytes());
    }
    keccak(&[action_msgpack, &tail])
}

/// The EIP-712 digest of `Agent{source, connectionId}`.
pub fn agent_digest(connection_id: &[u8; 32], mainnet: bool) -> [u8; 32] {
    let source = keccak(&[if mainnet { b"a" } else { b"b" }]);
    let message = keccak(&[&AGENT_TYPEHASH, &source, connection_id]);
    keccak(&[b"\x19\x01", &DOMAIN_SEPARATOR, &message])
}

/// The address that signed `action_json`, as the venue finds it.
///
/// The action is brought to its canonical form first. A signature over another form recovers some
/// other address, never an error: that is the venue's own behaviour.
pub fn recover_l1(action_json: &[u8], scope: &Scope, r: &str, s: &str, v: u8) -> Result<Address, SigningError> {
    let action: Value = serde_json::from_slice(action_json).map_err(|e| SigningError::Json(e.to_string()))?;
    let action = canonical(action).map_err(SigningError::Shape)?;
    let mut packed = Vec::with_capacity(action_json.len());
    action.pack(&mut packed);
    let digest = agent_digest(&action_hash(&packed, scope), scope.mainnet);
    recover_digest(digest, r, s, v)
}

/// The address whose signature of `digest` this is.
fn recover_digest(digest: [u8; 32], r: &str, s: &str, v: u8) -> Result<Address, SigningError> {
    let recovery = match v {
        27 => RecoveryId::Zero,
        28 => RecoveryId::One,
        _ => return Err(SigningError::Signature),
    };
    let mut compact = [0; 64];
    compact[..32].copy_from_slice(&scalar(r).ok_or(SigningError::Signature)?);
    compact[32..].copy_from_slice(&scalar(s).ok_or(SigningError::Signature)?);
    let signature = RecoverableSignature::from_compact(&compact, recovery).map_err(|_| SigningError::Signature)?;
    let public = signature
        .recover_ecdsa(Message::from_digest(digest))
        .map_err(|_| SigningError::Signature)?;
    Ok(Address::of(&public))
}

/// Big-endian bytes as the SDK writes a number: `0x` and hex without leading zeros.
pub(crate) fn write_scalar(out: &mut Vec<u8>, bytes: &[u8; 32]) {
    out.extend_from_slice(b"0x");
    let mut started = false;
    for nibble in bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        started |= nibble != 0;
        if started {
            out.push(b"0123456789abcdef"[usize::from(nibble)]);
        }
    }
    if !started {
        out.push(b'0');
    }
}

fn scalar(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.is_empty() {
        return None;
    }
    hex_bytes(digits)
}

/// Hex digits as big-endian bytes, padded with zeros on the left.
fn hex_bytes<const N: usize>(digits: &str) -> Option<[u8; N]> {
    if digits.len() > 2 * N {
        return None;
    }
    let mut bytes = [0_u8; N];
    for (i, digit) in digits.bytes().rev().enumerate() {
        let nibble = u8::try_from(char::from(digit).to_digit(16)?).ok()?;
        bytes[N - 1 - i / 2] |= nibble << (4 * (i % 2));
    }
    Some(bytes)
}

/// Lower-case hex digits as bytes, at compile time.
const fn word(digits: &[u8; 64]) -> [u8; 32] {
    const fn nibble(digit: u8) -> u8 {
        if digit.is_ascii_digit() {
            digit - b'0'
        } else {
            digit - b'a' + 10
        }
    }
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < 32 {
        bytes[i] = nibble(digits[2 * i]) << 4 | nibble(digits[2 * i + 1]);
        i += 1;
    }
    bytes
}

fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests;
