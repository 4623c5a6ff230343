//! What is signed holds, and nothing else.

use super::*;
use crate::{KeyPair, ManifestError, PartialSignature, Signature};

const TREE: [u8; 32] = [7; 32];

fn setup(manifest: impl FnOnce(Manifest) -> Manifest) -> (KeyPair, Verifier) {
    let pair = KeyPair::from_seed(&[1; 32]);
    let manifest = manifest(Manifest::single(pair.public()));
    (pair, Verifier::new(manifest.key(), manifest).unwrap())
}

#[test]
fn g5_a_head_is_accepted_as_signed_and_in_no_other_form() {
    for version in 0..=2 {
        let (pair, verifier) = setup(|manifest| Manifest { version, ..manifest });
        let tree = Hash::from(TREE);
        let signature = verifier.sign(&pair, &tree, 5, 1).unwrap();
        assert_eq!(verifier.verify(&tree, 5, 1, &signature), Ok(()), "version {version}");
        assert!(verifier.verify(&tree, 6, 1, &signature).is_err());
        assert!(verifier.verify(&tree, 5, 2, &signature).is_err());
        assert!(verifier.verify(&Hash::from([8; 32]), 5, 1, &signature).is_err());
        for at in 0..signature.len() {
            let mut altered = signature.clone();
            altered[at] ^= 1;
            // the patch field of a manifest without patches is not looked at, as upstream
            let ignored = version > 0 && at >= signature.len() - 2;
            assert!(ignored || verifier.verify(&tree, 5, 1, &altered).is_err(), "v{version}, byte {at}");
        }
    }
}

#[test]
fn a13_a_key_pair_that_is_not_declared_cannot_sign() {
    let (_, verifier) = setup(|manifest| manifest);
    let other = KeyPair::from_seed(&[2; 32]);
    assert_eq!(verifier.sign(&other, &Hash::from(TREE), 1, 0), Err(SignError::NotASigner));
}

#[test]
fn g6_a_key_that_is_the_public_key_makes_a_compat_core() {
    let pair = KeyPair::from_seed(&[1; 32]);
    let key = Key::from(pair.public().as_bytes());
    let verifier = Verifier::new(key, Manifest::single(pair.public())).unwrap();
    assert!(verifier.is_compat());
    let signature = verifier.sign(&pair, &Hash::from(TREE), 5, 1).unwrap();
    assert_eq!(signature.len(), 64);
    assert_eq!(verifier.verify(&Hash::from(TREE), 5, 1, &signature), Ok(()));
}

#[test]
fn g20_zeros_and_wrong_lengths_are_no_signature() {
    let (_, verifier) = setup(|manifest| Manifest { version: 0, ..manifest });
    for bytes in [&[0_u8; 64][..], &[0; 63], &[]] {
        assert!(verifier.verify(&Hash::from(TREE), 1, 0, bytes).is_err());
    }
}

/// A log that three may sign, and their key pairs.
fn shared(change: impl FnOnce(Manifest) -> Manifest) -> ([KeyPair; 3], Verifier) {
    let pairs = [1, 2, 3].map(|seed| KeyPair::from_seed(&[seed; 32]));
    let manifest = change(Manifest::several(pairs.iter().map(|pair| Signer::new(pair.public())).collect()));
    (pairs, Verifier::new(manifest.key(), manifest).unwrap())
}

#[test]
fn g11_parts_of_a_quorum_make_a_signature_and_fewer_do_not() {
    for version in 0..=3 {
        let ([a, b, c], verifier) = shared(|manifest| Manifest { version, ..manifest });
        let tree = Hash::from(TREE);
        let part = |pair: &KeyPair| verifier.sign_part(pair, &tree, 5, 1).unwrap();
        for parts in [[part(&a), part(&b)], [part(&c), part(&a)]] {
            let signature = verifier.assemble(&parts).unwrap();
            assert_eq!(verifier.verify(&tree, 5, 1, &signature), Ok(()), "version {version}");
        }
        let few = SignError::Quorum { quorum: 2, signed: 1 };
        assert_eq!(verifier.assemble(&[part(&a)]), Err(few));
        assert_eq!(verifier.sign(&a, &tree, 5, 1), Err(few));
        assert_eq!(verifier.assemble(&[part(&b), part(&b)]), Err(SignError::Twice { signer: 1 }));
        let strange = PartialSignature { signer: 3, ..part(&c) };
        assert_eq!(verifier.assemble(&[part(&a), strange]), Err(SignError::NotASigner));
        let longer = part(&b).of_longer(2, Vec::new());
        assert_eq!(verifier.assemble(&[part(&a), longer]), Err(SignError::Patch { signer: 1, blocks: 2 }));
    }
}

