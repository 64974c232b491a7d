use super::*;
use proptest::prelude::*;

const KEY: &[u8] = b"0x0123456789012345678901234567890123456789012345678901234567890123";
const PASSPHRASE: &[u8] = b"a passphrase for tests";
/// Vectors of ethereum.org, "Web3 secret storage definition"; the passphrase of both is `testpassword`.
const VECTOR_SCRYPT: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"83dbcc02d8ccb40e466191a123791e0e"},
"ciphertext":"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c","kdf":"scrypt","kdfparams":{"dklen":32,
"n":262144,"p":8,"r":1,"salt":"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},
"mac":"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"},
"id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;
const VECTOR_PBKDF2: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
"ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2","kdfparams":{"c":262144,
"dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
"mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},
"id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;
const VECTOR_ADDRESS: &str = "0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b";

fn chance(seed: u8) -> Chance {
    Chance::of(&std::array::from_fn(|i| seed.wrapping_add(i.to_le_bytes()[0])))
}

/// A keystore that costs next to nothing.
fn cheap(key: &Key, passphrase: &[u8], chance: &Chance) -> String {
    let scrypt = Scrypt::new(4, 1, 1, chance.salt.to_vec()).unwrap();
    lock_with(&scrypt, key, passphrase, chance).unwrap()
}

fn sample() -> String {
    cheap(&Key::read(KEY).unwrap(), PASSPHRASE, &chance(1))
}

fn refused(json: &str) -> String {
    Keystore::read(json.as_bytes()).unwrap_err().to_string()
}

#[test]
fn the_vectors_of_the_format_unlock_to_their_key() {
    for vector in [VECTOR_SCRYPT, VECTOR_PBKDF2] {
        let keystore = Keystore::read(vector.as_bytes()).unwrap();
        assert_eq!(keystore.address(), None);
        let key = keystore.unlock(b"testpassword").unwrap();
        assert_eq!(key.address().to_string(), VECTOR_ADDRESS);
        assert_eq!(
            hex::encode(key.secret.as_secret_bytes()),
            "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
        );
    }
}

#[test]
fn what_is_locked_unlocks_with_its_passphrase_alone() {
    let keystore = Keystore::read(sample().as_bytes()).unwrap();
    let address = Key::read(KEY).unwrap().address();
    assert_eq!(keystore.address(), Some(address));
    assert_eq!(keystore.unlock(PASSPHRASE).unwrap().address(), address);
    for wrong in [&b""[..], b"A passphrase for tests", b"a passphrase for tests "] {
        assert_eq!(keystore.unlock(wrong).unwrap_err(), KeystoreError::Passphrase);
    }
}

#[test]
fn a_new_file_has_the_cost_and_the_shape_that_is_promised() {
    let key = Key::read(KEY).unwrap();
    let json = lock(&key, PASSPHRASE, &chance(1)).unwrap();
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["version"], 3);
    assert_eq!(read["address"], "14791697260e4c9a71f18484c9f997b308e59325");
    assert_eq!(read["id"], "31323334-3536-4738-b93a-3b3c3d3e3f40");
    assert_eq!(read["crypto"]["kdf"], "scrypt");
    let cost = &read["crypto"]["kdfparams"];
    assert_eq!((cost["n"].as_u64(), cost["r"].as_u64()), (Some(262_144), Some(8)));
    assert_eq!((cost["p"].as_u64(), cost["dklen"].as_u64()), (Some(1), Some(32)));
    assert!(!json.contains("0123456789012345"));
    let keystore = Keystore::read(json.as_bytes()).unwrap();
    assert_eq!(keystore.unlock(PASSPHRASE).unwrap().address(), key.address());
}

#[test]
fn other_programs_spellings_are_read() {
    let sample = sample();
    let address = Key::read(KEY).unwrap().address();
    for (ours, theirs) in [
        ("\"crypto\"", "\"Crypto\""),
        (
            "14791697260e4c9a71f18484c9f997b308e59325",
            "0x14791697260E4C9A71F18484C9F997B308E59325",
        ),
        ("\"mac\":\"", "\"mac\":\"0x"),
        ("\"dklen\":32", "\"dklen\":64"),
        ("\"version\"", "\"name\":\"mine\",\"version\""),
    ] {
        let changed = sample.replacen(ours, theirs, 1);
        assert_ne!(changed, sample, "{ours}");
        let key = Keystore::read(changed.as_bytes()).unwrap().unlock(PASSPHRASE).unwrap();
        assert_eq!(key.address(), address, "{theirs}");
    }
}

#[test]
fn an_iv_without_its_leading_zeros_is_read() {
    let mut chance = chance(1);
    chance.iv[..2].fill(0);
    let json = cheap(&Key::read(KEY).unwrap(), PASSPHRASE, &chance);
    let short = json.replacen("\"iv\":\"0000", "\"iv\":\"", 1);
    assert_ne!(short, json);
    assert!(Keystore::read(short.as_bytes()).unwrap().unlock(PASSPHRASE).is_ok());
}

