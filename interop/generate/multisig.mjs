// Makes crates/hc-tree/tests/vectors/multisig.json: signatures of signers whose logs have different lengths, put together and
// judged by Node. Block i of every log is the text of i. Run: node interop/generate/multisig.mjs
import { createRequire } from 'node:module'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fill, hex, write } from './_write.mjs'

const require = createRequire(import.meta.url)
const c = require('compact-encoding')
const crypto = require('hypercore-crypto')
const Hypercore = require('hypercore')
const Verifier = require('hypercore/lib/verifier')
const multisig = require('hypercore/lib/multisig')
const m = require('hypercore/lib/messages')

const FORK = 3
const LONGEST = 10100
const pairs = [1, 2, 3].map((seed) => crypto.keyPair(fill(seed)))
const block = (index) => Buffer.from(String(index))

const dirs = []
async function open() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'vectors-'))
  dirs.push(dir)
  const core = new Hypercore(dir, { keyPair: pairs[0] })
  await core.ready()
  return core
}

// The log from which nodes are taken, and one without blocks, whose batches begin at nothing.
const log = await open()
await log.append(Array.from({ length: LONGEST }, (_, i) => block(i)))
const empty = await open()

function head(length) {
  const batch = empty.state.createTreeBatch()
  for (let i = 0; i < length; i++) batch.append(block(i))
  batch.fork = FORK
  return batch
}

function declared(version, options = {}) {
  const signers = pairs.map(({ publicKey }) => ({ publicKey }))
  const manifest = Verifier.createManifest({ version, signers, quorum: 2, allowPatch: true, ...options })
  return { manifest, verifier: Verifier.fromManifest(manifest) }
}

// The part of a signer whose log has so many blocks, for a head with fewer.
async function part(verifier, signer, length, signed) {
  const signature = verifier.sign(head(signed), pairs[signer])
  return multisig.partialSignature(log, signer, length, signed, signature)
}

function judged({ manifest, verifier }, length, signature) {
  let valid = false
  try {
    valid = verifier.verify(head(length), signature)
  } catch {
    // what Node throws at, it does not accept
  }
  const encoded = c.encode(m.manifest, manifest)
  return { manifest: hex(encoded), key: hex(Verifier.manifestHash(manifest)), fork: FORK, length, signature: hex(signature), valid }
}

// Signers of two lengths, and the signature for the shorter one.
async function assembled() {
  const out = []
  const lengths = [[1, 1], [1, 2], [1, 3], [2, 3], [3, 4], [4, 5], [5, 8], [6, 7], [7, 8], [7, 9], [8, 16], [9, 31], [12, 13], [15, 33], [40, 99], [100, LONGEST]]
  for (const version of [0, 1, 2]) {
    const log = declared(version)
    for (const [length, longer] of lengths) {
      const parts = [await part(log.verifier, 2, length, length), await part(log.verifier, 0, length, longer)]
      out.push({ lengths: [length, longer], signers: [2, 0], ...judged(log, length, log.verifier.assemble(parts)) })
    }
    // both are ahead of the head
    for (const [length, a, b] of [[5, 6, 9], [7, 20, 13], [1, 2, 2], [16, 17, 48]]) {
      const parts = [await part(log.verifier, 1, length, a), await part(log.verifier, 2, length, b)]
      out.push({ lengths: [a, b], signers: [1, 2], ...judged(log, length, log.verifier.assemble(parts)) })
    }
  }
  return out
}

// A good signature, and what is wrong with the others.
async function altered() {
  const out = []
  const log = declared(1)
  const add = (what, length, parts, who = log) => out.push({ what, ...judged(who, length, c.encode(m.multiSignature, parts)) })
  const [short, long] = [await part(log.verifier, 0, 5, 5), await part(log.verifier, 1, 5, 11)]
  const good = () => c.decode(m.multiSignature, log.verifier.assemble([short, long]))
  const change = (what, alter, length = 5) => {
    const parts = good()
    alter(parts)
    add(what, length, parts)
  }
  change('nothing', () => {})
  change('the other way round', ({ proofs }) => proofs.reverse())
  change('the head is one shorter', () => {}, 4)
  change('the head is one longer', () => {}, 6)
  change('the head is as long as the patch leads', () => {}, 11)
  for (const blocks of [0, 1, 5, 7, 2 ** 32, 2 ** 50]) change(`a patch of ${blocks} blocks`, ({ proofs }) => { proofs[1].patch = blocks })
  change('a patch for who signed the head', ({ proofs }) => { proofs[0].patch = 6 })
  change('no nodes', (parts) => { parts.patch = [] })
  const nodes = good().patch.length
  for (let i = 0; i < nodes; i++) {
    change(`node ${i} is missing`, ({ patch }) => patch.splice(i, 1))
    change(`node ${i} has another hash`, ({ patch }) => { patch[i].hash[3] ^= 1 })
    change(`node ${i} has another size`, ({ patch }) => { patch[i].size += 1 })
    change(`node ${i} has another index`, ({ patch }) => { patch[i].index += 2 })
    change(`node ${i} comes twice`, ({ patch }) => patch.push(patch[i]))
    change(`node ${i} comes again and wrong`, ({ patch }) => patch.push({ ...patch[i], size: 1000 }))
    change(`node ${i} comes again and right`, ({ patch }) => patch.unshift({ ...patch[i], size: 1000 }))
  }
  change('sizes are exchanged', ({ patch }) => { patch[0].size += 1; patch[1].size -= 1 })
  change('nodes in another order', ({ patch }) => patch.reverse())
  change('a node that is not needed', ({ patch }) => patch.push({ index: 7, size: 3, hash: fill(1) }))
  change('one signer twice', ({ proofs }) => { proofs[0] = proofs[1] })
  change('another signer', ({ proofs }) => { proofs[1].signer = 2 })
  change('no such signer', ({ proofs }) => { proofs[1].signer = 3 })
  change('the third one is wrong', ({ proofs }) => proofs.push({ ...proofs[0], signer: 2 }))
  change('the first one is wrong', ({ proofs }) => proofs.unshift({ ...proofs[0], signer: 2 }))
  const strict = declared(1, { allowPatch: false })
  const same = [await part(strict.verifier, 0, 5, 5), await part(strict.verifier, 1, 5, 5)]
  const ahead = [same[0], await part(strict.verifier, 1, 5, 11)]
  const plain = (parts) => c.decode(m.multiSignature, strict.verifier.assemble(parts))
  add('patches are not allowed', 5, plain(ahead), strict)
  add('patches are not looked at', 5, plain([same[0], { ...same[1], patch: 6, nodes: ahead[1].nodes }]), strict)
  return out
}

// What is longest that so many signers can sign.
function lengths() {
  const out = []
  for (const list of [[], [4], [3, 9, 7], [5, 5, 1, 0]]) {
    for (let quorum = 0; quorum <= list.length + 1; quorum++) {
      out.push({ lengths: list, quorum, length: multisig.signableLength([...list], quorum) || 0 })
    }
  }
  return out
}

write('crates/hc-tree/tests/vectors/multisig.json', {
  assembled: await assembled(),
  altered: await altered(),
  lengths: lengths()
})
await log.close()
await empty.close()
for (const dir of dirs) fs.rmSync(dir, { recursive: true })
