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

// The types that nothing of ours writes yet.
const more = []
const also = (type, codec, value, shown = value) => more.push({ type, value: shown, encoded: hex(c.encode(codec, value)) })
for (const n of below(0xffffffff)) also('uint32be', c.uint32be, n)
for (const bits of [8, 16, 24, 32, 40, 48, 56, 64]) {
  // of a zigzag integer, up to the largest that Node writes
  const top = Math.min(2 ** (bits - 1), 2 ** 52)
  for (const n of [0, 1, -1, 100, -100, top - 1, -top, -top + 1]) also(`int${bits}`, c[`int${bits}`], n)
  if (bits > 32 && bits < 64) for (const n of below(Math.min(2 ** bits - 1, MAX))) also(`uint${bits}`, c[`uint${bits}`], n)
}
const big = [0n, 1n, 2n ** 53n, 2n ** 63n - 1n]
for (const n of [...big, 2n ** 64n - 1n]) also('biguint64', c.biguint64, n, String(n))
for (const n of [...big, -1n, -(2n ** 63n)]) also('bigint64', c.bigint64, n, String(n))
for (const words of [[], ['1'], ['0', '7'], ['18446744073709551615', '0', '1']]) {
  const n = words.reduceRight((sum, word) => (sum << 64n) + BigInt(word), 0n)
  also('biguint', c.biguint, n, words)
}
// floats are shown as their bits
const shown32 = (n) => { const view = new DataView(new ArrayBuffer(4)); view.setFloat32(0, n); return view.getUint32(0) }
const shown64 = (n) => { const view = new DataView(new ArrayBuffer(8)); view.setFloat64(0, n); return String(view.getBigUint64(0)) }
const floats = [0, -0, 1, -1.5, Math.PI, 5e-324, 1.17549435e-38, 3.4e38, 1e300, Infinity, -Infinity, NaN]
for (const n of floats) {
  also('float32', c.float32, n, shown32(n))
  also('float64', c.float64, n, shown64(n))
}
for (const list of [[], floats]) {
  also('float32array', c.float32array, new Float32Array(list), list.map(shown32))
  also('float64array', c.float64array, new Float64Array(list), list.map(shown64))
}
for (const ms of [0, 1, -1, 1700000000000, -1700000000000, 8.64e15]) {
  if (ms <= MAX / 2) also('date', c.date, new Date(ms), ms)
}
for (const [type, list] of [['uint16', [0, 1, 65535]], ['int8', [0, -1, 127, -128]], ['int16', [0, -1, 32767, -32768]], ['int32', [0, -1, 2 ** 31 - 1, -(2 ** 31)]]]) {
  const TypedArray = { uint16: Uint16Array, int8: Int8Array, int16: Int16Array, int32: Int32Array }[type]
  for (const values of [[], list]) also(`${type}array`, c[`${type}array`], new TypedArray(values), values)
}
for (const list of [[], [0n, 2n ** 64n - 1n]]) also('biguint64array', c.biguint64array, new BigUint64Array(list), list.map(String))
for (const list of [[], [-1n, 2n ** 63n - 1n, -(2n ** 63n)]]) also('bigint64array', c.bigint64array, new BigInt64Array(list), list.map(String))
for (const count of [0, 1, 7, 8, 9, 17, 300]) {
  const bits = Array.from({ length: count }, (_, i) => i % 3 === 0 || i % 7 === 2)
  also('bitarray', c.bitarray, bits)
}
for (const record of [{}, { a: '1' }, { key: 'value', grüße: '🜁', '': '' }]) also('stringRecord', c.stringRecord, record, Object.entries(record))
for (const n of [0, 80, 65535]) also('port', c.port, n)
const four = ['0.0.0.0', '127.0.0.1', '255.254.253.252']
const six = ['::', '::1', '1:2:3:4:5:6:7:8', 'fe80::abcd:1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']
for (const host of four) {
  also('ipv4', c.ipv4, host)
  also('ipv4Address', c.ipv4Address, { host, port: 49737 }, `${host}:49737`)
  also('ip', c.ip, host)
  also('ipAddress', c.ipAddress, { host, port: 1 }, `${host}:1`)
}
for (const host of six) {
  also('ipv6', c.ipv6, host)
  also('ipv6Address', c.ipv6Address, { host, port: 49737 }, `[${host}]:49737`)
  also('ip', c.ip, host)
  also('ipAddress', c.ipAddress, { host, port: 1 }, `[${host}]:1`)
}

write('crates/compact-encoding-rs/tests/vectors/codec.json', { values, more })