#[test]
fn what_is_no_keystore_is_refused_with_what_is_wrong() {
    let sample = sample();
    for (part, other, why) in [
        ("\"version\":3", "\"version\":1", "its version is 1"),
        ("aes-128-ctr", "aes-128-cbc", "its cipher is not aes-128-ctr"),
        (
            "\"scrypt\"",
            "\"argon2\"",
            "its key derivation is neither scrypt nor pbkdf2",
        ),
        ("\"scrypt\"", "\"pbkdf2\"", "numbers of its key derivation are missing"),
        ("\"n\":4,", "", "numbers of its key derivation are missing"),
        ("\"n\":4", "\"n\":6", "its scrypt parameters are none"),
        ("\"n\":4", "\"n\":1", "its scrypt parameters are none"),
        ("\"r\":1", "\"r\":0", "its scrypt parameters are none"),
        ("\"p\":1", "\"p\":0", "its scrypt parameters are none"),
        (
            "\"dklen\":32",
            "\"dklen\":31",
            "its derived key is shorter than 32 bytes",
        ),
        ("\"salt\":\"", "\"salt\":\"0", "its salt is no hex of at most 64 bytes"),
        ("\"salt\":\"", "\"salt\":\"öä", "its salt is no hex of at most 64 bytes"),
        ("\"mac\":\"", "\"mac\":\"0", "its mac is no 32 bytes of hex"),
        (
            "\"ciphertext\":\"",
            "\"ciphertext\":\"00",
            "its ciphertext is no 32 bytes of hex",
        ),
        ("\"iv\":\"", "\"iv\":\"zz", "its iv is no 16 bytes of hex"),
        ("\"address\":\"1", "\"address\":\"", "its address is none"),
        (
            "\"cipher\":",
            "\"cypher\":",
            "line 1, column 429 is not as it should be",
        ),
    ] {
        let changed = sample.replacen(part, other, 1);
        assert_ne!(changed, sample, "{part}");
        assert_eq!(refused(&changed), format!("no keystore of version 3: {why}"));
    }
    assert_eq!(
        refused(""),
        "no keystore of version 3: line 1, column 0 is not as it should be"
    );
    assert_eq!(
        refused("[]"),
        "no keystore of version 3: line 1, column 2 is not as it should be"
    );
}

#[test]
fn a_file_that_would_take_a_gigabyte_or_minutes_is_refused_before_anything_is_derived() {
    let numbers = |n: u64, r: u32, p: u32| format!("\"n\":{n},\"p\":{p},\"r\":{r}");
    let with = |n, r, p| sample().replacen(&numbers(4, 1, 1), &numbers(n, r, p), 1);
    for (n, r, p) in [
        (1 << 20, 9, 1),
        (1 << 18, 8, 9),
        (1 << 63, 1, 1),
        (2, u32::MAX, 1),
        (2, 1, u32::MAX),
        (1 << 63, u32::MAX, u32::MAX),
    ] {
        let asked = format!("scrypt with n={n}, r={r}, p={p}");
        assert!(refused(&with(n, r, p)).contains(&asked));
    }
    assert!(Keystore::read(with(1 << 20, 8, 1).as_bytes()).is_ok());
    assert!(Keystore::read(with(1 << 18, 8, 8).as_bytes()).is_ok());
    let rounds = |c: u64| VECTOR_PBKDF2.replacen("262144", &c.to_string(), 1);
    assert!(refused(&rounds(20_000_001)).contains("20000001 rounds of pbkdf2"));
    assert!(refused(&rounds(0)).contains("its rounds of pbkdf2 are none"));
    assert!(Keystore::read(rounds(20_000_000).as_bytes()).is_ok());
}

#[test]
fn a_file_that_names_another_address_or_holds_no_key_is_refused() {
    let key = Key::read(KEY).unwrap();
    let other = sample().replacen("14791697", "24791697", 1);
    let keystore = Keystore::read(other.as_bytes()).unwrap();
    assert_eq!(keystore.unlock(PASSPHRASE).unwrap_err(), KeystoreError::Address);
    // What decrypts to zeros passes the check code and is no key of the curve.
    let mut keystore = Keystore::read(sample().as_bytes()).unwrap();
    let derived = keystore.derivation.derive(PASSPHRASE).unwrap();
    for (byte, secret) in keystore.ciphertext.iter_mut().zip(key.secret.to_secret_bytes()) {
        *byte ^= secret;
    }
    keystore.mac = check_code(&derived, &keystore.ciphertext);
    assert_eq!(keystore.unlock(PASSPHRASE).unwrap_err(), KeystoreError::Key);
}

proptest! {
    #[test]
    fn any_key_comes_back_under_any_passphrase(secret in prop::array::uniform32(1..=254_u8), word in ".{0,40}", seed: u8) {
        let key = Key::read(&secret).unwrap();
        let json = cheap(&key, word.as_bytes(), &chance(seed));
        let back = Keystore::read(json.as_bytes()).unwrap().unlock(word.as_bytes()).unwrap();
        prop_assert_eq!(back.secret.to_secret_bytes(), secret);
    }

    #[test]
    fn any_bytes_give_a_keystore_or_an_error(noise in prop::collection::vec(any::<u8>(), 0..300), at in 0..500_usize) {
        let mut json = sample().into_bytes();
        let at = at.min(json.len());
        json.splice(at..at.saturating_add(noise.len()).min(json.len()), noise.iter().copied());
        let _ = Keystore::read(&json).map(|keystore| keystore.address());
        let _ = Keystore::read(&noise);
    }
}
