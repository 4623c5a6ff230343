//! Hashes, keys, names, manifests and signatures are those of Node. The vectors are made by `interop/generate/crypto.mjs`.

mod common;

use common::{number, unhex, unhex32, vectors};
use compact_encoding::{Decode, Encode};
use hc_crypto::{
    Hash, Key, KeyPair, Manifest, ManifestError, Namespace, PartialSignature, Prologue, PublicKey, Signer,
    Verifier, VerifyError,
};
use hc_crypto::{hash, namespace, signable};
use serde_json::Value;

#[test]
fn leaves_parents_and_trees_hash_as_in_node() {
    for vector in vectors("hashes") {
        let made = match vector["kind"].as_str().unwrap() {
            "leaf" => hash::leaf(&vec![7; usize::try_from(number(&vector["size"])).unwrap()]),
            "parent" => {
                let child = |name: &str| Hash::from(unhex32(&vector[name]));
                hash::parent(number(&vector["size"]), &child("left"), &child("right"))
            }
            _ => {
                let roots = vector["roots"].as_array().unwrap().iter();
                let roots = roots.map(|root| (root, Hash::from(unhex32(&root["hash"]))));
                let roots: Vec<(u64, u64, Hash)> =
                    roots.map(|(root, hash)| (number(&root["index"]), number(&root["size"]), hash)).collect();
                hash::tree(roots.iter().map(|(index, size, hash)| (*index, *size, hash)))
            }
        };
        assert_eq!(made, Hash::from(unhex32(&vector["hash"])), "{vector}");
    }
}

#[test]
fn g2_namespaces_are_nodes() {
    for vector in vectors("namespaces") {
        let name = vector["name"].as_str().unwrap().as_bytes();
        let made = namespace::namespace(name, u8::try_from(number(&vector["number"])).unwrap());
        assert_eq!(made, Namespace::from(unhex32(&vector["namespace"])), "{vector}");
    }
}

#[test]
fn a3_ids_and_discovery_keys_are_nodes() {
    for vector in vectors("keys") {
        let key = Key::from(unhex32(&vector["key"]));
        assert_eq!(key.to_z32(), vector["id"].as_str().unwrap());
        assert_eq!(vector["id"].as_str().unwrap().parse::<Key>().unwrap(), key);
        assert_eq!(key.discovery_key().as_bytes(), &unhex32(&vector["discoveryKey"]));
    }
}

#[test]
fn capabilities_are_nodes() {
    for vector in vectors("capabilities") {
        let handshake: [u8; 64] = unhex(&vector["handshake"]).try_into().unwrap();
        let key = Key::from(unhex32(&vector["key"]));
        let made = signable::replicate_capability(vector["initiator"].as_bool().unwrap(), &key, &handshake);
        assert_eq!(made, unhex32(&vector["capability"]));
    }
}

#[test]
fn p1_the_key_pair_of_a_name_is_nodes() {
    for vector in vectors("names") {
        let name = vector["name"].as_str().unwrap().as_bytes();
        let namespace = Namespace::from(unhex32(&vector["namespace"]));
        let pair = KeyPair::for_name(&unhex32(&vector["primaryKey"]), &namespace, name);
        assert_eq!(pair.public().as_bytes(), &unhex32(&vector["publicKey"]));
        assert_eq!(pair.secret_bytes().to_vec(), unhex(&vector["secretKey"]));
        if vector["key"].is_string() {
            assert_eq!(Manifest::single(pair.public()).key(), Key::from(unhex32(&vector["key"])));
        }
    }
    let nested = Namespace::corestore_default().derive(b"inner").derive(b"most");
    assert!(vectors("names").iter().any(|vector| unhex32(&vector["namespace"]) == *nested.as_bytes()));
}

