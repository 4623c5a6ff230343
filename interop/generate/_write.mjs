// What the scripts share: plain values from buffers, and one value a line, so that a change can be read.
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..')

export const hex = (buffer) => (buffer ? Buffer.from(buffer).toString('hex') : null)
export const fill = (byte, length = 32) => Buffer.alloc(length, byte)

// Lists of lists of values: each value becomes one line.
export function write(file, lists) {
  const parts = Object.entries(lists).map(([name, values]) => {
    const lines = values.map((value) => '    ' + JSON.stringify(value))
    return `  ${JSON.stringify(name)}: [\n${lines.join(',\n')}\n  ]`
  })
  const target = path.join(root, file)
  fs.mkdirSync(path.dirname(target), { recursive: true })
  fs.writeFileSync(target, `{\n${parts.join(',\n')}\n}\n`)
  const counts = Object.entries(lists).map(([name, values]) => `${values.length} ${name}`)
  console.log(`${file}: ${counts.join(', ')}`)
}
