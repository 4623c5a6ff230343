// Makes crates/compact-encoding-rs/tests/vectors/codec.json: values of the basic types as compact-encoding writes them.
// Run: node interop/generate/codec.mjs
import { createRequire } from 'node:module'
import { fill, hex, write } from './_write.mjs'

const require = createRequire(import.meta.url)
const c = require('compact-encoding')

const MAX = Number.MAX_SAFE_INTEGER
const around = (n) => [n - 1, n, n + 1]
const below = (limit) => [0, 1, ...around(0xfc), ...around(0xff), ...around(0x10000), ...around(2 ** 32), 2 ** 40 + 1, MAX].filter((n) => n <= limit)
const bytes = [0, 1, 252, 253, 300].map((n) => fill(n, n))
const texts = ['', 'hello', 'grüße 🜁', 'a\0b', 'x'.repeat(253)]

const values = []
const add = (type, codec, value, shown = value) => values.push({ type, value: shown, encoded: hex(c.encode(codec, value)) })
for (const [type, limit] of [['uint', MAX], ['uint8', 0xff], ['uint16', 0xffff], ['uint24', 0xffffff], ['uint32', 0xffffffff], ['uint64', MAX], ['uint64be', MAX]]) {
  for (const n of below(limit)) add(type, c[type], n)
}
for (const n of below(MAX / 2)) {
  add('int', c.int, n)
  if (n > 0) add('int', c.int, -n)
}
for (const b of bytes) {
  add('buffer', c.buffer, b, hex(b))
  add('optionalBuffer', c.optionalBuffer, b, b.length === 0 ? null : hex(b))
}
add('optionalBuffer', c.optionalBuffer, null)
for (const text of texts) add('string', c.string, text)
add('bool', c.bool, true)
add('bool', c.bool, false)
for (const list of [[], [0], [1, 252, 253, 65536], Array.from({ length: 300 }, (_, i) => i)]) {
  add('uintList', c.array(c.uint), list)
  add('framedUintList', c.frame(c.array(c.uint)), list)
  add('uint32array', c.uint32array, new Uint32Array(list), list)
}
for (const list of [[], [''], texts]) add('stringList', c.array(c.string), list)

write('crates/compact-encoding-rs/tests/vectors/codec.json', { values })
