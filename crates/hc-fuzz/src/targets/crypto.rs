//! Keys, manifests, signatures of quorums, and the verifier.

use compact_encoding::{Decode, Encode, Reader, put};
use hc_crypto::multisig::{MultiSignature, Patch, PatchNode, Proof};
use hc_crypto::namespace::DEFAULT_NAMESPACE;
use hc_crypto::{
    BlockCipher, DiscoveryKey, Hash, Key, KeyPair, Manifest, ManifestError, Namespace, Prologue, PublicKey,
    Signature, SignedHead, Signer, Verifier,
};

use super::decoder;
use crate::probe::Probe;
use crate::rng::Rng;
use crate::target::{Classed, Target, Verdict, class, described, stable, stable_by};
use crate::values::{bytes, few, manifest, maybe, node, some};
use crate::vectors;

pub(super) fn targets() -> Vec<Target> {
    const FIXED: &[&str] = &[
        "hc-crypto Hash",
        "hc-crypto Key",
        "hc-crypto DiscoveryKey",
        "hc-crypto PublicKey",
        "hc-crypto Namespace",
        "hc-crypto Signature",
    ];
    const VERIFIER: &[&str] = &["hc-crypto Verifier::verify", "hc-crypto Verifier::verify_head"];
    vec![
        decoder("fixed", FIXED, |rng| vec![rng.bytes(260)], fixed),
        decoder("key-text", &[], key_texts, key_text),
        decoder("signer", &["hc-crypto Signer"], signers, stable::<Signer>),
        decoder("manifest", &["hc-crypto Manifest"], manifests, stable::<Manifest>),
        decoder(
            "manifest-parse",
            &["hc-crypto Manifest::parse", "hc-crypto Manifest::parse_for"],
            manifests,
            parsed,
        ),
        decoder(
            "manifest-stored",
            &["hc-crypto Manifest::decode_stored"],
            stored_manifests,
            |probe, input| {
                stable_by(probe, input, Manifest::decode_stored, |manifest| {
                    let mut out = Vec::new();
                    manifest.encode_stored(&mut out);
                    out
                })
            },
        ),
        decoder("multisig", &["hc-crypto MultiSignature"], multi_signatures, stable::<MultiSignature>),
        decoder("multisig-v0", &["hc-crypto MultiSignature::from_v0"], multi_signatures_v0, from_v0),
        decoder("multisig-proof", &["hc-crypto Proof"], |rng| some(rng, proof), stable::<Proof>),
        decoder(
            "patch-node",
            &["hc-crypto PatchNode"],
            |rng| some(rng, |rng| node(rng).to_vec()),
            stable::<PatchNode>,
        ),
        decoder("verifier", VERIFIER, signatures, verify),
        decoder("block-cipher", &["hc-crypto BlockCipher::open"], blocks, open),
    ]
}

fn fixed(probe: &mut Probe, input: &[u8]) -> Verdict {
    stable_by(
        probe,
        input,
        |reader| {
            let hashes = (Hash::decode(reader)?, Key::decode(reader)?, DiscoveryKey::decode(reader)?);
            Ok::<_, compact_encoding::DecodeError>((
                hashes,
                (PublicKey::decode(reader)?, Namespace::decode(reader)?, Signature::decode(reader)?),
            ))
        },
        |((a, b, c), (d, e, f))| {
            [a.to_vec(), b.to_vec(), c.to_vec(), d.to_vec(), e.to_vec(), f.to_vec()].concat()
        },
    )
}

/// A key as people write it.
fn key_text(probe: &mut Probe, input: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(input);
    match probe.watch(|| text.parse::<Key>()) {
        Err(_) => Verdict::Refused(class(text.len().min(70))),
        Ok(key) if key.to_string().parse() == Ok(key) => Verdict::Accepted(class(text.len())),
        Ok(key) => Verdict::Broken(format!("{key} is not parsed as the same key")),
    }
}

fn key_texts(rng: &mut Rng) -> Vec<Vec<u8>> {
    let key = Key::from(rng.array::<32>());
    vec![key.to_string().into_bytes(), hex::encode(key.as_bytes()).into_bytes()]
}

fn parsed(probe: &mut Probe, input: &[u8]) -> Verdict {
    match probe.watch(|| Manifest::parse(input)) {
        Err(ManifestError::Decode(error)) => Verdict::Refused(error.class()),
        Err(error) => Verdict::Refused(described(&error)),
        Ok(manifest) => match Manifest::parse_for(&manifest.key(), &manifest.to_bytes()) {
            Ok(again) if again.key() == manifest.key() && again == manifest => {
                Verdict::Accepted(class((manifest.version, manifest.signers.len())))
            }
            other => Verdict::Broken(format!("what it wrote is {other:?}")),
        },
    }
}

