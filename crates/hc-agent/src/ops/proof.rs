//! Hashes of the tree, what is signed, proofs.

use hypercore::{
    BlockRequest, HashRequest, ProofRequest, SeekRequest, UpgradeRequest, decode_proof, encode_proof,
};
use serde_json::json;

use crate::agent::Agent;
use crate::fields::{Fields, b64};
use crate::reply::Result;

pub(super) async fn tree_hash(agent: &Agent, fields: &Fields) -> Result {
    let core = agent.core(fields)?;
    let length = fields.opt_uint("length")?.unwrap_or_else(|| core.length());
    Ok(json!({ "hash": core.tree_hash_at(length).await?.to_string() }))
}

pub(super) async fn signable(agent: &Agent, fields: &Fields) -> Result {
    let core = agent.core(fields)?;
    let length = fields.opt_uint("length")?.unwrap_or_else(|| core.length());
    let fork = fields.opt_uint("fork")?.unwrap_or_else(|| core.fork());
    Ok(json!({ "signable": hex::encode(core.signable_at(length, fork).await?) }))
}

pub(super) async fn missing_nodes(agent: &Agent, fields: &Fields) -> Result {
    Ok(json!({ "nodes": agent.core(fields)?.missing_nodes(fields.uint("index")?).await? }))
}

fn request(fields: &Fields) -> Result<ProofRequest> {
    let mut request = ProofRequest::default();
    if let Some(part) = fields.part("block") {
        request.block = Some(BlockRequest { index: part.uint("index")?, nodes: part.uint("nodes")? });
    }
    if let Some(part) = fields.part("hash") {
        request.hash = Some(HashRequest { index: part.uint("index")?, nodes: part.uint("nodes")? });
    }
    if let Some(part) = fields.part("seek") {
        request.seek = Some(SeekRequest { bytes: part.uint("bytes")?, padding: part.uint("padding")? });
    }
    if let Some(part) = fields.part("upgrade") {
        request.upgrade = Some(UpgradeRequest { start: part.uint("start")?, length: part.uint("length")? });
    }
    Ok(request)
}

pub(super) async fn proof(agent: &Agent, fields: &Fields) -> Result {
    let proof = agent.core(fields)?.proof(&request(fields)?).await?;
    Ok(json!({ "proof": b64(&encode_proof(&proof)) }))
}

pub(super) async fn apply(agent: &Agent, fields: &Fields) -> Result {
    let proof = decode_proof(&fields.b64("proof")?)?;
    Ok(json!({ "applied": agent.core(fields)?.apply_proof(proof).await? }))
}

pub(super) fn verify_fully_remote(agent: &Agent, fields: &Fields) -> Result {
    let proof = decode_proof(&fields.b64("proof")?)?;
    let verified = agent.core(fields)?.verify_fully_remote(&proof)?;
    let head = verified.head();
    Ok(json!({
        "fork": head.fork(),
        "length": head.length(),
        "byteLength": head.byte_length(),
        "treeHash": head.hash().to_string(),
    }))
}