#[test]
fn g11_where_one_of_several_is_enough_each_can_sign_alone() {
    for version in 0..=2 {
        let (pairs, verifier) = shared(|manifest| Manifest { version, quorum: 1, ..manifest });
        for pair in &pairs {
            let signature = verifier.sign(pair, &Hash::from(TREE), 5, 1).unwrap();
            assert_eq!(verifier.verify(&Hash::from(TREE), 5, 1, &signature), Ok(()), "version {version}");
        }
    }
}

#[test]
fn g12_a_signature_of_a_quorum_holds_for_its_head_only() {
    let ([a, b, _], verifier) = shared(|manifest| manifest);
    let tree = Hash::from(TREE);
    let signed = |length, fork| {
        let parts = [&a, &b].map(|pair| verifier.sign_part(pair, &tree, length, fork).unwrap());
        verifier.assemble(&parts).unwrap()
    };
    let signature = signed(5, 1);
    assert_eq!(verifier.verify(&tree, 5, 1, &signature), Ok(()));
    for other in [(4, 1), (6, 1), (5, 0), (5, 2)] {
        assert!(verifier.verify(&tree, other.0, other.1, &signature).is_err(), "{other:?}");
    }
    assert!(verifier.verify(&Hash::from([8; 32]), 5, 1, &signature).is_err());
    // one part for this head and one for another
    let parts = [verifier.sign_part(&a, &tree, 5, 1).unwrap(), verifier.sign_part(&b, &tree, 4, 1).unwrap()];
    let mixed = verifier.assemble(&parts).unwrap();
    assert_eq!(verifier.verify(&tree, 5, 1, &mixed), Err(VerifyError::Mismatch { signer: 1 }));
}

#[test]
fn g13_a_patch_is_refused_where_only_the_hash_is_known() {
    let ([a, b, _], verifier) = shared(|manifest| Manifest { allow_patch: true, ..manifest });
    let node = crate::multisig::PatchNode { index: 10, size: 1, hash: Hash::from([1; 32]) };
    let longer = verifier.sign_part(&b, &Hash::from([9; 32]), 6, 1).unwrap().of_longer(1, vec![node]);
    let parts = [verifier.sign_part(&a, &Hash::from(TREE), 5, 1).unwrap(), longer];
    let signature = verifier.assemble(&parts).unwrap();
    let refused = VerifyError::Patch { signer: 1, blocks: 1 };
    assert_eq!(verifier.verify(&Hash::from(TREE), 5, 1, &signature), Err(refused));
}

#[test]
fn g16_a_log_without_signers_is_its_prologue_and_cannot_be_signed() {
    let manifest = Manifest::fixed(Prologue { hash: Hash::from(TREE), length: 5 });
    let verifier = Verifier::new(manifest.key(), manifest).unwrap();
    assert_eq!(verifier.verify(&Hash::from(TREE), 5, 0, &[]), Ok(()));
    assert_eq!(verifier.verify(&Hash::from(TREE), 4, 0, &[]), Err(VerifyError::Prologue));
    assert_eq!(verifier.verify(&Hash::from([8; 32]), 5, 0, &[]), Err(VerifyError::Prologue));
    assert_eq!(verifier.verify(&Hash::from(TREE), 6, 0, &[]), Err(VerifyError::Static));
    assert_eq!(verifier.quorum(), 0);
    let pair = KeyPair::from_seed(&[1; 32]);
    assert_eq!(verifier.sign(&pair, &Hash::from(TREE), 6, 0), Err(SignError::NotASigner));
}

#[test]
fn g4_a_manifest_that_nobody_can_fulfil_makes_no_verifier() {
    let manifest = Manifest { quorum: 2, ..Manifest::single(KeyPair::from_seed(&[1; 32]).public()) };
    let refused = Verifier::new(manifest.key(), manifest).unwrap_err();
    assert_eq!(refused, VerifyError::Unfit(ManifestError::Quorum { quorum: 2, signers: 1 }));
}

#[test]
fn g10_a_manifest_of_another_log_makes_no_verifier() {
    let manifest = Manifest::single(KeyPair::from_seed(&[1; 32]).public());
    let other = Manifest::single(KeyPair::from_seed(&[2; 32]).public());
    assert_eq!(Verifier::new(other.key(), manifest).unwrap_err(), VerifyError::Manifest);
}

#[test]
fn the_oldest_logs_sign_without_the_namespace_of_trees() {
    let pair = KeyPair::from_seed(&[1; 32]);
    let key = Key::from(pair.public().as_bytes());
    let verifier = Verifier::new(key, Manifest::single(pair.public())).unwrap();
    let signature = verifier.clone().legacy().sign(&pair, &Hash::from(TREE), 5, 1).unwrap();
    assert_eq!(verifier.clone().legacy().verify(&Hash::from(TREE), 5, 1, &signature), Ok(()));
    assert!(verifier.verify(&Hash::from(TREE), 5, 1, &signature).is_err());
    assert!(Signature::try_from(signature.as_slice()).is_ok());
}
