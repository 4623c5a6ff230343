// What goes between peers: connections over TCP on loopback, proofs, extensions.
import net from 'node:net'
import c from 'compact-encoding'
import messages from 'hypercore/messages.js'
import { b64, core, hand, hex, keyPair, lookup, needed, replications, stop, storeOrCore, unb64 } from '../handles.mjs'

function replicate(what, socket, initiator, request) {
  socket.setNoDelay(true)
  const stream = what.replicate(initiator, request.keyPair ? { keyPair: keyPair(request.keyPair) } : {})
  stream.on('error', () => {})
  socket.on('error', () => {})
  socket.pipe(stream).pipe(socket)
  return { socket, stream }
}

const { data } = messages.wire

export const operations = {
  // with the manifest, for readers that have only the key
  async proof(request) {
    const source = core(request)
    const { block = null, hash = null, seek = null, upgrade = null } = request
    const made = await source.proof({ block, hash, seek, upgrade })
    return { proof: b64(c.encode(data, { request: 0, ...made, manifest: source.manifest })) }
  },
  async applyProof(request) {
    return { applied: await core(request).applyProof(c.decode(data, unb64(needed(request, 'proof', 'string')))) }
  },
  async verifyFullyRemote(request) {
    const proof = c.decode(data, unb64(needed(request, 'proof', 'string')))
    const batch = await core(request).verifyFullyRemote(proof)
    return { fork: batch.fork, length: batch.length, byteLength: batch.byteLength, treeHash: hex(batch.hash()) }
  },
  'extension.register'(request, tell) {
    const name = needed(request, 'name', 'string')
    core(request).registerExtension(name, {
      onmessage(message, peer) {
        tell('extension', request.core, { name, message: b64(message) ?? '', peer: hex(peer.remotePublicKey) })
      }
    })
  },
  'extension.send'(request) {
    const target = core(request)
    const extension = lookup(target.extensions, 'extension', needed(request, 'name', 'string'))
    const message = unb64(request.message)
    if (!request.peer) return extension.broadcast(message)
    for (const peer of target.peers) {
      if (hex(peer.remotePublicKey) === request.peer) extension.send(message, peer)
    }
  },
  peers(request) {
    const peers = core(request).peers.map((peer) => ({
      publicKey: hex(peer.stream.publicKey),
      remotePublicKey: hex(peer.remotePublicKey),
      remoteLength: peer.remoteLength,
      remoteContiguousLength: peer.remoteContiguousLength,
      remoteFork: peer.remoteFork,
      stats: peer.stats
    }))
    return { peers }
  },
  async 'replicate.listen'(request) {
    const target = storeOrCore(request)
    const running = { connections: [] }
    running.server = net.createServer((socket) => running.connections.push(replicate(target, socket, false, request)))
    await new Promise((resolve, reject) => {
      running.server.once('error', reject)
      running.server.listen(request.port ?? 0, '127.0.0.1', resolve)
    })
    return { port: running.server.address().port, replication: hand(replications, running) }
  },
  async 'replicate.connect'(request) {
    const target = storeOrCore(request)
    const socket = net.connect(request.port, '127.0.0.1')
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return { replication: hand(replications, { connections: [replicate(target, socket, true, request)] }) }
  },
  'replicate.attach'(request) {
    for (const { stream } of lookup(replications, 'replication', request.replication).connections) {
      core(request).replicate(stream)
    }
  },
  'replicate.stop'(request) {
    stop(lookup(replications, 'replication', request.replication))
  }
}