fn from_v0(probe: &mut Probe, input: &[u8]) -> Verdict {
    match probe.watch(|| MultiSignature::from_v0(input)) {
        Err(error) => Verdict::Refused(error.class()),
        // there is no writer of that form; what was read is written in the other one
        Ok(signature) => match MultiSignature::from_bytes(&signature.to_vec()) {
            Ok(again) if again == signature => {
                Verdict::Accepted(class((signature.proofs.len(), signature.patch.len())))
            }
            other => Verdict::Broken(format!("what it wrote is {other:?}")),
        },
    }
}

fn file() -> serde_json::Value {
    vectors::file("hc-crypto", "crypto.json")
}

fn signers(rng: &mut Rng) -> Vec<Vec<u8>> {
    some(rng, |rng| [vec![0], rng.bytes(64)].concat())
}

fn manifests(rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut seeds = vectors::field(&file(), "manifests", "encoded", |_| true);
    seeds.extend(some(rng, |rng| manifest(rng).to_vec()));
    seeds
}

fn stored_manifests(rng: &mut Rng) -> Vec<Vec<u8>> {
    some(rng, |rng| {
        let mut out = Vec::new();
        manifest(rng).encode_stored(&mut out);
        out
    })
}

fn proof(rng: &mut Rng) -> Vec<u8> {
    let mut out = Vec::new();
    put::uint(&mut out, rng.uint());
    out.extend(rng.bytes(64));
    put::uint(&mut out, if rng.once_in(2) { 0 } else { rng.uint() });
    out
}

fn list(out: &mut Vec<u8>, items: &[Vec<u8>]) {
    put::len(out, items.len());
    out.extend(items.concat());
}

fn multi_signatures(rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut seeds = vectors::field(&file(), "signatures", "signature", |_| true);
    seeds.extend(some(rng, |rng| {
        let mut out = Vec::new();
        list(&mut out, &few(rng, proof));
        list(&mut out, &few(rng, |rng| node(rng).to_vec()));
        out
    }));
    seeds
}

fn proof_v0(rng: &mut Rng) -> Vec<u8> {
    let (mut out, patched) = (Vec::new(), rng.once_in(2));
    put::uint(&mut out, u64::from(patched));
    put::uint(&mut out, rng.uint());
    out.extend(rng.bytes(64));
    if patched {
        put::uint(&mut out, rng.uint());
        put::uint(&mut out, rng.uint());
        put::uint_list(&mut out, &few(rng, Rng::uint));
    }
    out
}

fn multi_signatures_v0(rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut seeds = vectors::field(&file(), "signatures", "signature", |_| true);
    seeds.extend(some(rng, |rng| {
        let mut out = Vec::new();
        list(&mut out, &few(rng, proof_v0));
        list(&mut out, &few(rng, |rng| node(rng).to_vec()));
        out
    }));
    seeds
}

/// A manifest behind its length, a key or none, a tree hash, length, fork, and the signature of that.
fn verify(probe: &mut Probe, input: &[u8]) -> Verdict {
    let mut reader = Reader::new(input);
    let parsed = probe.watch(|| {
        let manifest = Manifest::from_prefix(reader.buffer()?)?;
        let key = reader.optional_buffer()?.and_then(|key| Key::try_from(key).ok());
        let tree = Hash::decode(&mut reader)?;
        Ok::<_, compact_encoding::DecodeError>((manifest, key, tree, reader.uint()?, reader.uint()?))
    });
    let (manifest, key, tree, length, fork) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return Verdict::Refused(error.class()),
    };
    let key = key.unwrap_or_else(|| manifest.key());
    let signature = reader.rest();
    let judged = probe.watch(|| {
        let (verifier, head) = (Verifier::new(key, manifest)?, Head { tree, length, fork });
        let plain = verifier.verify(&tree, length, fork, signature);
        verifier.verify_head(&head, signature).map(|()| plain)
    });
    match judged {
        Ok(plain) => Verdict::Accepted(class((length, fork, plain.is_ok()))),
        Err(error) => Verdict::Refused(described(&error)),
    }
}

/// A head that takes any patch whose first node has the number of its own hash.
struct Head {
    tree: Hash,
    length: u64,
    fork: u64,
}

impl SignedHead for Head {
    fn length(&self) -> u64 {
        self.length
    }

    fn fork(&self) -> u64 {
        self.fork
    }

    fn hash(&self) -> Hash {
        self.tree
    }

    fn extended(&self, blocks: u64, patch: &Patch) -> Option<Hash> {
        patch.get(blocks).map(|node| node.hash)
    }
}

