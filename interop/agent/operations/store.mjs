// Stores, and groups of cores in them.
import Corestore from 'corestore'
import {
  bad, coreOptions, directory, given, hand, handCore, hex, keyPair, needed, store, stores, core, unb64, unhex
} from '../handles.mjs'

const groups = new Map()

function handStore(session) {
  return { store: hand(stores, session), namespace: hex(session.ns) }
}

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
  async 'store.suspend'(request) {
    await store(request).suspend()
  },
  async 'store.resume'(request) {
    await store(request).resume()
  },
  async 'store.list'(request) {
    const discoveryKeys = []
    for await (const key of store(request).list(unhex(request.namespace))) discoveryKeys.push(hex(key))
    return { discoveryKeys }
  },
  'store.session'(request) {
    const options = given(request.manifestVersion) ? { manifestVersion: request.manifestVersion } : {}
    return handStore(store(request).session(options))
  },
  'store.namespace'(request) {
    return handStore(store(request).namespace(needed(request, 'name', 'string')))
  },
  'store.get'(request) {
    const options = coreOptions(request)
    if (request.name) options.name = request.name
    if (request.key) options.key = unhex(request.key)
    if (request.discoveryKey) options.discoveryKey = unhex(request.discoveryKey)
    if (request.keyPair) options.keyPair = keyPair(request.keyPair)
    if (request.manifest) options.manifest = unb64(request.manifest)
    if (!['name', 'key', 'discoveryKey', 'keyPair', 'manifest'].some((name) => options[name])) {
      throw bad('one of name, key, keyPair, manifest, discoveryKey is needed')
    }
    return handCore(store(request).get(options))
  },
  async 'store.createKeyPair'(request) {
    const pair = await store(request).createKeyPair(needed(request, 'name', 'string'))
    return { publicKey: hex(pair.publicKey), secretKey: hex(pair.secretKey) }
  },
  // what would be dropped is a problem, as is what cannot be read at all
  async 'store.audit'(request) {
    const problems = []
    for await (const { discoveryKey, audit } of store(request).audit({ dryRun: true })) {
      const found = { discoveryKey: hex(discoveryKey), ...audit }
      if (audit === null || audit.corrupt || audit.droppedTreeNodes + audit.droppedBlocks + audit.droppedBits > 0) {
        problems.push(found)
      }
    }
    return { problems }
  },
  async 'store.staticify'(request) {
    return handCore(await store(request).staticify(core(request)))
  },
  'group.watch'(request, tell) {
    const topic = needed(request, 'topic', 'string')
    groupOf(request).on('update', ({ key, length, fork }) => {
      tell('group', undefined, { topic, key: hex(key), length, fork })
    })
  },
  async 'group.updates'(request) {
    const updates = []
    const handle = store(request).notifyGroup(unhex(needed(request, 'topic', 'string')))
    for await (const key of handle.updates()) updates.push(hex(key.key ?? key))
    handle.destroy()
    return { updates }
  }
}

// One handle for a store and a topic, however often it is watched.
function groupOf(request) {
  const name = request.store + ' ' + request.topic
  if (!groups.has(name)) groups.set(name, store(request).notifyGroup(unhex(request.topic)))
  return groups.get(name)
}
