// Makes crates/hc-storage/tests/vectors/storage.json: keys and records as hypercore-storage writes them, and everything
// that a small store of Node's holds. Run: node interop/generate/storage.mjs
import { createRequire } from 'node:module'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const c = require('compact-encoding')
const crypto = require('hypercore-crypto')
const Hypercore = require('hypercore')
const Corestore = require('corestore')
const RocksDB = require('rocksdb-native')
const keys = require('hypercore-storage/lib/keys.js')
const schema = require('hypercore-storage/encoding/spec/hyperschema')

// two runs of this script give the same file
const NOW = 1700000000000
Date.now = () => NOW

const hex = (buffer) => (buffer ? Buffer.from(buffer).toString('hex') : null)
const fill = (byte, length = 32) => Buffer.alloc(length, byte)

const NUMBERS = [0, 1, 251, 252, 253, 255, 256, 65535, 65536, 0xffffffff, 0x100000000, Number.MAX_SAFE_INTEGER]
const TEXTS = ['', 'log', 'a\0b', '\0', 'grüße 🜁', 'x'.repeat(300)]

function keyVectors() {
  const out = [{ kind: 'store-head', key: hex(keys.store.head()) }]
  const add = (kind, fields, key) => out.push({ kind, ...fields, key: hex(key) })
  add('core', { discoveryKey: hex(fill(3)) }, keys.store.core(fill(3)))
  for (const name of TEXTS) {
    add('alias', { namespace: hex(fill(4)), name }, keys.store.coreByAlias({ namespace: fill(4), name }))
    add('user-data', { pointer: 7, name }, keys.core.userData(7, name))
  }
  for (const pointer of NUMBERS) {
    for (const kind of ['auth', 'sessions', 'group', 'head', 'dependency', 'hints']) {
      add(kind, { pointer }, keys.core[kind](pointer))
    }
  }
  for (const [pointer, index] of NUMBERS.map((n, i) => [n, NUMBERS[NUMBERS.length - 1 - i]])) {
    add('block', { pointer, index }, keys.core.block(pointer, index))
    add('tree-node', { pointer, index }, keys.core.tree(pointer, index))
    add('bitfield-page', { pointer, index }, keys.core.bitfield(pointer, index, 0))
    add('mark', { pointer, index }, keys.core.mark(pointer, index))
    const update = keys.group.entry(pointer, NOW, index)
    add('group-update', { group: pointer, timestamp: NOW, pointer: index }, update)
  }
  add('local', { pointer: 300, name: hex(Buffer.from([0, 255, 1])) }, keys.core.local(300, Buffer.from([0, 255, 1])))
  add('group-topic', { topic: hex(fill(5)) }, keys.group.topic(fill(5)))
  return out
}

function manifests() {
  const signer = (byte) => ({ signature: 'ed25519', namespace: fill(byte), publicKey: fill(byte + 1) })
  const plain = { hash: 'blake2b', allowPatch: false, prologue: null, linked: null, userData: null }
  return [
    { ...plain, version: 0, quorum: 1, signers: [signer(1)] },
    { ...plain, version: 1, quorum: 1, signers: [signer(1)] },
    { ...plain, version: 1, quorum: 2, allowPatch: true, signers: [signer(1), signer(5), signer(9)] },
    { ...plain, version: 1, quorum: 0, signers: [], prologue: { hash: fill(6), length: 300 } },
    { ...plain, version: 2, quorum: 1, signers: [signer(1)], linked: [fill(7), fill(8)], userData: Buffer.from('mine') }
  ]
}

function auths() {
  const pair = crypto.keyPair(fill(11))
  const base = { key: fill(1), discoveryKey: crypto.discoveryKey(fill(1)), manifest: null, keyPair: null, encryptionKey: null }
  return [
    base,
    ...manifests().map((manifest) => ({ ...base, manifest })),
    { ...base, keyPair: pair },
    { ...base, keyPair: { publicKey: pair.publicKey, secretKey: null } },
    { ...base, manifest: manifests()[1], keyPair: pair, encryptionKey: fill(9) }
  ]
}

