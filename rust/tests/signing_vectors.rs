//! Every published L1 vector, read in place: hash, msgpack, signature and recovery.

use std::path::Path;

use hip3::signing::msgpack::Value;
use hip3::signing::typed::recover_user;
use hip3::signing::{Address, Key, Scope, Signature, action_hash, recover_l1};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Vector {
    name: String,
    private_key: String,
    signer: String,
    action: Box<RawValue>,
    nonce: u64,
    vault_address: Option<String>,
    expires_after: Option<u64>,
    is_mainnet: bool,
    r: String,
    s: String,
    v: u8,
    action_hash: String,
    msgpack_hex: String,
    sig_rsv_65: String,
}

fn joined(signature: &Signature) -> String {
    format!(
        "0x{}{}{:02x}",
        hex::encode(signature.r),
        hex::encode(signature.s),
        signature.v
    )
}

#[test]
fn every_vector_is_reproduced_and_recovered() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/signing_vectors.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: no signing vectors beside the checkout; the vectors in the unit tests still ran");
        return;
    };
    let vectors: Vec<Vector> = serde_json::from_str(&text).unwrap();
    assert!(vectors.len() >= 74, "only {} vectors", vectors.len());
    for vector in vectors {
        let name = &vector.name;
        let scope = Scope {
            nonce: vector.nonce,
            vault: vector
                .vault_address
                .as_deref()
                .map(|text| Address::parse(text).unwrap()),
            expires_after_ms: vector.expires_after,
            mainnet: vector.is_mainnet,
        };
        let mut packed = Vec::new();
        serde_json::from_str::<Value>(vector.action.get())
            .unwrap()
            .pack(&mut packed);
        assert_eq!(hex::encode(&packed), vector.msgpack_hex, "{name}");
        assert_eq!(
            format!("0x{}", hex::encode(action_hash(&packed, &scope))),
            vector.action_hash,
            "{name}"
        );
        let key = Key::read(vector.private_key.as_bytes()).unwrap();
        assert_eq!(key.address().to_string(), vector.signer, "{name}");
        assert_eq!(joined(&key.sign_l1(&packed, &scope)), vector.sig_rsv_65, "{name}");
        let recovered = recover_l1(vector.action.get().as_bytes(), &scope, &vector.r, &vector.s, vector.v);
        assert_eq!(recovered.unwrap().to_string(), vector.signer, "{name}");
    }
}

#[derive(Deserialize)]
struct UserVector {
    name: String,
    signer: String,
    primary_type: String,
    action: Box<RawValue>,
    r: String,
    s: String,
    v: u8,
}

#[test]
fn every_user_signed_vector_recovers_its_signer() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/user_signed_vectors.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: no signing vectors beside the checkout; the vectors in the unit tests still ran");
        return;
    };
    let vectors: Vec<UserVector> = serde_json::from_str(&text).unwrap();
    assert!(vectors.len() >= 12, "only {} vectors", vectors.len());
    for vector in vectors {
        let kind = match vector.primary_type.trim_start_matches("HyperliquidTransaction:") {
            "UsdSend" => "usdSend",
            "Withdraw" => "withdraw3",
            "SendAsset" => "sendAsset",
            "UsdClassTransfer" => "usdClassTransfer",
            "ApproveAgent" => "approveAgent",
            "UserSetAbstraction" => "userSetAbstraction",
            other => panic!("{other}: no such type here"),
        };
        let action = vector.action.get().as_bytes();
        let signer = recover_user(kind, action, &vector.r, &vector.s, vector.v).unwrap();
        assert_eq!(signer.to_string(), vector.signer, "{}", vector.name);
    }
}
