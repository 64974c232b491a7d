//! Encrypted keystores: Ethereum's Web3 Secret Storage, version 3, as geth, Foundry and eth-account write it.
//!
//! Source of the format: ethereum.org, "Web3 secret storage definition". The key goes from here straight into a
//! `Key`; what is derived on the way is erased. Files, passphrases' origin and chance are the shell's.

mod wire;

use std::fmt;

use aes::Aes128;
use aes::cipher::{KeyIvInit, StreamCipher};
use ctr::Ctr128BE;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Address, Key, SigningError, keccak};

/// What a new file costs to guess at: 2^18 times a block of 1 KiB, 256 MiB, as geth's standard keystores do.
const LOG_N: u8 = 18;
const BLOCK: u32 = 8;
const LANES: u32 = 1;
/// A file that asks for more memory than this (in bytes) is refused: it would end the process, not unlock a key.
const MEMORY_MAX: u64 = 1 << 30;
/// A file that asks for more work than this (`n * r * p`, eight times that of a new file) is refused.
const WORK_MAX: u64 = 1 << 24;
/// Rounds of PBKDF2 that take about as long.
const ROUNDS_MAX: u32 = 20_000_000;

/// Why a keystore was refused. No text repeats what was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeystoreError {
    /// No JSON of the right shape; which part of it is wrong.
    Form(String),
    /// The memory or work that its key derivation asks for is beyond the bounds.
    Cost(String),
    /// The check code does not fit: another passphrase, or another file.
    Passphrase,
    /// What was encrypted is no private key.
    Key,
    /// The key has another address than the file says.
    Address,
}

impl fmt::Display for KeystoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(reason) => write!(f, "no keystore of version 3: {reason}"),
            Self::Cost(asked) => write!(
                f,
                "the keystore asks for {asked}, more than a gigabyte or ten seconds of work"
            ),
            Self::Passphrase => f.write_str("the passphrase is wrong, or the keystore is damaged"),
            Self::Key => f.write_str("the keystore holds no valid private key"),
            Self::Address => f.write_str("the keystore names another address than that of its key"),
        }
    }
}

impl std::error::Error for KeystoreError {}

/// The numbers of one scrypt derivation, within the bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Scrypt {
    log_n: u8,
    r: u32,
    p: u32,
    salt: Vec<u8>,
}

impl Scrypt {
    fn new(n: u64, r: u32, p: u32, salt: Vec<u8>) -> Result<Self, KeystoreError> {
        if n < 2 || !n.is_power_of_two() || r == 0 || p == 0 {
            return Err(KeystoreError::Form("its scrypt parameters are none".to_owned()));
        }
        let block = u64::from(r) * 128;
        let memory = n.checked_mul(block).map(|bytes| bytes.max(block * u64::from(p)));
        let work = n
            .checked_mul(u64::from(r))
            .and_then(|work| work.checked_mul(u64::from(p)));
        if !(memory.is_some_and(|bytes| bytes <= MEMORY_MAX) && work.is_some_and(|work| work <= WORK_MAX)) {
            return Err(KeystoreError::Cost(format!("scrypt with n={n}, r={r}, p={p}")));
        }
        let log_n = n.trailing_zeros().to_le_bytes()[0];
        Ok(Self { log_n, r, p, salt })
    }

    fn derive(&self, passphrase: &[u8], derived: &mut [u8; 32]) -> Result<(), KeystoreError> {
        let parameters = scrypt::Params::new(self.log_n, self.r, self.p).map_err(refused)?;
        scrypt::scrypt(passphrase, &self.salt, &parameters, derived).map_err(refused)
    }
}

fn refused(error: impl fmt::Display) -> KeystoreError {
    KeystoreError::Cost(error.to_string())
}

/// How a passphrase becomes a key for the cipher. Made only within the bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Derivation {
    Scrypt(Scrypt),
    Pbkdf2 { rounds: u32, salt: Vec<u8> },
}

impl Derivation {
    fn pbkdf2(rounds: u32, salt: Vec<u8>) -> Result<Self, KeystoreError> {
        match rounds {
            0 => Err(KeystoreError::Form("its rounds of pbkdf2 are none".to_owned())),
            1..=ROUNDS_MAX => Ok(Self::Pbkdf2 { rounds, salt }),
            _ => Err(KeystoreError::Cost(format!("{rounds} rounds of pbkdf2"))),
        }
    }

