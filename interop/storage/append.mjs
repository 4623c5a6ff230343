// Reads every block of the store's default core and appends one: node append.mjs DIR
import b4a from 'b4a'
import Hypercore from 'hypercore'

const log = new Hypercore(process.argv[2])
await log.ready()
const blocks = []
for (let i = 0; i < log.length; i++) blocks.push(b4a.toString(await log.get(i, { wait: false }), 'hex'))
const who = await log.getUserData('who')
if (log.writable) await log.append('from node')
const said = { key: b4a.toString(log.key, 'hex'), length: log.length, blocks, who: who && b4a.toString(who), writable: log.writable }
console.log(JSON.stringify(said))
await log.close()