/// An index, then a stored block.
fn open(probe: &mut Probe, input: &[u8]) -> Verdict {
    let mut reader = Reader::new(input);
    let Ok(index) = reader.uint64() else { return Verdict::Refused(0) };
    let cipher = BlockCipher::new(&[1; 32], &Key::from([2; 32]), index & 1 == 0, index & 2 == 0);
    let stored = reader.rest();
    match probe.watch(|| cipher.open(index, stored)) {
        Err(_) => Verdict::Refused(class(stored.len())),
        Ok(block) if block.len() + cipher.padding() == stored.len() => {
            Verdict::Accepted(class(block.len().next_power_of_two()))
        }
        Ok(block) => {
            Verdict::Broken(format!("a block of {} bytes comes out of {}", block.len(), stored.len()))
        }
    }
}

fn blocks(rng: &mut Rng) -> Vec<Vec<u8>> {
    some(rng, |rng| {
        let cipher = BlockCipher::new(&[1; 32], &Key::from([2; 32]), true, true);
        let index = rng.uint();
        [index.to_le_bytes().to_vec(), cipher.seal(index, rng.uint(), &bytes(rng))].concat()
    })
}

/// Heads that are signed in all ways: those that Node judged, and others.
fn signatures(rng: &mut Rng) -> Vec<Vec<u8>> {
    let file = file();
    let entries = file["signatures"].as_array().into_iter().flatten();
    let seed = |entry: &serde_json::Value| {
        let bytes = |name: &str| hex::decode(entry[name].as_str()?).ok();
        let head = (entry["length"].as_u64()?, entry["fork"].as_u64()?);
        let tree = Hash::try_from(bytes("hash")?.as_slice()).ok()?;
        Some(head_to_verify(&bytes("manifest")?, &bytes("key")?, &tree, head, &bytes("signature")?))
    };
    let mut seeds: Vec<Vec<u8>> = entries.filter_map(seed).collect();
    seeds.extend((0..150).map(|_| signed(rng)));
    seeds
}

fn head_to_verify(manifest: &[u8], key: &[u8], tree: &Hash, head: (u64, u64), signature: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put::buffer(&mut out, manifest);
    put::buffer(&mut out, key);
    tree.encode(&mut out);
    put::uint(&mut out, head.0);
    put::uint(&mut out, head.1);
    out.extend_from_slice(signature);
    out
}

/// A head that some of up to four signers have signed, rightly for the most part.
fn signed(rng: &mut Rng) -> Vec<u8> {
    let pairs: Vec<KeyPair> =
        (1..2 + rng.below(4) as u8).map(|seed| KeyPair::from_seed(&[seed; 32])).collect();
    let signer = |pair: &KeyPair| Signer { namespace: *DEFAULT_NAMESPACE, public_key: pair.public() };
    let signers: Vec<Signer> = pairs.iter().map(signer).collect();
    let version = rng.next() % 4;
    let (tree, length, fork) = (Hash::from(rng.array::<32>()), rng.uint(), rng.next() % 3);
    let prologue =
        maybe(rng, |rng| Prologue { hash: tree, length: if rng.once_in(2) { length } else { rng.uint() } });
    let manifest = Manifest {
        version,
        allow_patch: rng.once_in(3),
        quorum: rng.below(signers.len() + 1) as u64,
        signers,
        prologue: prologue.filter(|_| version > 0 && rng.once_in(4)),
        linked: None,
        user_data: None,
    };
    let compat = rng.once_in(6).then(|| Key::from(pairs[0].public().as_bytes()));
    let key = compat.unwrap_or_else(|| manifest.key());
    let encoded = manifest.to_vec();
    let Ok(verifier) = Verifier::new(key, manifest) else { return encoded };
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.rotate_left(rng.below(pairs.len()));
    if rng.once_in(6) {
        order.push(order[0]);
    }
    let sign = |at: usize| {
        let signer = &verifier.manifest().signers[at];
        pairs[at].sign(&verifier.signable(signer, &tree, length, fork)).as_bytes().to_vec()
    };
    let bare = rng.once_in(2) && (compat.is_some() || (version == 0 && pairs.len() == 1));
    let signature = if bare { sign(0) } else { listed(rng, version, &order, sign) };
    head_to_verify(&encoded, key.as_bytes(), &tree, (length, fork), &signature)
}

/// The signatures of these signers, as a list.
fn listed(rng: &mut Rng, version: u64, order: &[usize], sign: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    put::len(&mut out, order.len());
    for at in order {
        let patch = if rng.once_in(8) { 1 + rng.next() % 3 } else { 0 };
        if version == 0 {
            put::uint(&mut out, u64::from(patch > 0));
        }
        put::len(&mut out, *at);
        out.extend(sign(*at));
        match (version, patch) {
            (0, 0) => {}
            (0, patch) => {
                put::uint(&mut out, 0);
                put::uint(&mut out, patch);
                put::uint_list(&mut out, &[0]);
            }
            (_, patch) => put::uint(&mut out, patch),
        }
    }
    put::len(&mut out, 0);
    out
}
