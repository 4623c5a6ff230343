// The operations, by name. Each gets the request and returns the fields of its reply.
import net from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Corestore from 'corestore'
import Hypercore from 'hypercore'
import RocksDB from 'rocksdb-native'
import { block, checker, randomOrder } from './fill.mjs'

const stores = new Map()
const cores = new Map()
const downloads = new Map()
const replications = new Map()
const finding = new Map()
const temporary = []
let next = 0

const hex = (bytes) => (bytes ? Buffer.from(bytes).toString('hex') : null)
const b64 = (bytes) => (bytes ? Buffer.from(bytes).toString('base64') : null)
const unhex = (text) => (text ? Buffer.from(text, 'hex') : undefined)
const unb64 = (text) => Buffer.from(text, 'base64')

function bad(message) {
  return Object.assign(new Error(message), { code: 'BAD_ARGUMENT' })
}

function lookup(map, kind, id) {
  if (!map.has(id)) throw bad(`there is no ${kind} ${id}`)
  return map.get(id)
}

const store = (request) => lookup(stores, 'store', request.store)
const core = (request) => lookup(cores, 'core', request.core)

function hand(map, value) {
  map.set(next, value)
  return next++
}

function directory(dir) {
  if (dir) return dir
  const made = mkdtempSync(join(tmpdir(), 'hypercore-node-'))
  temporary.push(made)
  return made
}

function keyPair(pair) {
  return pair && { publicKey: unhex(pair.publicKey), secretKey: unhex(pair.secretKey) }
}

function coreOptions(request) {
  const options = {}
  for (const name of ['createIfMissing', 'overwrite', 'compat', 'writable', 'timeout', 'wait', 'weak', 'eagerUpgrade', 'inflightRange']) {
    if (request[name] !== undefined && request[name] !== null) options[name] = request[name]
  }
  return options
}

