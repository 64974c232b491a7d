use super::*;
use proptest::prelude::*;

const KEY: &[u8] = b"0x0123456789012345678901234567890123456789012345678901234567890123";
const SIGNER: &str = "0x14791697260e4c9a71f18484c9f997b308e59325";
const GTC: &str = r#"{"type":"order","orders":[{"a":1,"b":true,"p":"100","s":"100","r":false,"t":{"limit":{"tif":"Gtc"}}}],"grouping":"na"}"#;

fn scope(mainnet: bool, vault: Option<&str>) -> Scope {
    let vault = vault.map(|text| Address::parse(text).unwrap());
    Scope {
        nonce: 0,
        vault,
        expires_after_ms: None,
        mainnet,
    }
}

fn sign(json: &str, scope: &Scope) -> (String, String, u8) {
    let mut packed = Vec::new();
    serde_json::from_str::<Value>(json).unwrap().pack(&mut packed);
    let signature = Key::read(KEY).unwrap().sign_l1(&packed, scope);
    let (mut r, mut s) = (Vec::new(), Vec::new());
    write_scalar(&mut r, &signature.r);
    write_scalar(&mut s, &signature.s);
    (
        String::from_utf8(r).unwrap(),
        String::from_utf8(s).unwrap(),
        signature.v,
    )
}

#[test]
fn signatures_equal_those_of_the_official_sdk() {
    let vault = Some("0x1719884eb866cb12b2287399b15f7db5e7d775ea");
    let dummy = r#"{"type":"dummy","num":100000000000}"#;
    let clear = r#"{"type":"scheduleCancel"}"#;
    // From the tests of hyperliquid-python-sdk, via the exchange page, section 5.
    for (json, mainnet, vault, r, s, v) in [
        (
            dummy,
            true,
            None,
            "0x53749d5b30552aeb2fca34b530185976545bb22d0b3ce6f62e31be961a59298",
            "0x755c40ba9bf05223521753995abb2f73ab3229be8ec921f350cb447e384d8ed8",
            27,
        ),
        (
            dummy,
            true,
            vault,
            "0x3c548db75e479f8012acf3000ca3a6b05606bc2ec0c29c50c515066a326239",
            "0x4d402be7396ce74fbba3795769cda45aec00dc3125a984f2a9f23177b190da2c",
            28,
        ),
        (
            GTC,
            true,
            None,
            "0xd65369825a9df5d80099e513cce430311d7d26ddf477f5b3a33d2806b100d78e",
            "0x2b54116ff64054968aa237c20ca9ff68000f977c93289157748a3162b6ea940e",
            28,
        ),
        (
            GTC,
            false,
            None,
            "0x82b2ba28e76b3d761093aaded1b1cdad4960b3af30212b343fb2e6cdfa4e3d54",
            "0x6b53878fc99d26047f4d7e8c90eb98955a109f44209163f52d8dc4278cbbd9f5",
            27,
        ),
        (
            clear,
            false,
            None,
            "0xc75bb195c3f6a4e06b7d395acc20bbb224f6d23ccff7c6a26d327304e6efaeed",
            "0x342f8ede109a29f2c0723bd5efb9e9100e3bbb493f8fb5164ee3d385908233df",
            28,
        ),
    ] {
        assert_eq!(
            sign(json, &scope(mainnet, vault)),
            (r.to_owned(), s.to_owned(), v),
            "{json}"
        );
    }
}

#[test]
fn a_signature_is_worth_nothing_on_the_other_network_or_for_another_scope() {
    let (r, s, v) = sign(GTC, &scope(true, None));
    let recover = |json: &str, scope: &Scope| recover_l1(json.as_bytes(), scope, &r, &s, v).unwrap().to_string();
    assert_eq!(recover(GTC, &scope(true, None)), SIGNER);
    assert_ne!(recover(GTC, &scope(false, None)), SIGNER);
    assert_ne!(
        recover(
            GTC,
            &Scope {
                nonce: 1,
                ..scope(true, None)
            }
        ),
        SIGNER
    );
    assert_ne!(
        recover(
            GTC,
            &Scope {
                expires_after_ms: Some(0),
                ..scope(true, None)
            }
        ),
        SIGNER
    );
    let padded = GTC.replace("\"p\":\"100\"", "\"p\":\"100.0\"");
    assert_eq!(recover(&padded, &scope(true, None)), SIGNER);
    assert_ne!(
        recover(&GTC.replace("\"p\":\"100\"", "\"p\":\"101\""), &scope(true, None)),
        SIGNER
    );
}

#[test]
fn keys_are_read_in_their_forms_and_never_shown() {
    let raw: [u8; 32] = hex_bytes(std::str::from_utf8(&KEY[2..]).unwrap()).unwrap();
    for form in [KEY, &KEY[2..], &raw[..]] {
        assert_eq!(Key::read(form).unwrap().address().to_string(), SIGNER);
    }
    for bad in [&b""[..], b"0x12", &[0; 32], &[0xff; 32], &b"zz".repeat(32)] {
        assert_eq!(Key::read(bad).unwrap_err(), SigningError::Key);
    }
    let shown = format!("{:?}", Key::read(KEY).unwrap());
    assert!(!shown.contains("012345678901"), "{shown}");
}

#[test]
fn malformed_signatures_recover_nobody() {
    let scope = scope(true, None);
    for (r, s, v) in [
        ("0x0", "0x0", 27),
        ("0x", "0x1", 27),
        ("0x1", "0xzz", 27),
        ("0x1", "0x1", 29),
    ] {
        assert_eq!(
            recover_l1(GTC.as_bytes(), &scope, r, s, v),
            Err(SigningError::Signature),
            "{r} {s} {v}"
        );
    }
    assert!(matches!(
        recover_l1(b"{", &scope, "0x1", "0x1", 27),
        Err(SigningError::Json(_))
    ));
    assert!(matches!(
        recover_l1(b"{}", &scope, "0x1", "0x1", 27),
        Err(SigningError::Shape(_))
    ));
}

proptest! {
    #[test]
    fn what_is_signed_recovers_its_signer(nonce in any::<u64>(), expires in any::<Option<u64>>(), mainnet in any::<bool>(), asset in any::<u32>()) {
        let scope = Scope { nonce, vault: None, expires_after_ms: expires, mainnet };
        let json = format!(r#"{{"type":"updateLeverage","asset":{asset},"isCross":false,"leverage":3}}"#);
        let (r, s, v) = sign(&json, &scope);
        prop_assert_eq!(recover_l1(json.as_bytes(), &scope, &r, &s, v).unwrap().to_string(), SIGNER);
    }

    #[test]
    fn any_bytes_recover_an_address_or_an_error(action in "\\PC*", r in "\\PC{0,70}", s in "(0x)?[0-9a-f]{0,66}", v in any::<u8>()) {
        let _ = recover_l1(action.as_bytes(), &scope(true, None), &r, &s, v);
    }
}