fn manifest(vector: &Value) -> Manifest {
    let signer = |signer: &Value| Signer {
        namespace: Namespace::from(unhex32(&signer["namespace"])),
        public_key: PublicKey::from(unhex32(&signer["publicKey"])),
    };
    let prologue = vector["prologue"].as_object().map(|prologue| Prologue {
        hash: Hash::from(unhex32(&prologue["hash"])),
        length: number(&prologue["length"]),
    });
    let linked =
        vector["linked"].as_array().map(|keys| keys.iter().map(|key| Key::from(unhex32(key))).collect());
    Manifest {
        version: number(&vector["version"]),
        allow_patch: vector["allowPatch"].as_bool().unwrap(),
        quorum: number(&vector["quorum"]),
        signers: vector["signers"].as_array().unwrap().iter().map(signer).collect(),
        prologue,
        linked,
        user_data: vector["userData"].is_string().then(|| unhex(&vector["userData"])),
    }
}

#[test]
fn g1_g2_manifests_of_all_forms_and_their_keys_are_nodes() {
    for vector in vectors("manifests") {
        let (manifest, encoded) = (manifest(&vector), unhex(&vector["encoded"]));
        assert_eq!(hex::encode(manifest.to_vec()), hex::encode(&encoded), "{manifest:?}");
        assert_eq!(manifest.encoded_len(), encoded.len());
        assert_eq!(Manifest::from_bytes(&encoded), Ok(manifest.clone()));
        assert_eq!(manifest.key(), Key::from(unhex32(&vector["key"])), "{manifest:?}");
        for end in 0..encoded.len() {
            assert!(Manifest::parse(&encoded[..end]).is_err(), "cut at {end}: {manifest:?}");
        }
    }
}

#[test]
fn what_is_signed_is_as_in_node() {
    for vector in vectors("signables") {
        let tree = Hash::from(unhex32(&vector["hash"]));
        let (length, fork) = (number(&vector["length"]), number(&vector["fork"]));
        assert_eq!(
            signable::tree(&unhex32(&vector["context"]), &tree, length, fork).to_vec(),
            unhex(&vector["signable"])
        );
        assert_eq!(signable::tree_compat(&tree, length, fork).to_vec(), unhex(&vector["compat"]));
    }
}

#[test]
fn g5_g20_signatures_are_judged_as_in_node() {
    for vector in vectors("signatures") {
        let manifest = Manifest::from_bytes(&unhex(&vector["manifest"])).unwrap();
        let verifier = Verifier::new(Key::from(unhex32(&vector["key"])), manifest).unwrap();
        let tree = Hash::from(unhex32(&vector["hash"]));
        let (length, fork) = (number(&vector["length"]), number(&vector["fork"]));
        let judged = verifier.verify(&tree, length, fork, &unhex(&vector["signature"]));
        assert_eq!(judged.is_ok(), vector["valid"].as_bool().unwrap(), "{}: {judged:?}", vector["what"]);
    }
}

#[test]
fn g5_signatures_of_one_signer_are_made_as_in_node() {
    // the seed of the first signer in the script
    let pair = KeyPair::from_seed(&[1; 32]);
    let mut made = 0;
    for vector in vectors("signatures") {
        let manifest = Manifest::from_bytes(&unhex(&vector["manifest"])).unwrap();
        if manifest.signers.len() != 1 || vector["valid"] == false {
            continue;
        }
        let verifier = Verifier::new(Key::from(unhex32(&vector["key"])), manifest).unwrap();
        let tree = Hash::from(unhex32(&vector["hash"]));
        let signature =
            verifier.sign(&pair, &tree, number(&vector["length"]), number(&vector["fork"])).unwrap();
        assert_eq!(signature, unhex(&vector["signature"]), "{}", vector["what"]);
        made += 1;
    }
    assert_eq!(made, 5);
}

