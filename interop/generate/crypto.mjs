// Makes crates/hc-crypto/tests/vectors/crypto.json: hashes, keys, names, manifests and signatures as Node makes them.
// Run: node interop/generate/crypto.mjs
import { createRequire } from 'node:module'
import { fill, hex, write } from './_write.mjs'

const require = createRequire(import.meta.url)
const c = require('compact-encoding')
const crypto = require('hypercore-crypto')
const id = require('hypercore-id-encoding')
const Corestore = require('corestore')
const Hypercore = require('hypercore')
const DefaultEncryption = require('hypercore/lib/default-encryption')
const Verifier = require('hypercore/lib/verifier')
const caps = require('hypercore/lib/caps')
const m = require('hypercore/lib/messages')
const os = require('node:os')
const fs = require('node:fs')
const path = require('node:path')

const pairs = [1, 2, 3].map((seed) => crypto.keyPair(fill(seed)))

function hashes() {
  const out = []
  for (const size of [0, 1, 31, 64, 127, 128, 129, 4096]) {
    out.push({ kind: 'leaf', size, hash: hex(crypto.data(fill(7, size))) })
  }
  const node = (index, size) => ({ index, size, hash: crypto.data(fill(index, size)) })
  for (const [a, b] of [[0, 0], [1, 2], [252, 253], [65535, 70000]]) {
    const [left, right] = [node(0, a), node(2, b)]
    out.push({ kind: 'parent', size: a + b, left: hex(left.hash), right: hex(right.hash), hash: hex(crypto.parent(left, right)) })
  }
  for (const roots of [[], [node(1, 5)], [node(3, 300), node(9, 7), node(12, 0)]]) {
    const plain = roots.map(({ index, size, hash }) => ({ index, size, hash: hex(hash) }))
    out.push({ kind: 'tree', roots: plain, hash: hex(crypto.tree(roots)) })
  }
  return out
}

function namespaces() {
  const out = []
  for (const [name, count] of [['hypercore', 6], ['corestore', 1], ['hyperswarm/secret-stream', 3]]) {
    crypto.namespace(name, count).forEach((namespace, number) => out.push({ name, number, namespace: hex(namespace) }))
  }
  return out
}

function keys() {
  return [0, 1, 0x61, 0xff].map((byte) => {
    const key = fill(byte)
    return { key: hex(key), id: id.encode(key), discoveryKey: hex(crypto.discoveryKey(key)) }
  })
}

function capabilities() {
  return [true, false].map((initiator) => {
    const capability = caps.replicate(initiator, fill(3), fill(4, 64))
    return { initiator, key: hex(fill(3)), handshake: hex(fill(4, 64)), capability: hex(capability) }
  })
}

async function names() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'vectors-'))
  const store = new Corestore(dir, { primaryKey: fill(9), unsafe: true })
  await store.ready()
  const out = []
  for (const session of [store, store.namespace('inner'), store.namespace('inner').namespace('most')]) {
    for (const name of ['', 'log', 'grüße 🜁', 'a\0b', 'x'.repeat(300)]) {
      const { publicKey, secretKey } = await session.createKeyPair(name)
      const core = session.get({ name: name || 'unnamed' })
      await core.ready()
      const key = name === '' ? null : hex(core.key)
      out.push({ primaryKey: hex(fill(9)), namespace: hex(session.ns), name, publicKey: hex(publicKey), secretKey: hex(secretKey), key })
    }
  }
  await store.close()
  fs.rmSync(dir, { recursive: true })
  return out
}

const signers = (count) => pairs.slice(0, count).map(({ publicKey }, i) => ({ publicKey, ...(i === 1 ? { namespace: fill(8) } : {}) }))
const prologue = { hash: fill(5), length: 12 }

