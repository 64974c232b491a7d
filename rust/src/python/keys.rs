//! Keys and keystores for the shell: secrets come in as bytearrays, which hold zeros afterwards.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};
use zeroize::Zeroizing;

use crate::signing::Key;
use crate::signing::keystore::{self, Chance, Keystore};

pub(super) fn invalid(error: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// Takes a secret out of `source` and leaves zeros there, whatever becomes of it.
fn take(source: &Bound<'_, PyByteArray>) -> PyResult<Zeroizing<Vec<u8>>> {
    let secret = Zeroizing::new(source.to_vec());
    for i in 0..source.len() {
        source.as_any().set_item(i, 0)?;
    }
    Ok(secret)
}

pub(super) fn take_key(source: &Bound<'_, PyByteArray>) -> PyResult<Key> {
    Key::read(&take(source)?).map_err(invalid)
}

/// The key of a keystore; the interpreter is free while it is derived.
pub(super) fn unlock(keystore: &[u8], passphrase: &Bound<'_, PyByteArray>) -> PyResult<Key> {
    let secret = take(passphrase)?;
    let keystore = Keystore::read(keystore).map_err(invalid)?;
    let py = passphrase.py();
    py.detach(|| keystore.unlock(&secret)).map_err(invalid)
}

fn lock(py: Python<'_>, key: &Key, secret: &[u8], chance: [u8; 64]) -> PyResult<Py<PyBytes>> {
    let chance = Chance::of(&chance);
    let json = py.detach(|| keystore::lock(key, secret, &chance)).map_err(invalid)?;
    Ok(PyBytes::new(py, json.as_bytes()).unbind())
}

/// The address of a private key; the bytearray is zeroed.
#[pyfunction]
pub fn address_of(key: &Bound<'_, PyByteArray>) -> PyResult<String> {
    Ok(take_key(key)?.address().to_string())
}

/// The address that a keystore names, if it names one; needs no passphrase.
#[pyfunction]
pub fn keystore_address(keystore: &[u8]) -> PyResult<Option<String>> {
    let keystore = Keystore::read(keystore).map_err(invalid)?;
    Ok(keystore.address().map(|address| address.to_string()))
}

/// A keystore that holds the key under the passphrase; both bytearrays are zeroed.
#[pyfunction]
pub fn lock_key(
    py: Python<'_>,
    key: &Bound<'_, PyByteArray>,
    passphrase: &Bound<'_, PyByteArray>,
    chance: [u8; 64],
) -> PyResult<Py<PyBytes>> {
    let (key, secret) = (take_key(key), take(passphrase)?);
    lock(py, &key?, &secret, chance)
}

/// The keystore written anew under the same passphrase, at the cost of new files; the bytearray is zeroed.
#[pyfunction]
pub fn relock_key(
    py: Python<'_>,
    keystore: &[u8],
    passphrase: &Bound<'_, PyByteArray>,
    chance: [u8; 64],
) -> PyResult<Py<PyBytes>> {
    let secret = take(passphrase)?;
    let keystore = Keystore::read(keystore).map_err(invalid)?;
    let key = py.detach(|| keystore.unlock(&secret)).map_err(invalid)?;
    lock(py, &key, &secret, chance)
}
