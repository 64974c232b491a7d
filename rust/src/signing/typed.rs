//! Recovery of user-signed actions (transfers, approvals): EIP-712 over the action's own fields.
//!
//! Only the simulated venue needs it: `hip3` never signs one of these. Rules: exchange page, section 5.

use serde_json::{Map, Value};

use super::{Address, SigningError, hex_bytes, keccak, recover_digest};

/// How a field is written into the struct that is hashed.
#[derive(Clone, Copy)]
enum Field {
    /// `string`; an absent one counts as empty, as of unnamed agents.
    Text,
    /// `uint64`.
    Number,
    /// `bool`.
    Switch,
    /// `address`.
    Account,
}

impl Field {
    fn solidity(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Number => "uint64",
            Self::Switch => "bool",
            Self::Account => "address",
        }
    }
}

struct Kind {
    action: &'static str,
    primary: &'static str,
    fields: &'static [(&'static str, Field)],
}

const CHAIN: (&str, Field) = ("hyperliquidChain", Field::Text);
const KINDS: &[Kind] = &[
    Kind {
        action: "usdSend",
        primary: "UsdSend",
        fields: &[
            CHAIN,
            ("destination", Field::Text),
            ("amount", Field::Text),
            ("time", Field::Number),
        ],
    },
    Kind {
        action: "withdraw3",
        primary: "Withdraw",
        fields: &[
            CHAIN,
            ("destination", Field::Text),
            ("amount", Field::Text),
            ("time", Field::Number),
        ],
    },
    Kind {
        action: "spotSend",
        primary: "SpotSend",
        fields: &[
            CHAIN,
            ("destination", Field::Text),
            ("token", Field::Text),
            ("amount", Field::Text),
            ("time", Field::Number),
        ],
    },
    Kind {
        action: "usdClassTransfer",
        primary: "UsdClassTransfer",
        fields: &[
            CHAIN,
            ("amount", Field::Text),
            ("toPerp", Field::Switch),
            ("nonce", Field::Number),
        ],
    },
    Kind {
        action: "sendAsset",
        primary: "SendAsset",
        fields: &[
            CHAIN,
            ("destination", Field::Text),
            ("sourceDex", Field::Text),
            ("destinationDex", Field::Text),
            ("token", Field::Text),
            ("amount", Field::Text),
            ("fromSubAccount", Field::Text),
            ("nonce", Field::Number),
        ],
    },
    Kind {
        action: "approveAgent",
        primary: "ApproveAgent",
        fields: &[
            CHAIN,
            ("agentAddress", Field::Account),
            ("agentName", Field::Text),
            ("nonce", Field::Number),
        ],
    },
    Kind {
        action: "approveBuilderFee",
        primary: "ApproveBuilderFee",
        fields: &[
            CHAIN,
            ("maxFeeRate", Field::Text),
            ("builder", Field::Account),
            ("nonce", Field::Number),
        ],
    },
    Kind {
        action: "userSetAbstraction",
        primary: "UserSetAbstraction",
        fields: &[
            CHAIN,
            ("user", Field::Account),
            ("abstraction", Field::Text),
            ("nonce", Field::Number),
        ],
    },
];

/// The address that signed a user-signed action of type `kind`, as the venue finds it.
///
/// The chain is the action's own `signatureChainId`; a signature over other fields recovers some other
/// address, never an error.
pub fn recover_user(kind: &str, action_json: &[u8], r: &str, s: &str, v: u8) -> Result<Address, SigningError> {
    let action: Map<String, Value> =
        serde_json::from_slice(action_json).map_err(|e| SigningError::Json(e.to_string()))?;
    let kind = KINDS
        .iter()
        .find(|known| known.action == kind)
        .ok_or_else(|| SigningError::Json("no user-signed action of this type".into()))?;
    let message = struct_hash(kind, &action)?;
    let chain = action
        .get("signatureChainId")
        .and_then(Value::as_str)
        .and_then(|text| text.strip_prefix("0x"))
        .filter(|digits| !digits.is_empty())
        .and_then(hex_bytes::<32>)
        .ok_or_else(|| wrong("signatureChainId"))?;
    recover_digest(keccak(&[b"\x19\x01", &domain_separator(&chain), &message]), r, s, v)
}

fn wrong(name: &str) -> SigningError {
    SigningError::Json(format!("field {name} is missing or of another kind"))
}

