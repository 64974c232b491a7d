//! Signing for the shell, and recovery for the simulated venue.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};

use super::keys::{invalid, take_key, unlock};
use super::kill;
use crate::decimal::{Px, Sz};
use crate::order::{Action, Desk, NonceSource, OrderWire, Signed, Tif};
use crate::signing::{self, Address, Key, Scope};
use crate::types::Cloid;

/// `(asset, is_buy, px, sz, reduce_only, tif, cloid, sz_decimals)`.
type OrderTuple = (u32, bool, String, String, bool, String, Option<String>, u32);

fn cloid(text: &str) -> PyResult<Cloid> {
    Cloid::parse(text).ok_or_else(|| invalid(format_args!("cloid is not 0x and 32 hex digits: {text:?}")))
}

fn order((asset, is_buy, px, sz, reduce_only, tif, id, sz_decimals): OrderTuple) -> PyResult<OrderWire> {
    Ok(OrderWire {
        asset,
        is_buy,
        px: Px::parse(&px).map_err(|e| invalid(format_args!("px {px:?}: {e}")))?,
        sz: Sz::parse(&sz).map_err(|e| invalid(format_args!("sz {sz:?}: {e}")))?,
        reduce_only,
        tif: Tif::parse(&tif).ok_or_else(|| invalid(format_args!("tif is not Ioc, Gtc or Alo: {tif:?}")))?,
        cloid: id.as_deref().map(cloid).transpose()?,
        sz_decimals,
    })
}

/// A signed action, ready for either door of the venue.
#[pyclass(frozen, get_all, module = "hip3._hip3")]
pub struct SignedAction {
    /// Nonce it was signed with, in ms.
    nonce: u64,
    /// Text frame of a WebSocket post.
    post: Py<PyBytes>,
    /// Body of `POST /exchange`.
    body: Py<PyBytes>,
}

/// Holds the agent key and signs the allowed actions, each with a fresh nonce, until it is killed.
#[pyclass(frozen, module = "hip3._hip3")]
pub struct Signer(Desk, Arc<AtomicBool>);

impl Signer {
    fn with(key: Key, mainnet: bool, vault: Option<&str>) -> PyResult<Self> {
        let vault = vault.map(Address::parse).transpose().map_err(invalid)?;
        let desk = Desk {
            key,
            mainnet,
            vault,
            nonces: NonceSource::above(0),
        };
        Ok(Self(desk, Arc::default()))
    }

    fn sign(
        &self,
        py: Python<'_>,
        action: &Action<'_>,
        now_ms: u64,
        expires_after_ms: Option<u64>,
        post_id: u64,
    ) -> PyResult<SignedAction> {
        if self.1.load(Ordering::Acquire) {
            return Err(invalid("killed: nothing is signed any more"));
        }
        let Signed { nonce, body, post } = self
            .0
            .sign(action, now_ms, expires_after_ms, post_id)
            .map_err(invalid)?;
        Ok(SignedAction {
            nonce,
            post: PyBytes::new(py, &post).unbind(),
            body: PyBytes::new(py, &body).unbind(),
        })
    }
}

#[pymethods]
impl Signer {
    #[new]
    #[pyo3(signature = (key, mainnet, vault=None))]
    fn new(key: &Bound<'_, PyByteArray>, mainnet: bool, vault: Option<&str>) -> PyResult<Self> {
        Self::with(take_key(key)?, mainnet, vault)
    }

    /// A signer with the key of a keystore.
    #[staticmethod]
    #[pyo3(signature = (keystore, passphrase, mainnet, vault=None))]
    fn unlock(
        keystore: &[u8],
        passphrase: &Bound<'_, PyByteArray>,
        mainnet: bool,
        vault: Option<&str>,
    ) -> PyResult<Self> {
        Self::with(unlock(keystore, passphrase)?, mainnet, vault)
    }