// Every form that a manifest can have, by version.
function forms() {
  const list = []
  list.push({ version: 0, signers: signers(1) })
  list.push({ version: 0, signers: signers(2) })
  list.push({ version: 0, signers: signers(3), quorum: 3, allowPatch: true })
  list.push({ version: 0, prologue: { hash: fill(5), length: 0 } })
  for (const version of [1, 2, 3]) {
    for (const count of [0, 1, 2, 3]) {
      for (const extra of [{}, { allowPatch: true }, { prologue }, { allowPatch: true, prologue }]) {
        list.push({ version, signers: signers(count), ...extra })
      }
    }
  }
  for (const version of [2, 3]) {
    list.push({ version, signers: signers(1), userData: Buffer.from('of the application') })
    list.push({ version, signers: signers(2), linked: [fill(1), fill(2)] })
    list.push({ version, signers: signers(1), linked: [fill(1)], userData: fill(6, 300), prologue })
  }
  return list
}

function manifests() {
  return forms().map((form) => {
    const manifest = Verifier.createManifest(form)
    return {
      version: manifest.version,
      allowPatch: manifest.allowPatch,
      quorum: manifest.quorum,
      signers: manifest.signers.map(({ namespace, publicKey }) => ({ namespace: hex(namespace), publicKey: hex(publicKey) })),
      prologue: manifest.prologue && { hash: hex(manifest.prologue.hash), length: manifest.prologue.length },
      linked: manifest.linked && manifest.linked.map(hex),
      userData: hex(manifest.userData),
      encoded: hex(c.encode(m.manifest, manifest)),
      key: hex(Verifier.manifestHash(manifest))
    }
  })
}

// A tree as a verifier sees it.
const tree = (hash, length, fork) => ({
  fork,
  length,
  hash: () => hash,
  signable: (context) => caps.treeSignable(context, hash, length, fork),
  signableCompat: (noHeader) => caps.treeSignableCompat(hash, length, fork, noHeader)
})

function signables() {
  return [[0, 0], [1, 0], [300, 2], [70000, 1]].map(([length, fork]) => ({
    context: hex(fill(2)),
    hash: hex(fill(7)),
    length,
    fork,
    signable: hex(caps.treeSignable(fill(2), fill(7), length, fork)),
    compat: hex(caps.treeSignableCompat(fill(7), length, fork))
  }))
}

function signatures() {
  const out = []
  const add = (what, key, manifest, verifier, signature, length) => {
    const batch = tree(fill(7), length, 1)
    const plain = { what, key: hex(key), manifest: hex(c.encode(m.manifest, manifest)), hash: hex(fill(7)), length, fork: 1 }
    out.push({ ...plain, signature: hex(signature), valid: verifier.verify(batch, signature) })
  }
  const batch = tree(fill(7), 5, 1)
  for (const version of [0, 1, 2, 3]) {
    const manifest = Verifier.createManifest({ version, signers: signers(1) })
    const key = Verifier.manifestHash(manifest)
    const verifier = Verifier.fromManifest(manifest)
    const signature = verifier.sign(batch, pairs[0])
    add(`one signer, version ${version}`, key, manifest, verifier, signature, 5)
    add(`one signer, version ${version}, another length`, key, manifest, verifier, signature, 6)
    add(`one signer, version ${version}, zeros`, key, manifest, verifier, fill(0, signature.length), 5)
  }
  const single = Verifier.createManifest({ version: 1, signers: signers(1) })
  const compat = new Verifier(pairs[0].publicKey, single)
  add('compat', pairs[0].publicKey, single, compat, compat.sign(batch, pairs[0]), 5)
  add('compat, another length', pairs[0].publicKey, single, compat, compat.sign(batch, pairs[0]), 6)
  for (const version of [0, 1, 2]) {
    const manifest = Verifier.createManifest({ version, signers: signers(3), quorum: 2 })
    const key = Verifier.manifestHash(manifest)
    const verifier = Verifier.fromManifest(manifest)
    const by = (i) => ({ signer: i, signature: verifier.sign(batch, pairs[i]), patch: 0, nodes: null })
    const of = (...who) => verifier.assemble(who.map(by))
    add(`two of three, version ${version}`, key, manifest, verifier, of(0, 2), 5)
    add(`two of three, version ${version}, the other way round`, key, manifest, verifier, of(2, 1), 5)
    add(`three of three, version ${version}`, key, manifest, verifier, of(0, 1, 2), 5)
    add(`one of three, version ${version}`, key, manifest, verifier, of(1), 5)
    add(`one twice, version ${version}`, key, manifest, verifier, of(1, 1), 5)
    add(`wrong signer, version ${version}`, key, manifest, verifier, verifier.assemble([by(0), { ...by(1), signer: 2 }]), 5)
    add(`no such signer, version ${version}`, key, manifest, verifier, verifier.assemble([by(0), { ...by(1), signer: 3 }]), 5)
    add(`two of three, version ${version}, another length`, key, manifest, verifier, of(0, 2), 6)
  }
  return out
}

