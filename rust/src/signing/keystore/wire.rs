//! The JSON of a keystore, both ways. Bytes are hex; numbers of the derivation stand beside their salt.

use serde::{Deserialize, Serialize};

use super::{Chance, Derivation, Keystore, KeystoreError, Scrypt};
use crate::signing::{Address, hex_bytes};

const VERSION: u64 = 3;
const CIPHER: &str = "aes-128-ctr";
const PRF: &str = "hmac-sha256";
/// Of the derived key the first 32 bytes are used, whatever its length.
const DERIVED_BYTES: u64 = 32;
const SALT_BYTES_MAX: usize = 64;

#[derive(Deserialize)]
struct File {
    version: u64,
    address: Option<String>,
    // Old programs write it with a capital.
    #[serde(alias = "Crypto")]
    crypto: Crypto,
}

#[derive(Deserialize, Serialize)]
struct Crypto {
    cipher: String,
    ciphertext: String,
    cipherparams: CipherParams,
    kdf: String,
    kdfparams: KdfParams,
    mac: String,
}

#[derive(Deserialize, Serialize)]
struct CipherParams {
    iv: String,
}

/// Of both derivations; each has its own numbers.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct KdfParams {
    dklen: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    c: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prf: Option<String>,
    salt: String,
}

#[derive(Serialize)]
struct Written {
    address: String,
    crypto: Crypto,
    id: String,
    version: u64,
}

/// What a new file is written from.
pub(super) struct New<'a> {
    pub address: Address,
    pub scrypt: &'a Scrypt,
    pub chance: &'a Chance,
    pub ciphertext: [u8; 32],
    pub mac: [u8; 32],
}

fn form(reason: &str) -> KeystoreError {
    KeystoreError::Form(reason.to_owned())
}

pub(super) fn read(json: &[u8]) -> Result<Keystore, KeystoreError> {
    // The place alone: the parser's own text may repeat what it found there.
    let file: File = serde_json::from_slice(json).map_err(|e| {
        KeystoreError::Form(format!(
            "line {}, column {} is not as it should be",
            e.line(),
            e.column()
        ))
    })?;
    if file.version != VERSION {
        return Err(KeystoreError::Form(format!("its version is {}", file.version)));
    }
    let crypto = file.crypto;
    if crypto.cipher != CIPHER {
        return Err(form("its cipher is not aes-128-ctr"));
    }
    let address = file.address.as_deref().map(read_address).transpose()?;
    Ok(Keystore {
        address,
        derivation: read_derivation(&crypto.kdf, &crypto.kdfparams)?,
        // Some programs leave out leading zeros here, as of a number.
        iv: hex_bytes(digits(&crypto.cipherparams.iv)).ok_or_else(|| form("its iv is no 16 bytes of hex"))?,
        ciphertext: whole(&crypto.ciphertext).ok_or_else(|| form("its ciphertext is no 32 bytes of hex"))?,
        mac: whole(&crypto.mac).ok_or_else(|| form("its mac is no 32 bytes of hex"))?,
    })
}

fn read_address(text: &str) -> Result<Address, KeystoreError> {
    Address::parse(&format!("0x{}", digits(text))).map_err(|_| form("its address is none"))
}

fn read_derivation(kdf: &str, given: &KdfParams) -> Result<Derivation, KeystoreError> {
    let salt = read_salt(&given.salt).ok_or_else(|| form("its salt is no hex of at most 64 bytes"))?;
    if given.dklen < DERIVED_BYTES {
        return Err(form("its derived key is shorter than 32 bytes"));
    }
    match (kdf, given.n, given.r, given.p, given.c) {
        ("scrypt", Some(n), Some(r), Some(p), _) => Scrypt::new(n, r, p, salt).map(Derivation::Scrypt),
        ("pbkdf2", _, _, _, Some(rounds)) if given.prf.as_deref() == Some(PRF) => Derivation::pbkdf2(rounds, salt),
        ("scrypt" | "pbkdf2", ..) => Err(form("numbers of its key derivation are missing")),
        _ => Err(form("its key derivation is neither scrypt nor pbkdf2")),
    }
}

fn read_salt(text: &str) -> Option<Vec<u8>> {
    let text = digits(text);
    if text.is_empty() || text.len() % 2 != 0 || text.len() > 2 * SALT_BYTES_MAX || !text.is_ascii() {
        return None;
    }
    let pairs = (0..text.len())
        .step_by(2)
        .map(|i| hex_bytes::<1>(&text[i..i + 2]).map(|[byte]| byte));
    pairs.collect()
}

fn digits(text: &str) -> &str {
    text.strip_prefix("0x").unwrap_or(text)
}

/// Exactly 32 bytes.
fn whole(text: &str) -> Option<[u8; 32]> {
    Some(digits(text)).filter(|text| text.len() == 64).and_then(hex_bytes)
}

pub(super) fn write(new: &New<'_>) -> String {
    let kdfparams = KdfParams {
        dklen: DERIVED_BYTES,
        n: Some(1 << new.scrypt.log_n),
        p: Some(new.scrypt.p),
        r: Some(new.scrypt.r),
        salt: hex(&new.scrypt.salt),
        ..KdfParams::default()
    };
    let crypto = Crypto {
        cipher: CIPHER.to_owned(),
        ciphertext: hex(&new.ciphertext),
        cipherparams: CipherParams {
            iv: hex(&new.chance.iv),
        },
        kdf: "scrypt".to_owned(),
        kdfparams,
        mac: hex(&new.mac),
    };
    let written = Written {
        address: hex(&new.address.0),
        crypto,
        id: uuid(new.chance.id),
        version: VERSION,
    };
    // Texts and numbers alone: there is nothing that could not be written.
    serde_json::to_string(&written).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(b"0123456789abcdef"[usize::from(nibble)]))
        .collect()
}

/// Random bytes as a UUID of version 4.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex(&bytes);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}