fn struct_hash(kind: &Kind, action: &Map<String, Value>) -> Result<[u8; 32], SigningError> {
    let list: Vec<String> = kind
        .fields
        .iter()
        .map(|(name, field)| format!("{} {name}", field.solidity()))
        .collect();
    let signature = format!("HyperliquidTransaction:{}({})", kind.primary, list.join(","));
    let mut words = vec![keccak(&[signature.as_bytes()])];
    for &(name, field) in kind.fields {
        words.push(word_of(name, field, action.get(name))?);
    }
    Ok(keccak(&words.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>()))
}

fn word_of(name: &str, field: Field, value: Option<&Value>) -> Result<[u8; 32], SigningError> {
    let mut word = [0_u8; 32];
    match (field, value) {
        // An agent without a name: absent or null in the action, empty in what is signed.
        (Field::Text, None | Some(Value::Null)) => return Ok(keccak(&[b""])),
        (Field::Text, Some(Value::String(text))) => return Ok(keccak(&[text.as_bytes()])),
        (Field::Number, Some(Value::Number(number))) => {
            let number = number.as_u64().ok_or_else(|| wrong(name))?;
            word[24..].copy_from_slice(&number.to_be_bytes());
        }
        (Field::Switch, Some(Value::Bool(on))) => word[31] = u8::from(*on),
        (Field::Account, Some(Value::String(text))) => word[12..].copy_from_slice(&Address::parse(text)?.0),
        _ => return Err(wrong(name)),
    }
    Ok(word)
}

fn domain_separator(chain_id: &[u8; 32]) -> [u8; 32] {
    let kind = keccak(&[b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"]);
    keccak(&[
        &kind,
        &keccak(&[b"HyperliquidSignTransaction"]),
        &keccak(&[b"1"]),
        chain_id,
        &[0; 32],
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_is_that_of_the_page() {
        let mut chain = [0; 32];
        chain[29..].copy_from_slice(&[0x06, 0x6e, 0xee]);
        assert_eq!(
            hex::encode(domain_separator(&chain)),
            "feb1393ca4412a4ca577bd51d04f0a77033514c602f4d0a11490fb95f7428df6"
        );
    }

    #[test]
    fn a_transfer_of_the_sdk_recovers_its_signer() {
        let action = br#"{"destination":"0x5e9ee1089755c3435139848e47e6635505d5a13a","amount":"1",
            "time":1687816341423,"signatureChainId":"0x66eee","hyperliquidChain":"Testnet"}"#;
        let r = "0x637b37dd731507cdd24f46532ca8ba6eec616952c56218baeff04144e4a77073";
        let s = "0x11a6a24900e6e314136d2592e2f8d502cd89b7c15b198e1bee043c9589f9fad7";
        let signer = "0x14791697260e4c9a71f18484c9f997b308e59325";
        assert_eq!(recover_user("usdSend", action, r, s, 27).unwrap().to_string(), signer);
        let other = String::from_utf8_lossy(action).replace("\"1\"", "\"2\"");
        assert_ne!(
            recover_user("usdSend", other.as_bytes(), r, s, 27).unwrap().to_string(),
            signer
        );
    }

    #[test]
    fn an_agent_without_a_name_is_signed_with_an_empty_one() {
        let signer = |name: &str| {
            let action = format!(
                r#"{{"agentAddress":"0x14791697260e4c9a71f18484c9f997b308e59325",{name}"nonce":5,
                "signatureChainId":"0x66eee","hyperliquidChain":"Testnet"}}"#
            );
            let r = "0x637b37dd731507cdd24f46532ca8ba6eec616952c56218baeff04144e4a77073";
            recover_user("approveAgent", action.as_bytes(), r, "0x1", 27).unwrap()
        };
        assert_eq!(signer(""), signer(r#""agentName":null,"#));
        assert_eq!(signer(""), signer(r#""agentName":"","#));
        assert_ne!(signer(""), signer(r#""agentName":"a","#));
    }

    #[test]
    fn what_cannot_be_hashed_is_named() {
        let text = |bytes: &[u8]| {
            recover_user("usdSend", bytes, "0x1", "0x1", 27)
                .unwrap_err()
                .to_string()
        };
        assert!(text(br#"{"destination":1}"#).contains("destination"));
        assert!(text(br#"{"destination":"a","amount":"1","time":-1}"#).contains("time"));
        assert!(text(br#"{"destination":"a","amount":"1","time":1}"#).contains("signatureChainId"));
        assert!(recover_user("order", b"{}", "0x1", "0x1", 27).is_err());
    }
}
