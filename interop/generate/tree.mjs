// Makes crates/hc-tree/tests/vectors/tree.json: tree hashes, which nodes Node's proofs consist of, and how many nodes a sparse
// reader misses; what two forks of a log share; proofs that stand alone. Nodes are given by their index, since a log has only
// one node for each. Run: node interop/generate/tree.mjs
import { createRequire } from 'node:module'
import os from 'node:os'
import fs from 'node:fs'
import path from 'node:path'
import { fill, hex, write } from './_write.mjs'

const require = createRequire(import.meta.url)
const Hypercore = require('hypercore')
const { MerkleTree } = require('hypercore/lib/merkle-tree')
const remote = require('hypercore/lib/fully-remote-proof')
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
  let flushed = false
  const flush = () => {
    if (!flushed) read.tryFlush()
    flushed = true
  }
  try {
    const proof = await MerkleTree.proof(core.state, read, request)
    flush()
    return plain(await proof.settle())
  } catch (error) {
    // a read that stays open would keep the store open
    flush()
    refused = error.code
    return null
  }
}
let refused = null
// some requests leave reads behind that nobody waits for
process.on('unhandledRejection', (error) => {
  if (!/^Invalid number/.test(error.message) && error.code !== 'INVALID_OPERATION') throw error
})

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

// Requests of every combination, for a log whose blocks all have at least the padding of an encrypted core.
const PADDING = 8
const padded = (i) => fill(i, PADDING + ((i * 29) % 40))
let state = 1
function random(below) {
  // a linear congruential generator: the same requests each time
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
  return (state >> 8) % below
}

function anyRequest(length, bytes) {
  const out = {}
  const depth = Math.ceil(Math.log2(length + 1)) + 1
  const kind = random(4)
  if (kind < 2) out.block = { index: random(length + (random(8) ? 0 : 1)), nodes: random(3) ? random(depth) : 0 }
  if (kind === 2) out.hash = { index: random(2 * length - 1), nodes: random(3) ? random(depth) : 0 }
  if (random(2)) {
    const padding = random(2) * PADDING
    out.seek = { bytes: random(bytes - length * padding + 2), padding }
  }
  if (random(3)) {
    const start = random(3) ? random(length) : 0
    out.upgrade = { start, length: 1 + random(length - start + (random(8) ? 0 : 1)) }
  }
  return out
}

const combinations = []
const places = []
{
  const core = await open(null, { keyPair })
  for (let length = 1; length <= 24; length++) {
    await core.append(padded(length - 1))
    if (![1, 2, 3, 4, 6, 7, 8, 11, 15, 16, 19, 24].includes(length)) continue
    for (let n = 0; n < 140; n++) {
      const request = anyRequest(length, core.byteLength)
      if (Object.keys(request).length === 0) continue
      refused = null
      const proof = await proveSeek(core, request)
      combinations.push({ at: length, ...request, proof, refused })
    }
  }
  for (const padding of [0, PADDING]) {
    for (let bytes = 0; bytes <= core.byteLength - core.length * padding + 1; bytes++) {
      const seeker = MerkleTree.seek(core.state, bytes, padding)
      places.push([padding, bytes, await seeker.update()])
    }
  }
  await core.close()
}

// What is asked for of a log that begins with a prologue, and what is answered.
const prologues = []
{
  const source = await open(null, { keyPair })
  for (let i = 0; i < 5; i++) await source.append(block(i))
  const prologue = { hash: await source.treeHash(), length: 5 }
  const core = await open(null, { keyPair, manifest: { version: 1, quorum: 1, signers: [{ publicKey: keyPair.publicKey }], prologue } })
  await core.core.copyPrologue(source.state)
  for (const length of [5, 8]) {
    while (core.length < length) await core.append(block(core.length))
    for (const request of requests(length)) {
      if (!request.upgrade || (request.block && request.block.index % 3)) continue
      const asked = { ...request, upgrade: { ...request.upgrade } }
      let proof = null
      try {
        proof = await core.proof(request)
      } catch {}
      const answered = proof && [proof.upgrade.start, proof.upgrade.length]
      prologues.push({ key: hex(core.key), at: length, ...asked, answered, proof: proof && plain(proof) })
    }
  }
  await source.close()
  await core.close()
}

