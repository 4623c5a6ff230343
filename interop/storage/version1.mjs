// Makes a store as hypercore-storage 2.9.0 does, with records of version 1: node version1.mjs DIR
import b4a from 'b4a'
import Corestore from 'corestore'
import Storage from 'hypercore-storage-2'

const store = new Corestore(new Storage(process.argv[2]), { primaryKey: b4a.alloc(32, 7), unsafe: true })
await store.ready()

const log = store.get({ name: 'log' })
await log.append(['one', 'two', 'three', 'four', 'five'])
await log.append(b4a.alloc(5000, 5))
await log.setUserData('who', b4a.from('2.9.0'))
await log.truncate(5)
await log.append('six')
await log.clear(3)

const session = log.session({ name: 'named' })
await session.append('of the session')
await session.close()

const untouched = store.get({ name: 'untouched' })
await untouched.append('nobody opens me')

console.log(JSON.stringify({ length: log.length, fork: log.fork }))
await store.close()