function describe(id, core) {
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

async function handCore(core) {
  await core.ready()
  return describe(hand(cores, core), core)
}

function replicate(what, socket, initiator) {
  socket.setNoDelay(true)
  const stream = what.replicate(initiator)
  stream.on('error', () => {})
  socket.on('error', () => {})
  socket.pipe(stream).pipe(socket)
  return { socket, stream }
}

const what = (request) => (request.store === undefined || request.store === null ? core(request) : store(request))

export const operations = {
  async 'store.open'(request) {
    const options = { readOnly: !!request.readOnly }
    if (request.primaryKey) Object.assign(options, { primaryKey: unhex(request.primaryKey), unsafe: !!request.unsafe })
    const opened = new Corestore(directory(request.dir), options)
    await opened.ready()
    return { store: hand(stores, opened), primaryKey: hex(opened.primaryKey) }
  },
  async 'store.close'(request) {
    await store(request).close()
  },
  async 'store.list'(request) {
    const discoveryKeys = []
    for await (const key of store(request).list(unhex(request.namespace))) discoveryKeys.push(hex(key))
    return { discoveryKeys }
  },
  'store.session'(request) {
    const session = store(request).session()
    return { store: hand(stores, session), namespace: hex(session.ns) }
  },
  'store.namespace'(request) {
    const session = store(request).namespace(request.name)
    return { store: hand(stores, session), namespace: hex(session.ns) }
  },
  'store.get'(request) {
    const options = coreOptions(request)
    if (request.name) options.name = request.name
    if (request.key) options.key = unhex(request.key)
    if (request.discoveryKey) options.discoveryKey = unhex(request.discoveryKey)
    if (request.keyPair) options.keyPair = keyPair(request.keyPair)
    if (request.manifest) options.manifest = unb64(request.manifest)
    return handCore(store(request).get(options))
  },
  async 'store.createKeyPair'(request) {
    const pair = await store(request).createKeyPair(request.name)
    return { publicKey: hex(pair.publicKey), secretKey: hex(pair.secretKey) }
  },
  'core.open'(request) {
    const options = coreOptions(request)
    if (request.keyPair) options.keyPair = keyPair(request.keyPair)
    if (request.manifest) options.manifest = unb64(request.manifest)
    return handCore(new Hypercore(directory(request.dir), unhex(request.key) ?? null, options))
  },
  'core.state'(request) {
    return describe(request.core, core(request))
  },
  'core.session'(request) {
    return handCore(core(request).session(coreOptions(request)))
  },
  async 'core.close'(request) {
    await core(request).close()
  },
  'events.subscribe'(request, tell) {
    const watched = core(request)
    const id = request.core
    watched.on('append', () => tell('append', id, { length: watched.length }))
    watched.on('download', (index, byteLength) => tell('download', id, { index, byteLength }))
    watched.on('upload', (index, byteLength) => tell('upload', id, { index, byteLength }))
    watched.on('peer-add', () => tell('peer-add', id, {}))
    watched.on('peer-remove', () => tell('peer-remove', id, {}))
    watched.on('manifest', () => tell('manifest', id, {}))
    watched.on('close', () => tell('close', id, {}))
  },
  'findingPeers.start'(request) {
    finding.set(request.core, core(request).findingPeers())
  },
  'findingPeers.done'(request) {
    finding.get(request.core)?.()
  },
  async 'userData.set'(request) {
    await core(request).setUserData(request.key, request.value === null ? null : unb64(request.value))
  },
  async 'userData.get'(request) {
    return { value: b64(await core(request).getUserData(request.key)) }
  },
  append(request) {
    return core(request).append(request.blocks.map(unb64))
  },
  async appendMany(request) {
    const { n, size, batch } = request
    const target = core(request)
    const started = process.hrtime.bigint()
    for (let start = 0; start < n; start += batch) {
      const blocks = []
      for (let i = start; i < Math.min(n, start + batch); i++) blocks.push(block(i, size))
      await target.append(batch === 1 ? blocks[0] : blocks)
    }
    const seconds = Number(process.hrtime.bigint() - started) / 1e9
    return { length: target.length, byteLength: target.byteLength, seconds }
  },
  async get(request) {
    const options = {}
    if (typeof request.wait === 'boolean') options.wait = request.wait
    if (typeof request.timeout === 'number') options.timeout = request.timeout
    return { block: b64(await core(request).get(request.index, options)) }
  },
  async getMany(request) {
    const { start, n, order } = request
    const source = core(request)
    const check = checker(request.size)
    let bytes = 0
    const started = process.hrtime.bigint()
    if (order === 'stream') {
      let index = start
      for await (const part of source.createReadStream({ start, end: start + n })) {
        check(index++, part)
        bytes += part.byteLength
      }
    } else {
      const indices = order === 'rand' ? randomOrder(start, n) : Array.from({ length: n }, (_, i) => start + i)
      for (const index of indices) {
        const part = await source.get(index)
        check(index, part)
        bytes += part.byteLength
      }
    }
    return { bytes, seconds: Number(process.hrtime.bigint() - started) / 1e9 }
  },
  async has(request) {
    return { has: await core(request).has(request.start, request.end ?? request.start + 1) }
  },
  async update(request) {
    const options = {}
    if (typeof request.wait === 'boolean') options.wait = request.wait
    if (request.force) options.force = true
    return { updated: await core(request).update(options) }
  },
  async download(request) {
    await range(request).done()
  },
  'download.start'(request) {
    return { download: hand(downloads, range(request)) }
  },
  'download.stop'(request) {
    downloads.get(request.download)?.destroy()
  },
  async treeHash(request) {
    return { hash: hex(await core(request).treeHash(request.length ?? undefined)) }
  },
  async info(request) {
    const info = await core(request).info()
    return { ...info, key: hex(info.key), discoveryKey: hex(info.discoveryKey), storage: undefined }
  },
  peers(request) {
    const peers = core(request).peers.map((peer) => ({
      publicKey: hex(peer.stream.publicKey),
      remotePublicKey: hex(peer.remotePublicKey),
      remoteLength: peer.remoteLength,
      remoteFork: peer.remoteFork
    }))
    return { peers }
  },
  async 'replicate.listen'(request) {
    const target = what(request)
    const running = { connections: [] }
    running.server = net.createServer((socket) => running.connections.push(replicate(target, socket, false)))
    await new Promise((resolve, reject) => {
      running.server.once('error', reject)
      running.server.listen(request.port ?? 0, '127.0.0.1', resolve)
    })
    return { port: running.server.address().port, replication: hand(replications, running) }
  },
  async 'replicate.connect'(request) {
    const target = what(request)
    const socket = net.connect(request.port, '127.0.0.1')
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return { replication: hand(replications, { connections: [replicate(target, socket, true)] }) }
  },
  'replicate.attach'(request) {
    for (const { stream } of lookup(replications, 'replication', request.replication).connections) {
      core(request).replicate(stream)
    }
  },
  'replicate.stop'(request) {
    stop(lookup(replications, 'replication', request.replication))
  },
  async dump(request) {
    const db = new RocksDB(join(request.dir, 'db'), { readOnly: true })
    const family = db.columnFamily('corestore')
    await family.ready()
    const entries = []
    for await (const { key, value } of family.iterator({ gte: Buffer.alloc(0), lt: Buffer.alloc(1, 0xff) })) {
      entries.push([hex(key), hex(value) ?? ''])
    }
    await family.close()
    await db.close()
    return { entries }
  },
  memory() {
    return { rssBytes: process.memoryUsage().rss }
  }
}

function range(request) {
  const options = { linear: !!request.linear }
  if (request.blocks) options.blocks = request.blocks
  else Object.assign(options, { start: request.start ?? 0, end: request.end ?? -1 })
  return core(request).download(options)
}

function stop(running) {
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