// Logs with a prologue: with and without signers, at the prologue, before and after it.
function prologues() {
  const out = []
  for (const version of [0, 1, 2]) {
    for (const count of [0, 1]) {
      const manifest = Verifier.createManifest({ version, signers: signers(count), prologue })
      const key = Verifier.manifestHash(manifest)
      const verifier = Verifier.fromManifest(manifest)
      for (const length of [0, 11, 12, 13]) {
        for (const hash of [fill(5), fill(6)]) {
          const batch = tree(hash, length, 0)
          const signed = count ? verifier.sign(batch, pairs[0]) : Buffer.alloc(0)
          for (const signature of [signed, fill(0, 64)]) {
            const valid = verifier.verify(batch, signature)
            out.push({ version, signers: count, key: hex(key), manifest: hex(c.encode(m.manifest, manifest)), length, hash: hex(hash), signature: hex(signature), valid })
          }
        }
      }
    }
  }
  return out
}

// What is taken for granted where a manifest says nothing.
function defaults() {
  return [0, 1, 2, 3, 4, 5, 8, 255].map((count) => {
    const several = Array.from({ length: count }, (_, i) => ({ publicKey: fill(i) }))
    const manifest = Verifier.createManifest({ signers: several })
    return { count, version: manifest.version, quorum: manifest.quorum, encoded: hex(c.encode(m.manifest, manifest)), key: hex(Hypercore.key({ signers: several })) }
  })
}

// Bytes of manifests that are as they should be and of such that are not, as peers and stores would hand them over.
function judgedManifests() {
  const out = []
  const judge = (what, encoded) => {
    let key = null
    try {
      const manifest = Hypercore.parseManifest(Verifier.createManifest(Verifier.decodeManifest(encoded)))
      key = hex(Verifier.manifestHash(manifest))
    } catch {}
    out.push({ what, encoded: hex(encoded), key })
  }
  const plain = { hash: 'blake2b', allowPatch: false, prologue: null, linked: null, userData: null }
  const declared = signers(2).map((signer) => ({ signature: 'ed25519', namespace: caps.DEFAULT_NAMESPACE, ...signer }))
  for (const version of [0, 1, 2, 3, 4, 252]) {
    for (const quorum of [0, 1, 2, 3, 200]) {
      const encoded = c.encode(m.manifest, { ...plain, version, quorum, signers: declared })
      judge(`version ${version}, ${quorum} of 2`, encoded)
    }
  }
  for (const version of [1, 2, 3]) {
    judge(`version ${version} with user data`, c.encode(m.manifest, { ...plain, version, quorum: 1, signers: declared, userData: fill(1) }))
    judge(`version ${version} with linked cores`, c.encode(m.manifest, { ...plain, version, quorum: 1, signers: declared, linked: [fill(1)] }))
  }
  const good = c.encode(m.manifest, { ...plain, version: 1, quorum: 2, signers: declared })
  judge('good', good)
  for (const [what, at] of [['hash', 2], ['curve of the first signer', 5], ['curve of the second signer', 70]]) {
    const bad = Buffer.from(good)
    if (bad[at] !== 0) throw new Error('not the kind: ' + what)
    bad[at] = 1
    judge('unknown ' + what, bad)
  }
  const old = c.encode(m.manifest, { ...plain, version: 0, quorum: 2, signers: declared })
  for (const [what, at, byte] of [['hash', 1, 1], ['type', 2, 3]]) {
    const bad = Buffer.from(old)
    bad[at] = byte
    judge('unknown ' + what + ' in version 0', bad)
  }
  for (const end of [0, 1, 3, good.length - 1]) judge(`cut at ${end}`, good.subarray(0, end))
  return out
}

