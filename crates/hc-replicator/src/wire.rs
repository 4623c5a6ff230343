//! The wire messages, as hc-protocol will have them.

#![allow(missing_docs, reason = "stand-ins until hc-protocol has these types")]

use bytes::Bytes;
use hc_crypto::Manifest;
use hc_tree::{
    BlockProof, BlockRequest, HashProof, HashRequest, SeekProof, SeekRequest, UpgradeProof, UpgradeRequest,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sync {
    pub fork: u64,
    pub length: u64,
    pub remote_length: u64,
    pub can_upgrade: bool,
    pub uploading: bool,
    pub downloading: bool,
    pub has_manifest: bool,
    pub allow_push: bool,
}
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Request {
    pub id: u64,
    pub fork: u64,
    pub block: Option<BlockRequest>,
    pub hash: Option<HashRequest>,
    pub seek: Option<SeekRequest>,
    pub upgrade: Option<UpgradeRequest>,
    pub manifest: bool,
    pub priority: u64,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    pub request: u64,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoData {
    pub request: u64,
    pub reason: u64,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    pub start: u64,
    pub length: u64,
    pub any: bool,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitfield {
    pub start: u64,
    pub bitfield: Vec<u32>,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub drop: bool,
    pub start: u64,
    pub length: u64,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    pub name: String,
    pub message: Bytes,
}
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Data {
    pub request: u64,
    pub fork: u64,
    pub block: Option<BlockProof>,
    pub hash: Option<HashProof>,
    pub seek: Option<SeekProof>,
    pub upgrade: Option<UpgradeProof>,
    pub manifest: Option<Manifest>,
}
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "stand-in")]
pub enum Message {
    Sync(Sync),
    Request(Request),
    Cancel(Cancel),
    Data(Data),
    NoData(NoData),
    Want(Want),
    Unwant(Want),
    Bitfield(Bitfield),
    Range(Range),
    Extension(Extension),
    Unknown { type_id: u64 },
}