    /// The first half is the cipher's key, the second goes into the check code.
    fn derive(&self, passphrase: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeystoreError> {
        let mut derived = Zeroizing::new([0; 32]);
        match self {
            Self::Scrypt(scrypt) => scrypt.derive(passphrase, &mut derived)?,
            Self::Pbkdf2 { rounds, salt } => {
                pbkdf2::pbkdf2_hmac::<Sha256>(passphrase, salt, *rounds, &mut *derived);
            }
        }
        Ok(derived)
    }
}

/// Fresh random bytes for one new file; the core has no random source.
#[derive(Clone, Copy, Debug)]
pub struct Chance {
    salt: [u8; 32],
    iv: [u8; 16],
    id: [u8; 16],
}

impl Chance {
    /// Splits 64 random bytes.
    pub fn of(bytes: &[u8; 64]) -> Self {
        let mut chance = Self {
            salt: [0; 32],
            iv: [0; 16],
            id: [0; 16],
        };
        chance.salt.copy_from_slice(&bytes[..32]);
        chance.iv.copy_from_slice(&bytes[32..48]);
        chance.id.copy_from_slice(&bytes[48..]);
        chance
    }
}

/// A keystore as it was read: a private key under a passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keystore {
    address: Option<Address>,
    derivation: Derivation,
    iv: [u8; 16],
    ciphertext: [u8; 32],
    mac: [u8; 32],
}

impl Keystore {
    /// Reads a file; nothing is derived yet, and its cost is within the bounds.
    pub fn read(json: &[u8]) -> Result<Self, KeystoreError> {
        wire::read(json)
    }

    /// The address that the file names; some programs write none.
    pub fn address(&self) -> Option<Address> {
        self.address
    }

    /// Takes the key out. Takes as long as the file says: about a second for those of `lock`.
    pub fn unlock(&self, passphrase: &[u8]) -> Result<Key, KeystoreError> {
        let derived = self.derivation.derive(passphrase)?;
        let mac = check_code(&derived, &self.ciphertext);
        if !bool::from(mac.ct_eq(&self.mac)) {
            return Err(KeystoreError::Passphrase);
        }
        let mut secret = Zeroizing::new(self.ciphertext);
        run_cipher(&derived, &self.iv, &mut *secret);
        let key = Key::read(&*secret).map_err(|_: SigningError| KeystoreError::Key)?;
        if self.address.is_some_and(|address| address != key.address()) {
            return Err(KeystoreError::Address);
        }
        Ok(key)
    }
}

/// The file that holds a key under a passphrase, at the cost of new files.
pub fn lock(key: &Key, passphrase: &[u8], chance: &Chance) -> Result<String, KeystoreError> {
    let scrypt = Scrypt::new(1 << LOG_N, BLOCK, LANES, chance.salt.to_vec())?;
    lock_with(&scrypt, key, passphrase, chance)
}

fn lock_with(scrypt: &Scrypt, key: &Key, passphrase: &[u8], chance: &Chance) -> Result<String, KeystoreError> {
    let mut derived = Zeroizing::new([0; 32]);
    scrypt.derive(passphrase, &mut derived)?;
    // The cipher works in place, so that the copy of the key is the ciphertext from here on.
    let mut ciphertext = key.secret.to_secret_bytes();
    run_cipher(&derived, &chance.iv, &mut ciphertext);
    Ok(wire::write(&wire::New {
        address: key.address(),
        scrypt,
        chance,
        mac: check_code(&derived, &ciphertext),
        ciphertext,
    }))
}

fn run_cipher(derived: &[u8; 32], iv: &[u8; 16], data: &mut [u8]) {
    let (key, _) = derived.split_at(16);
    let mut cipher_key = Zeroizing::new([0; 16]);
    cipher_key.copy_from_slice(key);
    Ctr128BE::<Aes128>::new((&*cipher_key).into(), iv.into()).apply_keystream(data);
}

fn check_code(derived: &[u8; 32], ciphertext: &[u8; 32]) -> [u8; 32] {
    keccak(&[&derived[16..], ciphertext])
}

#[cfg(test)]
mod tests;
