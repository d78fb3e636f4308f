// Preloaded into the published programs (`node --import`): they reach this machine and no other.
// A connection elsewhere is refused, as where there is no network, and its host is noted in the
// file that ELSEWHERE names: a program that shrugs it off has tried all the same.

import { appendFileSync } from 'node:fs'
import net from 'node:net'

const LOCAL = /^(localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])$/
const connect = net.Socket.prototype.connect

/** Where a call of `connect` wants to go; `localhost` for a socket in the file system. */
const host = ([first, second]) => {
  const options = Array.isArray(first) ? first[0] : first
  if (typeof options === 'object') return options.path ? 'localhost' : options.host ?? 'localhost'
  return typeof second === 'string' ? second : 'localhost'
}

net.Socket.prototype.connect = function (...where) {
  const name = host(where)
  if (LOCAL.test(name)) return connect.apply(this, where)
  if (process.env.ELSEWHERE) appendFileSync(process.env.ELSEWHERE, `${name}\n`)
  process.nextTick(() => this.destroy(Object.assign(new Error(`${name} is not here`), { code: 'ENOTFOUND' })))
  return this
}
