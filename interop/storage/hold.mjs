// Opens a store and says `open` or `refused: …`. Then, a line of input each: `suspend`, `resume`; the end closes it.
// node hold.mjs DIR
import readline from 'node:readline'
import Corestore from 'corestore'

async function say(what, run) {
  try {
    await run()
    console.log(what)
    return true
  } catch (error) {
    console.log(`refused: ${error.message}`)
    return false
  }
}

const store = new Corestore(process.argv[2])
if (await say('open', () => store.ready())) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (line === 'suspend') await say('suspended', () => store.storage.suspend())
    if (line === 'resume') await say('resumed', () => store.storage.resume())
  }
  await store.close().catch(() => process.exit(1))
}
