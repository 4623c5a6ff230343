// Makes a store as hypercore-storage 2.9.0 does, with records of version 1, from a description on standard input:
// {"primaryKey":"hex","cores":[{"name":"…","batches":[["base64",…],…]}]}: node version1_of.mjs DIR
import b4a from 'b4a'
import Corestore from 'corestore'
import fs from 'fs'
import Storage from 'hypercore-storage-2'

const told = JSON.parse(fs.readFileSync(0, 'utf8'))
const primaryKey = b4a.from(told.primaryKey, 'hex')
const store = new Corestore(new Storage(process.argv[2]), { primaryKey, unsafe: true })
await store.ready()
for (const { name, batches } of told.cores) {
  const log = store.get({ name })
  for (const blocks of batches) await log.append(blocks.map((block) => b4a.from(block, 'base64')))
}
await store.close()
