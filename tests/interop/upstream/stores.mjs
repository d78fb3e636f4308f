// What the upstream tests read from their own server's memory, asked of a running taijitu instead:
// every method is one request. Reading goes to `/testing/`, which exists only with
// TAIJITU_TESTING=1. What the tests put into a store goes through the protocol, as the service, or
// to the operator's door.
//
// Answers of `/testing/` are DAG-JSON results, {"ok": …} or {"error": {name, message}}.

import { once } from 'node:events'
import * as http from 'node:http'
import { json } from 'node:stream/consumers'
import * as dagJSON from '@ipld/dag-json'
import { Absentee } from '@ucanto/principal'
import { Delegation, invoke } from '@ucanto/core'
import * as CAR from '@ucanto/transport/car'
import { base58btc } from 'multiformats/bases/base58'

/** Whom spaces are provisioned for: most tests name nobody, the rest what cannot be an account. */
const SOMEONE = 'did:mailto:example.com:someone'

/** Mail that was not sent by then is not sent. */
const MAIL_SECONDS_MAX = 5

/**
 * @param {import('./service.mjs').Service} service
 * @param {import('@ucanto/interface').ConnectionView} connection
 */
export const stores = ({ url, signer, door }, connection) => {
  const get = async (path, query = {}) => {
    const where = `${url}/testing/${path}?${new URLSearchParams(query)}`
    const answer = await fetch(where)
    if (!answer.ok) throw new Error(`GET ${where} → ${answer.status}`)
    return dagJSON.decode(new Uint8Array(await answer.arrayBuffer()))
  }

  /** What the handler of a reading capability answers, whoever asks. */
  const read = (can, space, nb = {}) =>
    get('read', { can, with: space, nb: new TextDecoder().decode(dagJSON.encode(nb)) })

  /** Has a capability done: by the service itself, or as an account whose session it attests. */
  const perform = async (can, subject, nb, proofs = []) => {
    const capability = { can, with: subject, nb }
    const invocation = invoke({ issuer: signer, audience: signer, capability, proofs })
    return (await invocation.execute(connection)).out
  }

  return {
    storeTable: {
      get: (space, link) => read('store/get', space, { link }),
      exists: (space, link) => exists(read('store/get', space, { link })),
      inspect: (link) => perform('admin/store/inspect', signer.did(), { link }),
    },
    uploadTable: {
      get: (space, root) => read('upload/get', space, { root }),
      exists: (space, root) => exists(read('upload/get', space, { root })),
      list: (space) => read('upload/list', space),
      inspect: (root) => perform('admin/upload/inspect', signer.did(), { root }),
    },
    allocationsStorage: {
      list: (space) => read('space/blob/list', space),
      exists: (space, { bytes }) => exists(read('space/blob/get/0/1', space, { digest: bytes })),
    },
    blobsStorage: { createDownloadUrl: (digest) => get(`location/${text(digest)}`) },
    carStoreBucket: { createUploadUrl: (link, size) => unwrap(get('upload-url', { link, size })) },
    agentStore: {
      invocations: { get: (task) => invocation(`${url}/testing/task/${task}`, task) },
      receipts: { get: (task) => receipt(`${url}/receipt/${task}`, task) },
    },
    claimsService: { read: (digest) => get(`claims/${text(digest)}`) },
    indexingService: {
      queryClaims: async ({ hashes: [digest] }) => {
        const claims = await unwrap(get(`claims/${text(digest)}`))
        return { ok: { claims: new Map(claims.map((claim, number) => [number, claim])) } }
      },
    },
    ipniService: { query: (digest) => get(`slices/${text(digest)}`) },
    revocationsStorage: {
      query: (ucans) => get('revocations', Object.keys(ucans).map((ucan) => ['ucan', ucan])),
    },
    provisionsStorage: {
      put: async ({ consumer, provider }) =>
        perform('provider/add', SOMEONE, { provider, consumer }, await session(signer, SOMEONE)),
    },
    plansStorage: {
      initialize: (account, _billing, product) => operate(door, 'plan', { account, product }),
      set: async (account, product) =>
        perform('plan/set', account, { product }, await session(signer, account)),
    },
    mail: mailbox(get),
  }
}

/** Takes the mails that the service has sent, in order. */
const mailbox = (get) => {
  let taken = 0
  return { take: () => unwrap(get(`mail/${taken++}`, { seconds: MAIL_SECONDS_MAX })) }
}

const exists = async (result) => ({ ok: Boolean((await result).ok) })

const unwrap = async (result) => {
  const { ok, error } = await result
  if (error) throw new Error(`${error.name}: ${error.message}`)
  return ok
}

const text = (digest) => base58btc.encode(digest.bytes)

/** Has one of the operator's commands carried out. */
const operate = async (door, verb, its) => {
  const request = http.request({ socketPath: door, path: `/${verb}`, method: 'POST' })
  const [answer] = await once(request.end(JSON.stringify(its)), 'response')
  const body = await json(answer)
  return answer.statusCode === 200 ? { ok: body } : { error: body }
}

/** What an account that is logged in would show: its word for an agent, attested by the service. */
const session = async (signer, account) => {
  const proof = await Delegation.delegate({
    issuer: Absentee.from({ id: account }),
    audience: signer,
    capabilities: [{ can: '*', with: 'ucan:*' }],
    expiration: Infinity,
  })
  const attestation = await Delegation.delegate({
    issuer: signer,
    audience: signer,
    capabilities: [{ can: 'ucan/attest', with: signer.did(), nb: { proof: proof.cid } }],
    expiration: Infinity,
  })
  return [proof, attestation]
}

/** The message at an address, if there is one. */
const message = async (where) => {
  const answer = await fetch(where)
  if (answer.status === 404) return undefined
  if (!answer.ok) throw new Error(`GET ${where} → ${answer.status}`)
  const body = new Uint8Array(await answer.arrayBuffer())
  return CAR.request.decode({ headers: {}, body })
}

const MISSING = { error: { name: 'RecordNotFound', message: 'record not found' } }

const receipt = async (where, task) => {
  const found = (await message(where))?.receipts.get(String(task))
  return found ? { ok: found } : MISSING
}

const invocation = async (where, task) => {
  const found = (await message(where))?.invocations.find((each) => each.cid.equals(task))
  return found ? { ok: found } : MISSING
}
