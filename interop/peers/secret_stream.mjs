// A peer that speaks the secret stream and protomux and nothing above them, for crates/hc-protocol/tests/node_peer.rs.
// It opens the channel `hypercore/alpha` with the id given, answers with the same handshake fields as a core would, and
// sends every extension message back. Run: node interop/peers/secret_stream.mjs listen|connect PORT KEY_IN_HEX
// `listen` prints the port. On the stream's close it prints `closed` and ends.
import net from 'node:net'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const c = require('compact-encoding')
const SecretStream = require('@hyperswarm/secret-stream')
const Protomux = require('protomux')
const crypto = require('hypercore-crypto')
const caps = require('hypercore/lib/caps')
const { wire } = require('hypercore/lib/messages.js')

const [, , mode, port, hex] = process.argv
const key = Buffer.from(hex, 'hex')

function attach(isInitiator, socket) {
  const stream = new SecretStream(isInitiator, socket, { keyPair: SecretStream.keyPair(Buffer.alloc(32, 5)) })
  stream.on('error', (error) => console.log('error ' + error.message))
  stream.on('close', () => {
    console.log('closed')
    process.exit(0)
  })
  stream.on('open', () => open(isInitiator, stream))
}

function open(isInitiator, stream) {
  const mux = Protomux.from(stream)
  const channel = mux.createChannel({
    protocol: 'hypercore/alpha',
    id: crypto.discoveryKey(key),
    handshake: wire.handshake,
    onopen({ capability }) {
      const expected = caps.replicate(!isInitiator, key, stream.handshakeHash)
      console.log(Buffer.compare(expected, capability) === 0 ? 'capability ok' : 'capability wrong')
    },
    onclose: () => console.log('channel closed')
  })
  for (let type = 0; type < 9; type++) channel.addMessage({ encoding: c.raw })
  const extension = channel.addMessage({
    encoding: wire.extension,
    // answers within a batch leave as a batch, since protomux corks while it reads one
    onmessage: (message) => extension.send(message)
  })
  channel.open({ seeks: true, capability: caps.replicate(isInitiator, key, stream.handshakeHash) })
}

if (mode === 'listen') {
  const server = net.createServer((socket) => attach(false, socket))
  server.listen(0, '127.0.0.1', () => console.log('port ' + server.address().port))
} else {
  attach(true, net.connect(Number(port), '127.0.0.1'))
}
