// What has been handed out, and how values look in requests and replies: bytes are base64, keys and hashes lower-case hex.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const stores = new Map()
export const cores = new Map()
export const atoms = new Map()
export const downloads = new Map()
export const replications = new Map()
const temporary = []
let next = 0

export const hex = (bytes) => (bytes ? Buffer.from(bytes).toString('hex') : null)
export const b64 = (bytes) => (bytes ? Buffer.from(bytes).toString('base64') : null)
export const unhex = (text) => (text ? Buffer.from(text, 'hex') : undefined)
export const unb64 = (text) => Buffer.from(text, 'base64')

// Whether an optional field is there.
export const given = (value) => value !== undefined && value !== null

export function bad(message) {
  return Object.assign(new Error(message), { code: 'BAD_ARGUMENT' })
}

// A field that an operation cannot do without.
export function needed(request, name, type) {
  const value = request[name]
  if (typeof value !== type) throw bad(`field ${name} is not a ${type}`)
  return value
}

// The optional fields of these names, as they are.
export function pick(request, names) {
  const options = {}
  for (const name of names) if (given(request[name])) options[name] = request[name]
  return options
}

export function lookup(map, kind, id) {
  if (!map.has(id)) throw bad(`there is no ${kind} ${id}`)
  return map.get(id)
}

export const store = (request) => lookup(stores, 'store', request.store)
export const core = (request) => lookup(cores, 'core', request.core)

// What an operation acts on that takes either.
export const storeOrCore = (request) => (given(request.store) ? store(request) : core(request))

export function hand(map, value) {
  map.set(next, value)
  return next++
}

export function directory(dir) {
  if (dir) return dir
  const made = mkdtempSync(join(tmpdir(), 'hypercore-node-'))
  temporary.push(made)
  return made
}

export function keyPair(pair) {
  return pair && { publicKey: unhex(pair.publicKey), secretKey: unhex(pair.secretKey) }
}

// What says who signs: as `append`, `truncate` and `commit` take it.
export function signing(request) {
  const options = {}
  if (request.signature) options.signature = unhex(request.signature)
  if (request.keyPair) options.keyPair = keyPair(request.keyPair)
  return options
}

const PLAIN = [
  'createIfMissing', 'overwrite', 'compat', 'writable', 'timeout', 'wait', 'exclusive', 'weak', 'pushOnly', 'allowPush',
  'allowFork', 'eagerUpgrade', 'inflightRange'
]

export function coreOptions(request) {
  const options = pick(request, PLAIN)
  if (request.encryption) options.encryption = encryption(request.encryption)
  if (request.group) options.group = unhex(request.group)
  if (request.userData) {
    const entries = Object.entries(request.userData).map(([key, value]) => [key, unb64(value)])
    options.userData = Object.fromEntries(entries)
  }
  return options
}

export const encryption = ({ key, block }) => ({ key: unhex(key), block: !!block })

export function describe(id, core) {
  return {
    core: id,
    key: hex(core.key),
    id: core.id,
    discoveryKey: hex(core.discoveryKey),
    manifest: b64(core.getManifest({ raw: true })),
    length: core.length,
    byteLength: core.byteLength,
    contiguousLength: core.contiguousLength,
    remoteContiguousLength: core.remoteContiguousLength,
    signedLength: core.signedLength,
    fork: core.fork,
    writable: core.writable,
    padding: core.padding
  }
}

export async function handCore(core) {
  await core.ready()
  return describe(hand(cores, core), core)
}

// Ends a connection, or a port with those that were accepted.
export function stop(running) {
  running.server?.close()
  for (const { socket, stream } of running.connections) {
    stream.destroy()
    socket.destroy()
  }
}

export async function closeEverything() {
  for (const running of replications.values()) stop(running)
  for (const opened of cores.values()) await opened.close().catch(() => {})
  for (const opened of stores.values()) await opened.close().catch(() => {})
  for (const dir of temporary) rmSync(dir, { recursive: true, force: true })
}
