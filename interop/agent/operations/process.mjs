// What is not of a store or a core: a directory as it is on disk, and this process.
import { join } from 'node:path'
import RocksDB from 'rocksdb-native'
import { hex } from '../handles.mjs'

export const operations = {
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
