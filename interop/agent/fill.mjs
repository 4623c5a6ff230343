// Blocks and orders that both sides of a comparison can make for themselves; as crates/hc-agent/src/fill.rs.
export function block(index, size) {
  const bytes = Buffer.alloc(size, index & 255)
  if (size >= 4) bytes.writeUInt32LE(index >>> 0, 0)
  return bytes
}

export function* randomOrder(start, n) {
  // products stay below 2^53 only in parts, so this is done in integers of any size
  let x = 12345n
  for (let i = 0; i < n; i++) {
    x = (x * 1103515245n + 12345n) & 0x7fffffffn
    yield start + Number(x % BigInt(n))
  }
}