const MODES = [
  { mode: 'default', block: false, compat: false },
  { mode: 'block key', block: true, compat: false },
  { mode: 'compat', block: false, compat: true },
  { mode: 'block key of a compat core', block: true, compat: true }
]

function blockKeys() {
  return [[1, 2], [0, 0], [255, 7]].map(([key, encryption]) => ({
    key: hex(fill(key)),
    encryptionKey: hex(fill(encryption)),
    blockKey: hex(Hypercore.blockEncryptionKey(fill(key), fill(encryption)))
  }))
}

// Single blocks.
function encrypted() {
  const out = []
  for (const { mode, block, compat } of MODES) {
    const { block: blockKey, blinding } = DefaultEncryption.deriveKeys(fill(6), fill(5), { block, compat })
    for (const [index, fork] of [[0, 0], [1, 0], [0, 1], [300, 70000], [Number.MAX_SAFE_INTEGER, 2 ** 40 + 3]]) {
      for (const size of [0, 1, 8, 63, 64, 65, 200]) {
        const stored = fill(0x61, size + DefaultEncryption.PADDING)
        DefaultEncryption.encrypt(index, stored, fork, blockKey, blinding)
        out.push({ mode, block, compat, key: hex(fill(5)), encryptionKey: hex(fill(6)), index, fork, size, stored: hex(stored) })
      }
    }
  }
  return out
}

// Whole cores, truncated and appended to again: what each block is, and what is stored for it.
async function encryptedCores() {
  const out = []
  for (const { mode, block, compat } of MODES) {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'vectors-'))
    const core = new Hypercore(dir, { keyPair: pairs[0], compat, encryption: { key: fill(6), block } })
    await core.ready()
    const plain = { mode, block, compat: core.core.compat, key: hex(core.key), encryptionKey: hex(fill(6)) }
    const blocks = []
    const dump = async (from) => {
      for (let index = from; index < core.length; index++) {
        const [value, stored] = [await core.get(index), await core.get(index, { raw: true })]
        blocks.push({ index, fork: core.fork, value: hex(value), stored: hex(stored) })
      }
    }
    await core.append(['a', 'hello', '', 'x'.repeat(100)])
    await dump(0)
    for (const [to, fork] of [[1, 1], [2, 7]]) {
      await core.truncate(to, fork)
      await core.append(['hello', `on fork ${fork}`])
      await dump(to)
    }
    out.push({ ...plain, byteLength: core.byteLength, padding: core.padding, blocks })
    await core.close()
    fs.rmSync(dir, { recursive: true })
  }
  return out
}

write('crates/hc-crypto/tests/vectors/crypto.json', {
  hashes: hashes(),
  namespaces: namespaces(),
  keys: keys(),
  capabilities: capabilities(),
  names: await names(),
  manifests: manifests(),
  signables: signables(),
  signatures: signatures(),
  prologues: prologues(),
  defaults: defaults(),
  judgedManifests: judgedManifests(),
  blockKeys: blockKeys(),
  encrypted: encrypted(),
  encryptedCores: await encryptedCores()
})
