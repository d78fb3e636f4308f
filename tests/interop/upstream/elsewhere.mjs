// Two addresses are written into the upstream tests: one has receipts, the other is a gateway that
// takes every delegation. Requests to the first go to the service under test; the second answers
// from here. No request leaves this machine.

import * as Server from '@ucanto/server'
import * as CAR from '@ucanto/transport/car'
import * as ed25519 from '@ucanto/principal/ed25519'
import { Access } from '@web3-storage/capabilities'

const RECEIPTS = 'http://localhost:9201'
const GATEWAY = 'http://localhost:5001'
const LOCAL = new Set(['localhost', '127.0.0.1'])

const realFetch = globalThis.fetch

/**
 * @param {() => Promise<string>} receipts where the receipts of the test's service are: a URL to
 * which the name of a task is added
 */
export const install = async (receipts) => {
  const gateway = await makeGateway()
  globalThis.fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    if (url.origin === RECEIPTS) return realFetch((await receipts()) + nameIn(url), init)
    if (url.origin === GATEWAY) return ask(gateway, init)
    if (!LOCAL.has(url.hostname)) throw new TypeError(`${url.origin} is not to be asked by a test`)
    return realFetch(input, init)
  }
}

/** The task whose receipt is asked for. */
const nameIn = (url) => url.pathname.split('/').pop()

/** The gateway of the suite, by its public name; who it is does not matter to its clients. */
const makeGateway = async () =>
  Server.create({
    id: (await ed25519.generate()).withDID('did:web:w3s.link'),
    codec: CAR.inbound,
    service: { access: { delegate: Server.provide(Access.delegate, () => ({ ok: {} })) } },
    validateAuthorization: () => ({ ok: {} }),
  })

const ask = async (server, { headers, body }) => {
  const answer = await server.request({ headers, body })
  return new Response(answer.body, { status: answer.status ?? 200, headers: answer.headers })
}
