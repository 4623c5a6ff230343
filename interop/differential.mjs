// Judges inputs as the Node packages do. `cargo xtask differential` starts it and compares its answers with ours.
//
// First comes one line of JSON: the names of the codecs. Then batches: the number of inputs, the bytes that follow, and for
// each input the codec, its length and its bytes (numbers of four bytes, little-endian). The answer to a batch has the same form,
// with 1 or 0 for taken or refused in place of the codec, and the value as Node writes it again.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const c = require('compact-encoding')
const b4a = require('b4a')
const { manifest, multiSignature, multiSignaturev0, wire } = require('hypercore/lib/messages.js')
const Verifier = require('hypercore/lib/verifier.js')
const caps = require('hypercore/lib/caps.js')
const schema = require('hypercore-storage/encoding/spec/hyperschema')
const keys = require('hypercore-storage/lib/keys.js')

// most inputs are refused, and nobody reads where
Error.stackTraceLimit = 0

const again = (encoding) => (input) => c.encode(encoding, c.decode(encoding, input))
const record = (name) => (input) => schema.encode(name, schema.decode(name, input))

// What was read in the form of version 0, in that of version 1: there, a patch is only its length.
function multisigV0(input) {
  const { proofs, patch } = c.decode(multiSignaturev0, input)
  const plain = proofs.map((p) => ({ signer: p.signer, signature: p.signature, patch: p.patch ? p.patch.length : 0 }))
  return c.encode(multiSignature, { proofs: plain, patch })
}

function head(input) {
  const state = c.state(0, input.byteLength, input)
  const m = manifest.decode(sub(state))
  const key = c.optionalBuffer.decode(state)
  const hash = c.fixed32.decode(state)
  const length = c.uint.decode(state)
  const fork = c.uint.decode(state)
  return { m, key: key && key.byteLength === 32 ? key : Verifier.manifestHash(m), hash, length, fork, signature: input.subarray(state.start) }
}

function sub(state) {
  const bytes = c.buffer.decode(state)
  return c.state(0, bytes.byteLength, bytes)
}

// A head and its signature, judged under its manifest. Signers of other lengths need a whole tree, and are refused here.
function verify(input) {
  const { m, key, hash, length, fork, signature } = head(input)
  if (!Verifier.isCompat(key, m) && !Verifier.isValidManifest(key, m)) throw new Error('manifest')
  const batch = {
    length,
    fork,
    hash: () => hash,
    signable: (context) => caps.treeSignable(context, hash, length, fork),
    signableCompat: () => caps.treeSignableCompat(hash, length, fork),
    clone() {
      throw new Error('patched')
    }
  }
  if (!new Verifier(key, m).verify(batch, signature)) throw new Error('signature')
  return b4a.alloc(0)
}

function bitfieldKey(input) {
  const [page, type] = keys.core.bitfieldIndexAndType(input)
  if (type !== 0) throw new Error('type')
  return keys.core.bitfield(0, page, 0)
}

const codecs = {
  uint: again(c.uint),
  uint8: again(c.uint8),
  uint16: again(c.uint16),
  uint24: again(c.uint24),
  uint32: again(c.uint32),
  uint64: again(c.biguint64),
  int: again(c.int),
  bool: again(c.bool),
  buffer: again(c.buffer),
  'optional-buffer': again(c.optionalBuffer),
  string: again(c.string),
  fixed32: again(c.fixed32),
  fixed64: again(c.fixed64),
  'uint32-array': again(c.uint32array),
  'uint-list': again(c.array(c.uint)),
  'buffer-list': again(c.array(c.buffer)),
  'framed-uint': again(c.frame(c.uint)),
  manifest: again(manifest),
  'manifest-key': (input) => Verifier.manifestHash(Verifier.decodeManifest(input)),
  multisig: again(multiSignature),
  'multisig-v0': multisigV0,
  verify,
  open: again(wire.handshake),
  sync: again(wire.sync),
  request: again(wire.request),
  cancel: again(wire.cancel),
  data: again(wire.data),
  'no-data': again(wire.noData),
  want: again(wire.want),
  unwant: again(wire.unwant),
  bitfield: again(wire.bitfield),
  range: again(wire.range),
  extension: again(wire.extension),
  'store-head': record('@corestore/head'),
  'core-record': record('@corestore/core'),
  auth: record('@core/auth'),
  'manifest-stored': record('@core/manifest'),
  'head-record': record('@core/head'),
  hints: record('@core/hints'),
  dependency: record('@core/dependency'),
  sessions: record('@core/sessions'),
  'group-record': record('@core/group'),
  'tree-node': record('@core/tree-node'),
  'key-core': (input) => keys.store.core(keys.store.discoveryKey(input)),
  'key-alias': (input) => keys.store.coreByAlias(keys.store.alias(input)),
  'key-block': (input) => keys.core.block(0, keys.core.blockIndex(input)),
  'key-bitfield': bitfieldKey
}

function judge(codec, input) {
  try {
    return codec(input)
  } catch {
    return null
  }
}

function answer(order, count, body) {
  const parts = []
  let at = 0
  for (let i = 0; i < count; i++) {
    const codec = order[body.readUInt32LE(at)]
    const end = at + 8 + body.readUInt32LE(at + 4)
    const output = judge(codec, body.subarray(at + 8, end))
    const prefix = Buffer.alloc(8)
    prefix.writeUInt32LE(output === null ? 0 : 1, 0)
    prefix.writeUInt32LE(output === null ? 0 : output.byteLength, 4)
    // keys are parts of a buffer that is used again
    parts.push(prefix, output === null ? output : Buffer.from(output))
    at = end
  }
  const all = Buffer.concat(parts.filter((part) => part !== null))
  const prefix = Buffer.alloc(8)
  prefix.writeUInt32LE(count, 0)
  prefix.writeUInt32LE(all.byteLength, 4)
  return Buffer.concat([prefix, all])
}

let order = null
let waiting = []
let waitingBytes = 0
let needed = 0

process.stdin.on('data', (chunk) => {
  waiting.push(chunk)
  waitingBytes += chunk.byteLength
  if (waitingBytes < needed) return
  let all = Buffer.concat(waiting)
  if (order === null) {
    const end = all.indexOf(10)
    if (end === -1) return
    order = JSON.parse(all.subarray(0, end)).map((name) => {
      if (!codecs[name]) throw new Error('unknown codec ' + name)
      return codecs[name]
    })
    all = all.subarray(end + 1)
  }
  needed = 8
  while (all.byteLength >= 8) {
    const length = 8 + all.readUInt32LE(4)
    if (all.byteLength < length) {
      needed = length
      break
    }
    process.stdout.write(answer(order, all.readUInt32LE(0), all.subarray(8, length)))
    all = all.subarray(length)
  }
  waiting = [all]
  waitingBytes = all.byteLength
})