    /// Watches for a file and for SIGUSR1 from a thread that needs neither the interpreter nor its event loop.
    fn watch_kill_file(&self, path: PathBuf) -> PyResult<()> {
        kill::watch(path, &self.1).map_err(|e| invalid(format_args!("no watch for the kill file: {e}")))
    }

    #[getter]
    fn is_killed(&self) -> bool {
        self.1.load(Ordering::Acquire)
    }

    #[getter]
    fn address(&self) -> String {
        self.0.key.address().to_string()
    }

    #[getter]
    fn last_nonce(&self) -> u64 {
        self.0.nonces.last()
    }

    fn orders(
        &self,
        py: Python<'_>,
        orders: Vec<OrderTuple>,
        now_ms: u64,
        expires_after_ms: Option<u64>,
        post_id: u64,
    ) -> PyResult<SignedAction> {
        let orders = orders.into_iter().map(order).collect::<PyResult<Vec<_>>>()?;
        self.sign(py, &Action::Order(&orders), now_ms, expires_after_ms, post_id)
    }

    fn cancel(
        &self,
        py: Python<'_>,
        cancels: Vec<(u32, u64)>,
        now_ms: u64,
        expires_after_ms: Option<u64>,
        post_id: u64,
    ) -> PyResult<SignedAction> {
        self.sign(py, &Action::Cancel(&cancels), now_ms, expires_after_ms, post_id)
    }

    fn cancel_by_cloid(
        &self,
        py: Python<'_>,
        cancels: Vec<(u32, String)>,
        now_ms: u64,
        expires_after_ms: Option<u64>,
        post_id: u64,
    ) -> PyResult<SignedAction> {
        let cancels = cancels
            .iter()
            .map(|(asset, id)| Ok((*asset, cloid(id)?)))
            .collect::<PyResult<Vec<_>>>()?;
        self.sign(py, &Action::CancelByCloid(&cancels), now_ms, expires_after_ms, post_id)
    }

    fn schedule_cancel(
        &self,
        py: Python<'_>,
        time_ms: Option<u64>,
        now_ms: u64,
        post_id: u64,
    ) -> PyResult<SignedAction> {
        self.sign(py, &Action::ScheduleCancel(time_ms), now_ms, None, post_id)
    }

    fn update_leverage(
        &self,
        py: Python<'_>,
        asset: u32,
        is_cross: bool,
        leverage: u32,
        now_ms: u64,
        post_id: u64,
    ) -> PyResult<SignedAction> {
        self.sign(
            py,
            &Action::UpdateLeverage {
                asset,
                is_cross,
                leverage,
            },
            now_ms,
            None,
            post_id,
        )
    }

    fn noop(&self, py: Python<'_>, now_ms: u64, post_id: u64) -> PyResult<SignedAction> {
        self.sign(py, &Action::Noop, now_ms, None, post_id)
    }

    fn __repr__(&self) -> String {
        format!(
            "Signer(address={:?}, mainnet={})",
            self.address(),
            if self.0.mainnet { "True" } else { "False" }
        )
    }
}

/// The address that signed an action, as the venue finds it.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the parts of an envelope, one argument each")]
pub fn recover_l1(
    action: &[u8],
    nonce: u64,
    vault: Option<&str>,
    expires_after: Option<u64>,
    mainnet: bool,
    r: &str,
    s: &str,
    v: u8,
) -> PyResult<String> {
    let vault = vault.map(Address::parse).transpose().map_err(invalid)?;
    let scope = Scope {
        nonce,
        vault,
        expires_after_ms: expires_after,
        mainnet,
    };
    signing::recover_l1(action, &scope, r, s, v)
        .map(|address| address.to_string())
        .map_err(invalid)
}

/// The address that signed a user-signed action of type `kind`, as the venue finds it.
#[pyfunction]
pub fn recover_user(kind: &str, action: &[u8], r: &str, s: &str, v: u8) -> PyResult<String> {
    signing::typed::recover_user(kind, action, r, s, v)
        .map(|address| address.to_string())
        .map_err(invalid)
}