#[test]
fn g11_signatures_of_several_are_put_together_as_in_node() {
    // the seeds of the signers in the script
    let pairs = [1, 2, 3].map(|seed| KeyPair::from_seed(&[seed; 32]));
    let mut made = 0;
    for vector in vectors("signatures") {
        let who: &[usize] = match vector["what"].as_str().unwrap().split_once(", version ") {
            Some(("two of three", "0" | "1" | "2")) => &[0, 2],
            Some(("two of three", version)) if version.ends_with("round") => &[2, 1],
            Some(("three of three", _)) => &[0, 1, 2],
            _ => continue,
        };
        let manifest = Manifest::from_bytes(&unhex(&vector["manifest"])).unwrap();
        let verifier = Verifier::new(Key::from(unhex32(&vector["key"])), manifest).unwrap();
        let tree = Hash::from(unhex32(&vector["hash"]));
        let (length, fork) = (number(&vector["length"]), number(&vector["fork"]));
        let part = |i: &usize| verifier.sign_part(&pairs[*i], &tree, length, fork).unwrap();
        let parts: Vec<PartialSignature> = who.iter().map(part).collect();
        assert_eq!(verifier.assemble(&parts).unwrap(), unhex(&vector["signature"]), "{}", vector["what"]);
        made += 1;
    }
    assert_eq!(made, 9);
}

#[test]
fn g16_prologues_are_judged_as_in_node() {
    for vector in vectors("prologues") {
        let manifest = Manifest::from_bytes(&unhex(&vector["manifest"])).unwrap();
        let verifier = Verifier::new(Key::from(unhex32(&vector["key"])), manifest).unwrap();
        let tree = Hash::from(unhex32(&vector["hash"]));
        let judged = verifier.verify(&tree, number(&vector["length"]), 0, &unhex(&vector["signature"]));
        assert_eq!(judged.is_ok(), vector["valid"].as_bool().unwrap(), "{vector}: {judged:?}");
    }
}

#[test]
fn g3_a_manifest_of_signers_alone_is_filled_in_as_in_node() {
    for vector in vectors("defaults") {
        let count = u8::try_from(number(&vector["count"])).unwrap();
        let manifest = Manifest::several((0..count).map(|i| Signer::new(PublicKey::from([i; 32]))).collect());
        assert_eq!(manifest.version, number(&vector["version"]));
        assert_eq!(manifest.quorum, number(&vector["quorum"]), "{count} signers");
        assert_eq!(hex::encode(manifest.to_bytes()), vector["encoded"].as_str().unwrap());
        assert_eq!(manifest.key(), Key::from(unhex32(&vector["key"])));
    }
}

#[test]
fn g4_g8_manifests_given_as_bytes_are_taken_and_refused_as_in_node() {
    let mut taken = 0;
    for vector in vectors("judgedManifests") {
        let parsed = Manifest::parse(&unhex(&vector["encoded"]));
        let Some(key) = vector["key"].as_str() else {
            assert!(parsed.is_err(), "{}", vector["what"]);
            continue;
        };
        let key: Key = key.parse().unwrap();
        assert_eq!(parsed.as_ref().map(Manifest::key), Ok(key), "{}", vector["what"]);
        assert_eq!(Manifest::parse_for(&key, &unhex(&vector["encoded"])), parsed);
        let other = Key::from([1; 32]);
        assert_eq!(Manifest::parse_for(&other, &unhex(&vector["encoded"])), Err(ManifestError::Key));
        taken += 1;
    }
    assert_eq!(taken, 17);
}

#[test]
fn g10_a_manifest_belongs_to_its_key_as_in_node() {
    let pair = KeyPair::from_seed(&[1; 32]);
    let (manifest, own) = (Manifest::single(pair.public()), Key::from(pair.public().as_bytes()));
    assert!(manifest.belongs_to(&manifest.key()) && manifest.belongs_to(&own));
    for vector in vectors("signatures") {
        let (key, encoded) = (Key::from(unhex32(&vector["key"])), unhex(&vector["manifest"]));
        let right = Manifest::parse(&encoded).unwrap();
        let wrong = Manifest { quorum: right.quorum - 1, ..right.clone() };
        assert!(Verifier::new(key, right).is_ok());
        let compat = wrong.is_compat(&key);
        assert_eq!(Verifier::new(key, wrong).err(), (!compat).then_some(VerifyError::Manifest));
    }
}
