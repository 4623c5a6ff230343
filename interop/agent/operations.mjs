// The operations, by name. Each gets the request and returns the fields of its reply.
import { operations as core } from './operations/core.mjs'
import { operations as log } from './operations/log.mjs'
import { operations as network } from './operations/network.mjs'
import { operations as process } from './operations/process.mjs'
import { operations as store } from './operations/store.mjs'

export const operations = { ...store, ...core, ...log, ...network, ...process }