function recordVectors() {
  const out = []
  const add = (kind, encoding, value) => {
    const bytes = c.encode(schema.getEncoding(encoding), value)
    const show = (_, field) => (field && field.type === 'Buffer' ? hex(field.data) : field)
    out.push({ kind, value: JSON.parse(JSON.stringify(value, show)), bytes: hex(bytes) })
  }
  const secrets = [null, fill(2)]
  for (const seed of secrets) {
    for (const defaultDiscoveryKey of secrets) {
      const counters = { cores: 3, datas: 300, groups: 70000 }
      add('store-head', '@corestore/head', { version: 2, ...counters, seed, defaultDiscoveryKey })
      const allocated = { cores: 3, datas: 300 }
      add('store-head-v1', '@corestore/head', { version: 1, allocated, seed, defaultDiscoveryKey })
    }
  }
  for (const alias of [null, { name: 'log', namespace: fill(4) }]) {
    for (const version of [1, 2]) {
      add('core', '@corestore/core', { version, corePointer: 1, dataPointer: 300, alias })
    }
  }
  for (const auth of auths()) add('auth', '@core/auth', auth)
  for (const signature of [null, fill(8, 64)]) {
    for (const timestamp of [0, NOW]) {
      for (const n of [0, 300, Number.MAX_SAFE_INTEGER]) {
        add('head', '@core/head', { fork: n, length: n, rootHash: fill(7), signature, timestamp })
      }
    }
  }
  for (let bits = 0; bits < 8; bits++) {
    const pick = (bit, n) => (bits & bit ? n : 0)
    const hints = { contiguousLength: pick(1, 300), remoteContiguousLength: pick(2, 70000), recovering: pick(4, NOW) }
    add('hints', '@core/hints', hints)
  }
  add('sessions', '@core/sessions', [])
  add('sessions', '@core/sessions', [{ name: 'snapshot', dataPointer: 3 }, { name: '', dataPointer: 70000 }])
  add('dependency', '@core/dependency', { dataPointer: 300, length: 70000 })
  for (const group of [{ key: null, pointer: 0 }, { key: fill(5), pointer: 0 }, { key: fill(5), pointer: 300 }]) {
    add('group', '@core/group', group)
  }
  add('tree-node', '@core/tree-node', { index: 300, size: 70000, hash: fill(6) })
  return out
}

async function dump(dir) {
  const db = new RocksDB(path.join(dir, 'db'))
  const family = db.columnFamily('corestore')
  await family.ready()
  const out = []
  for await (const { key, value } of family.iterator({ gte: Buffer.alloc(0), lt: Buffer.from([0xff]) })) {
    out.push([hex(key), hex(value)])
  }
  await family.close()
  await db.close()
  return out
}

// what the store goes through: the test in tests/as_node.rs does the same
async function storeVectors() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'storage-vectors-'))
  const store = new Corestore(dir, { primaryKey: fill(7), unsafe: true })
  await store.ready()
  const log = store.get({ name: 'log' })
  await log.ready()
  await log.append(['hello', 'world'])
  await log.append([Buffer.alloc(0)])
  const clone = store.get({ key: fill(9) })
  await clone.ready()
  const old = crypto.keyPair(fill(13))
  const compat = new Hypercore(store.storage, old.publicKey, { keyPair: old, compat: true })
  await compat.ready()
  await compat.append('compat')
  await compat.close()
  await store.close()
  const entries = await dump(dir)
  fs.rmSync(dir, { recursive: true })
  return { primaryKey: hex(fill(7)), timestamp: NOW, entries }
}

const vectors = { keys: keyVectors(), records: recordVectors(), store: await storeVectors() }
const here = path.dirname(fileURLToPath(import.meta.url))
const file = path.join(here, '../../crates/hc-storage/tests/vectors/storage.json')
fs.mkdirSync(path.dirname(file), { recursive: true })
const lines = (list) => '[\n' + list.map((item) => '    ' + JSON.stringify(item)).join(',\n') + '\n  ]'
fs.writeFileSync(
  file,
  `{\n  "madeBy": "hypercore-storage ${require('hypercore-storage/package.json').version}, hypercore ${require('hypercore/package.json').version}",\n` +
    `  "keys": ${lines(vectors.keys)},\n  "records": ${lines(vectors.records)},\n` +
    `  "store": { "primaryKey": "${vectors.store.primaryKey}", "timestamp": ${vectors.store.timestamp}, "entries": ${lines(vectors.store.entries)} }\n}\n`
)
console.log(`${vectors.keys.length} keys, ${vectors.records.length} records, ${vectors.store.entries.length} entries of a store`)
