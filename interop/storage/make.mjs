// Makes a store with every kind of record that Node writes: node make.mjs DIR [flush]
import b4a from 'b4a'
import Corestore from 'corestore'

const [dir, flush] = process.argv.slice(2)
const store = new Corestore(dir)
await store.ready()

const log = store.get({ name: 'log' })
await log.ready()
const small = Array.from({ length: 20 }, (_, i) => b4a.from('small block ' + i))
await log.append(small)
// around the size from which values go to blob files
for (const size of [4095, 4096, 4097, 14000]) await log.append(b4a.alloc(size, size % 251))
await log.setUserData('who', b4a.from('node'))
await log.setUserData('a\0b', b4a.alloc(5000, 1))

const session = log.session({ name: 'named' })
await session.ready()
await session.append(['the session', 'goes on'])
await session.close()

const holes = store.get({ name: 'with holes' })
await holes.append(Array.from({ length: 300 }, () => 'x'))
await holes.clear(100, 200)
await holes.truncate(250)

const reader = store.get({ key: b4a.alloc(32, 9) })
await reader.ready()
await store.storage.createGroup(b4a.alloc(32, 5))
const tx = log.core.storage.write()
tx.setGroup({ key: b4a.alloc(32, 5), pointer: 1 })
tx.putGroupUpdate(1, Date.now(), b4a.alloc(32, 6))
tx.putLocal(b4a.from([0, 255]), b4a.from('local'))
tx.putMark(3, b4a.alloc(8, 3))
await tx.flush()

if (flush === 'flush') await store.storage.db.flush()
console.log(JSON.stringify({ discoveryKey: b4a.toString(log.discoveryKey, 'hex'), length: log.length, byteLength: log.byteLength }))
await store.close()
