// The Node peer: Hypercore and Corestore behind JSON lines on standard input and output, the same operations as
// crates/hc-agent. One object a line; bytes are base64, keys lower-case hex. Ends with its input.
import { createInterface } from 'node:readline'
import { closeEverything } from './agent/handles.mjs'
import { operations } from './agent/operations.mjs'

function write(message) {
  process.stdout.write(JSON.stringify(message) + '\n')
}

export const tell = (event, core, fields) => write({ event, core, ...fields })

async function answer(line) {
  let request
  try {
    request = JSON.parse(line)
  } catch (error) {
    return write({ id: null, err: { code: 'BAD_ARGUMENT', message: String(error.message) } })
  }
  const id = request.id ?? null
  try {
    const run = operations[request.op]
    if (!run) throw Object.assign(new Error('unknown operation ' + request.op), { code: 'BAD_ARGUMENT' })
    write({ id, ok: (await run(request, tell)) ?? {} })
  } catch (error) {
    write({ id, err: { code: error.code ?? 'ERR', message: String(error.message) } })
  }
}

// A failed assertion is thrown once more outside of any request (npm safety-catch); its reply has told of it.
process.on('uncaughtException', (error) => {
  if (error.code === 'ERR_ASSERTION') return
  console.error(error)
  process.exit(1)
})

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  if (line.trim() !== '') answer(line)
})
lines.on('close', async () => {
  const late = setTimeout(() => process.exit(0), 3000)
  await closeEverything()
  clearTimeout(late)
  process.exit(0)
})
