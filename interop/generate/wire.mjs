// Makes crates/hc-protocol/tests/vectors/wire.json: every message of a core's channel with combinations of its fields, as
// Node encodes it. Buffers are in hex, nodes are [index, size, hash]. Run: node interop/generate/wire.mjs
import { createRequire } from 'node:module'
import { fill, hex, write } from './_write.mjs'

const require = createRequire(import.meta.url)
const c = require('compact-encoding')
const { wire } = require('hypercore/lib/messages.js')

const BIG = Number.MAX_SAFE_INTEGER
const node = (index) => ({ index, size: index * 1000, hash: fill(index % 256) })
const nodes = (n) => Array.from({ length: n }, (_, i) => node(i * 2 + 1))
const subsets = (n) => Array.from({ length: 1 << n }, (_, bits) => Array.from({ length: n }, (_, i) => !!(bits & (1 << i))))

const messages = []
const plain = (value) =>
  JSON.parse(
    JSON.stringify(value, function (key, v) {
      const original = this[key]
      if (Buffer.isBuffer(original)) return hex(original)
      if (original instanceof Uint32Array) return [...original]
      if (original && original.hash && 'size' in original) return [original.index, original.size, hex(original.hash)]
      return v
    })
  )
const add = (type, name, fields) =>
  messages.push({ type, name, fields: plain(fields), hex: hex(c.encode(wire[name], fields)) })

for (const [canUpgrade, uploading, downloading, hasManifest, allowPush] of subsets(5)) {
  add(0, 'sync', { fork: 0, length: 253, remoteLength: 70000, canUpgrade, uploading, downloading, hasManifest, allowPush })
}
add(0, 'sync', { fork: BIG, length: BIG, remoteLength: BIG, canUpgrade: true, uploading: true, downloading: true, hasManifest: true, allowPush: false })

for (const [b, h, s, u, manifest, p] of subsets(6)) {
  add(1, 'request', {
    id: 300, fork: 2,
    block: b ? { index: 5, nodes: 3 } : null,
    hash: h ? { index: 70000, nodes: 0 } : null,
    seek: s ? { bytes: BIG, padding: 8 } : null,
    upgrade: u ? { start: 1, length: 252 } : null,
    manifest, priority: p ? 2 : 0
  })
}
for (const n of [0, 252, 253, 65535, 65536, 0xffffffff, 0x100000000, BIG]) add(2, 'cancel', { request: n })

for (const [b, h, s, u] of subsets(4)) {
  add(3, 'data', {
    request: 9, fork: 1,
    block: b ? { index: 4, value: fill(6, 300), nodes: nodes(3) } : null,
    hash: h ? { index: 6, nodes: nodes(1) } : null,
    seek: s ? { bytes: 999, nodes: nodes(2) } : null,
    upgrade: u ? { start: 0, length: 10, nodes: nodes(2), additionalNodes: nodes(1), signature: fill(8, 100) } : null,
    manifest: null
  })
}
add(3, 'data', { request: 0, fork: 0, block: { index: 0, value: fill(0, 0), nodes: [] }, hash: null, seek: null, upgrade: null, manifest: null })

for (const reason of [0, 1, 2]) add(4, 'noData', { request: 77, reason })
for (const any of [false, true]) {
  for (const [type, name] of [[5, 'want'], [6, 'unwant']]) add(type, name, { start: 2097152, length: 2097152, any })
}
for (const words of [[], [1], [0xffffffff, 0, 0x12345678]]) add(7, 'bitfield', { start: 32768, bitfield: new Uint32Array(words) })
for (const drop of [false, true]) for (const length of [0, 1, 2, BIG]) add(8, 'range', { drop, start: 3, length })
for (const [name, message] of [['', ''], ['autobase', 'abc'], ['é', 'x'.repeat(300)]]) {
  add(9, 'extension', { name, message: Buffer.from(message) })
}

write('crates/hc-protocol/tests/vectors/wire.json', { messages })
