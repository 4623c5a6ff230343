// Blocks and orders that both sides of a comparison can make for themselves; as crates/hc-agent/src/fill.rs.
export function block(index, size) {
  const bytes = Buffer.alloc(size, index & 255)
  if (size >= 4) bytes.writeUInt32LE(index >>> 0, 0)
  return bytes
}

export function* randomOrder(start, n, among = n) {
  // products stay below 2^53 only in parts, so this is done in integers of any size
  let x = 12345n
  for (let i = 0; i < n; i++) {
    x = (x * 1103515245n + 12345n) & 0x7fffffffn
    yield start + Number(x % BigInt(among))
  }
}

// Compares blocks that were read with those that `block` makes, byte for byte, if their size is given.
export function checker(size) {
  if (typeof size !== 'number') return () => {}
  const runs = Array.from({ length: 256 }, (_, byte) => Buffer.alloc(size, byte))
  const head = size >= 4 ? 4 : 0
  return (index, part) => {
    const run = runs[index & 255]
    const same =
      part.byteLength === size &&
      (head === 0 || part.readUInt32LE(0) === index >>> 0) &&
      part.compare(run, head, size, head, size) === 0
    if (!same) throw new Error(`block ${index} is not the one that was appended`)
  }
}
