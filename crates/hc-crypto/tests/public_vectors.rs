//! The ciphers, hashes and signatures that the stack stands on give what their standards say: RFC 8032 (Ed25519), RFC 8439
//! (ChaCha20-Poly1305, which the secret stream is made of) and RFC 7693 (BLAKE2b).

use blake2::digest::consts::{U20, U32, U48, U64};
use blake2::digest::{FixedOutput, KeyInit, Update};
use blake2::{Blake2b, Blake2bMac};
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, Payload};
use hc_crypto::{KeyPair, PublicKey, Signature, hash};
use serde_json::Value;

fn vectors(list: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("vectors/public.json")).unwrap();
    all[list].as_array().unwrap().clone()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn fixed<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

#[test]
fn ed25519_signs_and_checks_as_rfc_8032_says() {
    for vector in vectors("ed25519") {
        let name = &vector["name"];
        let (pair, message) = (KeyPair::from_seed(&fixed(&vector["secretKey"])), bytes(&vector["message"]));
        let signature = Signature::from(fixed::<64>(&vector["signature"]));
        assert_eq!(pair.public(), PublicKey::from(fixed::<32>(&vector["publicKey"])), "{name}");
        assert_eq!(pair.sign(&message), signature, "{name}");
        assert!(pair.public().verify(&message, &signature), "{name}");
        let longer = [message.as_slice(), &[0]].concat();
        assert!(!pair.public().verify(&longer, &signature), "{name}");
    }
}

#[test]
fn chacha20_poly1305_seals_and_opens_as_rfc_8439_says() {
    for vector in vectors("chacha20poly1305") {
        let name = &vector["name"];
        let cipher = ChaCha20Poly1305::new(&fixed::<32>(&vector["key"]).into());
        let (nonce, aad) = (fixed::<12>(&vector["nonce"]).into(), bytes(&vector["aad"]));
        let plain = bytes(&vector["plain"]);
        let sealed = [bytes(&vector["cipher"]), bytes(&vector["tag"])].concat();
        let made = cipher.encrypt(&nonce, Payload { msg: &plain, aad: &aad }).unwrap();
        assert_eq!(hex::encode(made), hex::encode(&sealed), "{name}");
        assert_eq!(cipher.decrypt(&nonce, Payload { msg: &sealed, aad: &aad }).unwrap(), plain, "{name}");
        for at in [0, sealed.len() / 2, sealed.len() - 1] {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(cipher.decrypt(&nonce, Payload { msg: &altered, aad: &aad }).is_err(), "{name}");
        }
    }
}

#[test]
fn blake2b_of_abc_is_that_of_rfc_7693() {
    for vector in vectors("blake2b") {
        assert_eq!(unkeyed::<64>(&bytes(&vector["message"])).to_vec(), bytes(&vector["hash"]));
    }
}

/// The bytes that the self test of RFC 7693, appendix E, hashes: a Fibonacci sequence.
fn sequence(len: usize, seed: usize) -> Vec<u8> {
    let mut a = 0xdead_4bad_u32.wrapping_mul(u32::try_from(seed).unwrap());
    let mut b = 1_u32;
    let next = |_| {
        let sum = a.wrapping_add(b);
        (a, b) = (b, sum);
        sum.to_be_bytes()[0]
    };
    (0..len).map(next).collect()
}

fn unkeyed<const N: usize>(message: &[u8]) -> Vec<u8> {
    macro_rules! of {
        ($size:ty) => {{
            let mut hasher = Blake2b::<$size>::default();
            Update::update(&mut hasher, message);
            hasher.finalize_fixed().to_vec()
        }};
    }
    match N {
        20 => of!(U20),
        // 32 is what everything of ours uses
        32 => hash::blake2b(&[message]).as_bytes().to_vec(),
        48 => of!(U48),
        _ => of!(U64),
    }
}

fn keyed<const N: usize>(key: &[u8; N], message: &[u8]) -> Vec<u8> {
    macro_rules! of {
        ($size:ty) => {{
            let mut hasher = <Blake2bMac<$size> as KeyInit>::new_from_slice(key).unwrap();
            Update::update(&mut hasher, message);
            hasher.finalize_fixed().to_vec()
        }};
    }
    match N {
        20 => of!(U20),
        32 => hash::blake2b_keyed(key, &[message]).as_bytes().to_vec(),
        48 => of!(U48),
        _ => of!(U64),
    }
}

#[test]
fn blake2b_passes_the_self_test_of_rfc_7693() {
    fn all<const N: usize>(of_all: &mut Blake2b<U32>) {
        for len in [0, 3, 128, 129, 255, 1024] {
            let message = sequence(len, len);
            Update::update(of_all, &unkeyed::<N>(&message));
            let key: [u8; N] = sequence(N, N).try_into().unwrap();
            Update::update(of_all, &keyed(&key, &message));
        }
    }
    let mut of_all = Blake2b::<U32>::default();
    all::<20>(&mut of_all);
    all::<32>(&mut of_all);
    all::<48>(&mut of_all);
    all::<64>(&mut of_all);
    let expected = "c23a7800d98123bd10f506c61e29da5603d763b8bbad2e737f5e765a7bccd475";
    assert_eq!(hex::encode(of_all.finalize_fixed()), expected);
}

#[test]
fn hashing_in_parts_is_hashing_at_once() {
    let message = sequence(1024, 7);
    for cut in [0, 1, 127, 128, 129, 1023, 1024] {
        let (head, tail) = message.split_at(cut);
        assert_eq!(hash::blake2b(&[head, tail]), hash::blake2b(&[&message]), "cut at {cut}");
        let key = [9; 32];
        assert_eq!(hash::blake2b_keyed(&key, &[head, tail]), hash::blake2b_keyed(&key, &[&message]));
    }
}
