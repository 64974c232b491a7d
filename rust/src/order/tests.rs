use super::wire::Wire;
use super::*;
use crate::signing::msgpack::Value;
use crate::signing::recover_l1;
use proptest::prelude::*;

fn desk(vault: Option<Address>) -> Desk {
    let key = Key::read(b"0123456789012345678901234567890123456789012345678901234567890123").unwrap();
    Desk {
        key,
        mainnet: false,
        vault,
        nonces: NonceSource::above(0),
    }
}

fn order(px: &str, sz: &str) -> OrderWire {
    OrderWire {
        asset: 110_026,
        is_buy: true,
        px: Px::parse(px).unwrap(),
        sz: Sz::parse(sz).unwrap(),
        reduce_only: false,
        tif: Tif::Ioc,
        cloid: Some(Cloid(10)),
        sz_decimals: 2,
    }
}

/// Checks one signed action as a venue would and gives its envelope back.
fn accepted(desk: &Desk, signed: &Signed, expires: Option<u64>) -> serde_json::Value {
    let body: serde_json::Value = serde_json::from_slice(&signed.body).unwrap();
    let post: serde_json::Value = serde_json::from_slice(&signed.post).unwrap();
    assert_eq!(post["request"]["payload"], body);
    let text = std::str::from_utf8(&signed.body).unwrap();
    let action = &text[r#"{"action":"#.len()..text.find(r#","nonce":"#).unwrap()];
    let scope = Scope {
        nonce: signed.nonce,
        vault: desk.vault,
        expires_after_ms: expires,
        mainnet: false,
    };
    let (r, s) = (
        body["signature"]["r"].as_str().unwrap(),
        body["signature"]["s"].as_str().unwrap(),
    );
    let v = u8::try_from(body["signature"]["v"].as_u64().unwrap()).unwrap();
    assert_eq!(recover_l1(action.as_bytes(), &scope, r, s, v), Ok(desk.key.address()));
    body
}

#[test]
fn one_call_gives_the_envelope_of_the_exchange_page() {
    let desk = desk(None);
    let signed = desk
        .sign(&Action::Order(&[order("248.15", "1.25")]), 1000, Some(2000), 256)
        .unwrap();
    let body = accepted(&desk, &signed, Some(2000));
    let action = r#"{"action":{"type":"order","orders":[{"a":110026,"b":true,"p":"248.15","s":"1.25","r":false,"t":{"limit":{"tif":"Ioc"}},"c":"0x0000000000000000000000000000000a"}],"grouping":"na"},"nonce":1000,"signature":{"r":"0x"#;
    assert!(
        signed.body.starts_with(action.as_bytes()),
        "{}",
        String::from_utf8_lossy(&signed.body)
    );
    assert!(signed.body.ends_with(br#","vaultAddress":null,"expiresAfter":2000}"#));
    assert!(
        signed
            .post
            .starts_with(br#"{"method":"post","id":256,"request":{"type":"action","payload":{"action":"#)
    );
    assert_eq!(body["nonce"], 1000);
}

#[test]
fn every_action_that_can_be_signed_recovers_its_signer() {
    let vault = Address::parse("0x1719884eb866cb12b2287399b15f7db5e7d775ea").unwrap();
    let desk = desk(Some(vault));
    let batch = vec![
        OrderWire {
            cloid: None,
            ..order("248.1", "1")
        };
        16
    ];
    for action in [
        Action::Order(&batch),
        Action::Cancel(&[(110_026, 77_738_308), (0, u64::MAX)]),
        Action::CancelByCloid(&[(110_026, Cloid(5))]),
        Action::ScheduleCancel(None),
        Action::ScheduleCancel(Some(123_456_789)),
        Action::UpdateLeverage {
            asset: 110_026,
            is_cross: false,
            leverage: 10,
        },
        Action::Noop,
    ] {
        let signed = desk.sign(&action, 5, None, 1).unwrap();
        let body = accepted(&desk, &signed, None);
        assert_eq!(body["vaultAddress"], vault.to_string());
    }
}

#[test]
fn both_forms_of_an_action_say_the_same() {
    let mut wire = Wire::default();
    write_action(
        &mut wire,
        &Action::Order(&[
            order("248.15", "1.25"),
            OrderWire {
                cloid: None,
                ..order("1", "10")
            },
        ]),
    );
    let mut packed = Vec::new();
    serde_json::from_slice::<Value>(&wire.json).unwrap().pack(&mut packed);
    assert_eq!(packed, wire.pack);
}

#[test]
fn what_the_venue_would_refuse_is_not_signed_and_burns_no_nonce() {
    let desk = desk(None);
    for (px, sz, error) in [
        ("248.155", "1", OrderError::OffTick(110_026, Px(24_815_500_000))),
        ("0", "1", OrderError::OffTick(110_026, Px(0))),
        ("-1", "1", OrderError::OffTick(110_026, Px(-100_000_000))),
        ("248.1", "1.255", OrderError::OffLot(110_026, Sz(125_500_000))),
        ("248.1", "0", OrderError::OffLot(110_026, Sz(0))),
        ("248.1", "-1", OrderError::OffLot(110_026, Sz(-100_000_000))),
    ] {
        assert_eq!(
            desk.sign(&Action::Order(&[order(px, sz)]), 9, None, 1),
            Err(error),
            "{px} {sz}"
        );
    }
    let zero = [OrderWire {
        cloid: Some(Cloid(0)),
        ..order("1", "1")
    }];
    assert_eq!(
        desk.sign(&Action::Order(&zero), 9, None, 1),
        Err(OrderError::ZeroCloid(110_026))
    );
    assert_eq!(desk.sign(&Action::Order(&[]), 9, None, 1), Err(OrderError::Empty));
    let many = vec![(1, 1); ACTION_ITEMS_MAX + 1];
    assert_eq!(
        desk.sign(&Action::Cancel(&many), 9, None, 1),
        Err(OrderError::TooMany(201))
    );
    assert_eq!(desk.nonces.last(), 0);
}

#[test]
fn nonces_of_many_threads_are_unique_and_never_go_back() {
    let nonces = NonceSource::above(1_000);
    let mut drawn: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..1_000).map(|i| nonces.draw(i % 3)).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!((drawn.len(), drawn[0], nonces.last()), (8_000, 1_001, 9_000));
    assert_eq!(nonces.draw(20_000), 20_000);
}

proptest! {
    #[test]
    fn every_price_and_size_on_the_grid_is_signed_as_written(px in 1_i64..99_999, sz in 1_i64..1_000_000, is_buy in any::<bool>(), reduce_only in any::<bool>()) {
        let desk = desk(None);
        let order = OrderWire { is_buy, reduce_only, px: Px(px * 1_000_000), sz: Sz(sz * 1_000_000), ..order("1", "1") };
        let signed = desk.sign(&Action::Order(&[order]), 1, None, 1).unwrap();
        let body = accepted(&desk, &signed, None);
        let sent = &body["action"]["orders"][0];
        prop_assert_eq!(Px::parse(sent["p"].as_str().unwrap()), Ok(order.px));
        prop_assert_eq!(Sz::parse(sent["s"].as_str().unwrap()), Ok(order.sz));
    }
}
