// Makes crates/hc-tree/tests/vectors/tree.json: tree hashes, which nodes Node's proofs consist of, and how many nodes a sparse
// reader misses. Nodes are given by their index, since a log has only one node for each. Run: node interop/generate/tree.mjs
import { createRequire } from 'node:module'
import os from 'node:os'
import fs from 'node:fs'
import path from 'node:path'
import { fill, hex, write } from './_write.mjs'

const require = createRequire(import.meta.url)
const Hypercore = require('hypercore')
const { MerkleTree } = require('hypercore/lib/merkle-tree')
const crypto = require('hypercore-crypto')

const LENGTH = 70
// as in crates/hc-tree/tests/vectors.rs
const block = (i) => fill(i, (i * 37) % 300)

const dirs = []
async function open(key, options) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'vectors-'))
  dirs.push(dir)
  const core = new Hypercore(dir, key, options)
  await core.ready()
  return core
}

const indices = (nodes) => nodes.map((node) => node.index)

function plain(proof) {
  const out = {}
  if (proof.block) out.block = indices(proof.block.nodes)
  if (proof.hash) out.hash = indices(proof.hash.nodes)
  if (proof.seek) out.seek = indices(proof.seek.nodes)
  if (proof.upgrade) {
    out.upgrade = indices(proof.upgrade.nodes)
    out.additional = indices(proof.upgrade.additionalNodes)
  }
  return out
}

async function prove(core, request) {
  try {
    return plain(await core.proof(request))
  } catch {
    return null
  }
}

function requests(length) {
  const out = []
  const depth = Math.ceil(Math.log2(length + 1)) + 1
  for (let index = 0; index <= length; index++) {
    for (let nodes = 0; nodes <= depth; nodes++) out.push({ block: { index, nodes } })
  }
  for (let index = 0; index <= 2 * length; index++) {
    for (const nodes of [0, 1, 2]) out.push({ hash: { index, nodes } })
  }
  for (let start = 0; start < length; start++) {
    for (let part = 1; start + part <= length; part++) {
      const upgrade = { start, length: part }
      out.push({ upgrade })
      if (length > 9) continue
      for (let index = 0; index < length; index++) out.push({ block: { index, nodes: 0 }, upgrade })
    }
  }
  return out
}

// core.proof closes its read before a seek is done, so this does it as the replicator does
async function proveSeek(core, request) {
  const read = core.state.storage.read()
  try {
    const proof = await MerkleTree.proof(core.state, read, request)
    read.tryFlush()
    return plain(await proof.settle())
  } catch {
    // a read that stays open would keep the store open
    read.tryFlush()
    return null
  }
}

function seeks(length) {
  const out = []
  const depth = Math.ceil(Math.log2(length + 1))
  // the first and the second byte of each block, and beyond the last
  const places = new Set()
  for (let i = 0, at = 0; i <= length; at += block(i++).length) places.add(at).add(at + 1)
  for (const padding of [0, 2]) {
    for (const bytes of places) {
      const seek = { bytes, padding }
      out.push({ seek })
      for (const start of [0, 1, length - 1]) {
        if (start >= length) continue
        out.push({ seek, upgrade: { start, length: length - start } })
        if (start > 0) out.push({ seek, block: { index: start - 1, nodes: 0 }, upgrade: { start, length: length - start } })
      }
      for (const index of [0, length - 1, length >> 1]) {
        for (const nodes of [1, depth - 1]) {
          out.push({ seek, block: { index, nodes } })
          out.push({ seek, hash: { index: 2 * index + 1, nodes } })
        }
      }
    }
  }
  return out
}

const keyPair = crypto.keyPair(fill(1))
const writer = await open(null, { keyPair })
const hashes = [{ length: 0, hash: hex(await writer.treeHash()), byteLength: 0 }]
const proofs = []
const seekProofs = []
for (let i = 0; i < LENGTH; i++) {
  await writer.append(block(i))
  const length = i + 1
  hashes.push({ length, hash: hex(await writer.treeHash()), byteLength: writer.byteLength })
  if (![1, 2, 3, 5, 7, 8, 9, 13, 17].includes(length)) continue
  for (const request of requests(length)) proofs.push({ at: length, ...request, proof: await prove(writer, request) })
  if (![3, 8, 9].includes(length)) continue
  for (const request of seeks(length)) {
    seekProofs.push({ at: length, ...request, proof: await proveSeek(writer, request) })
  }
}
const signature = hex(writer.core.state.signature)

// A reader that gets single blocks, and after each says how many nodes it lacks for every block.
const missing = []
const reader = await open(writer.key, {})
async function take(request) {
  const proof = await writer.proof(request)
  proof.manifest = await writer.getManifest()
  await reader.applyProof(proof)
  const counts = []
  for (let index = 0; index < LENGTH; index++) counts.push(await reader.missingNodes(index))
  missing.push({ ...request, counts })
}
await take({ upgrade: { start: 0, length: LENGTH } })
for (const index of [33, 0, 69, 32, 7, 64, 1]) {
  await take({ block: { index, nodes: await reader.missingNodes(index) } })
}

await writer.close()
await reader.close()
for (const dir of dirs) fs.rmSync(dir, { recursive: true })
write('crates/hc-tree/tests/vectors/tree.json', {
  signed: [{ seed: hex(fill(1)), length: LENGTH, signature }],
  hashes,
  missing,
  proofs,
  seeks: seekProofs
})
