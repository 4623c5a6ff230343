// The log itself: appending, reading, truncating, clearing.
import { block, checker, randomOrder } from '../fill.mjs'
import { core, downloads, given, hand, hex, needed, pick, signing, unb64 } from '../handles.mjs'

export const operations = {
  append(request) {
    const options = { ...pick(request, ['maxLength']), ...signing(request) }
    return core(request).append(needed(request, 'blocks', 'object').map(unb64), options)
  },
  async appendMany(request) {
    const { n, size, batch, start: first = 0 } = request
    const target = core(request)
    const started = process.hrtime.bigint()
    for (let start = first; start < first + n; start += batch) {
      const blocks = []
      for (let i = start; i < Math.min(first + n, start + batch); i++) blocks.push(block(i, size))
      await target.append(batch === 1 ? blocks[0] : blocks)
    }
    const seconds = Number(process.hrtime.bigint() - started) / 1e9
    return { length: target.length, byteLength: target.byteLength, seconds }
  },
  // Tasks that each wait for one append after the other. The sum of the lengths that they were told shows that each append
  // had a place of its own.
  async appendConcurrent(request) {
    const { n, size, tasks } = request
    const target = core(request)
    const started = process.hrtime.bigint()
    let next = 0
    let lengths = 0
    const task = async () => {
      while (next < n) {
        const appended = await target.append(block(next++, size))
        lengths += appended.length
      }
    }
    await Promise.all(Array.from({ length: tasks }, task))
    const seconds = Number(process.hrtime.bigint() - started) / 1e9
    return { length: target.length, byteLength: target.byteLength, lengths, seconds }
  },
  async get(request) {
    const read = await core(request).get(request.index, pick(request, ['wait', 'timeout', 'decrypt', 'raw']))
    return { block: read === null ? null : Buffer.from(read).toString('base64') }
  },
  async getMany(request) {
    const { start, n, order } = request
    const source = core(request)
    const check = checker(request.size)
    let bytes = 0
    const started = process.hrtime.bigint()
    if (order === 'stream') {
      let index = start
      for await (const part of source.createReadStream({ start, end: start + n })) {
        check(index++, part)
        bytes += part.byteLength
      }
    } else {
      const indices = order === 'rand' ? randomOrder(start, n, request.among) : Array.from({ length: n }, (_, i) => start + i)
      for (const index of indices) {
        const part = await source.get(index)
        check(index, part)
        bytes += part.byteLength
      }
    }
    return { bytes, seconds: Number(process.hrtime.bigint() - started) / 1e9 }
  },
  async bytes(request) {
    const parts = []
    const options = pick(request, ['byteOffset', 'byteLength'])
    for await (const part of core(request).createByteStream(options)) parts.push(part)
    return { data: Buffer.concat(parts).toString('base64') }
  },
  async has(request) {
    return { has: await core(request).has(request.start, request.end ?? request.start + 1) }
  },
  async seek(request) {
    const found = await core(request).seek(request.bytes, pick(request, ['wait', 'timeout']))
    return found ? { index: found[0], offset: found[1] } : { index: null }
  },
  async update(request) {
    return { updated: await core(request).update(pick(request, ['wait', 'force'])) }
  },
  async download(request) {
    await range(request).done()
  },
  'download.start'(request) {
    return { download: hand(downloads, range(request)) }
  },
  'download.stop'(request) {
    downloads.get(request.download)?.destroy()
  },
  async truncate(request) {
    await core(request).truncate(needed(request, 'length', 'number'), { ...pick(request, ['fork']), ...signing(request) })
  },
  async clear(request) {
    const start = needed(request, 'start', 'number')
    const cleared = await core(request).clear(start, request.end ?? start + 1, { diff: true })
    return { blocks: cleared.blocks }
  },
  async treeHash(request) {
    return { hash: hex(await core(request).treeHash(request.length ?? undefined)) }
  },
  async signable(request) {
    return { signable: hex(await core(request).signable(request.length ?? undefined, request.fork ?? undefined)) }
  },
  async missingNodes(request) {
    return { nodes: await core(request).missingNodes(needed(request, 'index', 'number')) }
  },
  'marks.start': (request) => core(request).startMarking(),
  'marks.sweep': (request) => core(request).sweep(),
  'marks.clear': (request) => core(request).clearMarkings(),
  async 'marks.mark'(request) {
    const start = needed(request, 'start', 'number')
    await core(request).markBlock(start, request.end ?? start + 1)
  }
}

function range(request) {
  const options = { linear: !!request.linear }
  if (request.blocks) options.blocks = request.blocks
  else Object.assign(options, { start: request.start ?? 0, end: given(request.end) ? request.end : -1 })
  return core(request).download(options)
}
