// Says of signatures whether libsodium takes them, for crates/hc-crypto/tests/signatures.rs. Batches come in on standard
// input: their size in bytes (4 bytes, little-endian), then each signature as public key (32), signature (64), length of the
// message (2, little-endian) and message. Each batch is answered with a byte for each signature, 1 or 0.
// Run: node interop/peers/judge_signatures.mjs
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const sodium = require('sodium-native')

function judge(batch) {
  const verdicts = []
  for (let at = 0; at < batch.length; ) {
    const publicKey = batch.subarray(at, at + 32)
    const signature = batch.subarray(at + 32, at + 96)
    const end = at + 98 + batch.readUInt16LE(at + 96)
    verdicts.push(sodium.crypto_sign_verify_detached(signature, batch.subarray(at + 98, end), publicKey) ? 1 : 0)
    at = end
  }
  return Buffer.from(verdicts)
}

let chunks = []
let held = 0
for await (const chunk of process.stdin) {
  chunks.push(chunk)
  held += chunk.length
  const size = held < 4 ? Infinity : (chunks[0].length < 4 ? (chunks = [Buffer.concat(chunks)])[0] : chunks[0]).readUInt32LE(0)
  if (held < 4 + size) continue
  const all = Buffer.concat(chunks)
  chunks = [all.subarray(4 + size)]
  held -= 4 + size
  process.stdout.write(judge(all.subarray(4, 4 + size)))
}