// Two forks with a common beginning: what their last common length is, and what is asked for until that is known.
const reorgs = []
const forked = (fork, shared) => (i) => Buffer.from(i < shared ? [0, i] : [fork, i])
for (const [shared, ours, theirs] of [
  [0, 0, 1], [0, 1, 1], [0, 5, 3], [1, 1, 2], [1, 2, 2], [2, 3, 3], [3, 5, 8], [4, 4, 9], [5, 8, 8], [5, 5, 8], [6, 9, 7],
  [7, 8, 7], [7, 13, 30], [8, 8, 8], [8, 17, 9], [11, 16, 16], [13, 13, 14], [15, 33, 40], [20, 21, 22], [31, 32, 33],
  [33, 60, 34], [40, 41, 64]
]) {
  const reader = await open(null, { keyPair })
  for (let i = 0; i < ours; i++) await reader.append(forked(1, shared)(i))
  const writer = await open(null, { keyPair })
  for (let i = 0; i <= shared; i++) await writer.append(forked(2, shared)(i))
  await writer.truncate(shared)
  for (let i = shared; i < theirs; i++) await writer.append(forked(2, shared)(i))
  if (writer.length === 0) throw new Error('nothing to prove')
  const reorg = await reader.core.verifyReorg(await writer.proof({ upgrade: { start: 0, length: writer.length } }))
  const wants = []
  while (!reorg.finished) {
    const { start, end, nodes } = reorg.want
    wants.push([start, end, nodes])
    await reorg.update(await writer.proof({ hash: { index: 2 * (end - 1), nodes } }))
  }
  reorgs.push({
    shared, ours, theirs, fork: writer.fork, wants, ancestors: reorg.ancestors, hash: hex(reorg.hash()),
    signature: hex(reorg.signature)
  })
  await reader.close()
  await writer.close()
}

// Proofs that stand alone, of cores of all kinds with a single signer, and whether Node itself accepts them.
const remotes = []
const kinds = {
  v1: {},
  v0: { manifest: { version: 0, quorum: 1, signers: [{ publicKey: keyPair.publicKey, namespace: fill(5) }] } },
  compat: { compat: true }
}
for (const [kind, options] of Object.entries(kinds)) {
  const core = await open(null, { keyPair, ...options })
  for (let length = 1; length <= 7; length++) {
    await core.append(block(length - 1))
    const asked = [{}, { index: 0, block: block(0) }, { index: length >> 1, block: block(length >> 1) }]
    if (length > 3) asked.push({ upgrade: { start: 0, length: 3 } }, { index: 2, block: block(2), upgrade: { start: 0, length: 3 } })
    for (const options of asked) {
      const proof = await remote.proof(core, options)
      const verified = await remote.verify(core.state.storage.store, proof)
      const { index = null, upgrade = null } = options
      const accepted = verified !== null && verified.length === length
      remotes.push({
        kind, length, index, upgrade: upgrade && upgrade.length, key: hex(core.key), accepted, proof: hex(proof)
      })
    }
  }
  await core.close()
}

// What a log gives to another one that lost a root.
const recoveries = []
{
  const core = await open(null, { keyPair })
  for (let length = 1; length <= 13; length++) {
    await core.append(block(length - 1))
    if (![1, 3, 6, 7, 8, 13].includes(length)) continue
    for (const root of core.core.state.roots) {
      recoveries.push({ length, root: root.index, proof: hex(await core.generateRemoteProofForTreeNode(root.index)) })
    }
  }
  await core.close()
}

for (const dir of dirs) fs.rmSync(dir, { recursive: true })
write('crates/hc-tree/tests/vectors/tree.json', {
  signed: [{ seed: hex(fill(1)), length: LENGTH, signature }],
  hashes,
  missing,
  proofs,
  seeks: seekProofs,
  combinations,
  places,
  prologues,
  reorgs,
  remotes,
  recoveries
})
