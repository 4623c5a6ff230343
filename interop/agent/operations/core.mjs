// Cores: opening, state, sessions, atoms, records beside the log.
import Hypercore from 'hypercore'
import {
  atoms, b64, bad, core, coreOptions, describe, directory, encryption, given, hand, handCore, hex, keyPair, lookup,
  needed, pick, signing, storeOrCore, unb64, unhex
} from '../handles.mjs'

const finding = new Map()

export const operations = {
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
    const options = { ...coreOptions(request), ...pick(request, ['name', 'checkout', 'snapshot']) }
    if (given(request.atom)) options.atom = lookup(atoms, 'atom', request.atom)
    return handCore(core(request).session(options))
  },
  async 'core.commit'(request) {
    const session = core({ core: request.session })
    const committed = await core(request).commit(session, { ...pick(request, ['length']), ...signing(request) })
    return committed ?? { length: null }
  },
  // the session becomes one of another core
  async 'core.moveTo'(request) {
    const session = core(request)
    await session.state.moveTo(core({ core: request.target }), needed(request, 'length', 'number'))
  },
  async 'core.copyPrologue'(request) {
    await core(request).core.copyPrologue(core({ core: request.source }).state)
  },
  'core.setKeyPair'(request) {
    core(request).setKeyPair(keyPair(request.keyPair))
  },
  async 'core.setManifest'(request) {
    const target = core(request)
    await target.ready()
    await target.core.setManifest(unb64(needed(request, 'manifest', 'string')))
  },
  async 'core.setEncryption'(request) {
    if (!given(request.encryption)) return core(request).setEncryption(null)
    const { key, block } = encryption(request.encryption)
    await core(request).setEncryptionKey(key, { block })
  },
  async 'core.setGroup'(request) {
    await core(request).setGroup(unhex(needed(request, 'group', 'string')))
  },
  'core.setActive'(request) {
    core(request).setActive(needed(request, 'active', 'boolean'))
  },
  async 'core.close'(request) {
    await core(request).close()
  },
  async 'core.purge'(request) {
    await core(request).purge()
  },
  async 'core.compact'(request) {
    await core(request).compact()
  },
  async 'core.recover'(request) {
    await core(request).recover()
  },
  'atom.create'(request) {
    const target = storeOrCore(request)
    const storage = given(request.store) ? target.storage : target.state.storage
    return { atom: hand(atoms, storage.createAtom()) }
  },
  async 'atom.flush'(request) {
    await lookup(atoms, 'atom', request.atom).flush()
  },
  async 'userData.set'(request) {
    const value = given(request.value) ? unb64(request.value) : null
    await core(request).setUserData(needed(request, 'key', 'string'), value)
  },
  async 'userData.get'(request) {
    return { value: maybe(await core(request).getUserData(needed(request, 'key', 'string'))) }
  },
  async info(request) {
    const info = await core(request).info(pick(request, ['storage']))
    return { ...info, key: hex(info.key), discoveryKey: hex(info.discoveryKey) }
  },
  'findingPeers.start'(request) {
    finding.set(request.core, core(request).findingPeers())
  },
  'findingPeers.done'(request) {
    finding.get(request.core)?.()
  },
  'events.subscribe'(request, tell) {
    const watched = core(request)
    const id = request.core
    watched.on('append', () => tell('append', id, { length: watched.length }))
    watched.on('truncate', (ancestors, fork) => tell('truncate', id, { ancestors, fork }))
    watched.on('download', (index, byteLength) => tell('download', id, { index, byteLength }))
    watched.on('migrate', (key) => tell('migrate', id, { key: hex(key) }))
    watched.on('upload', (index, byteLength) => tell('upload', id, { index, byteLength }))
    watched.on('remote-contiguous-length', (length) => tell('remote-contiguous-length', id, { length }))
    const plain = [
      'peer-add', 'peer-remove', 'manifest', 'conflict', 'verification-error', 'repairing', 'repaired', 'close'
    ]
    for (const name of plain) watched.on(name, () => tell(name, id, {}))
  }
}

// A record may be empty, which is not the same as none.
function maybe(value) {
  return value === null ? null : Buffer.from(value).toString('base64')
}
