// The target that matters: a running taijitu, known to the tests by its URL only. What the tests
// call their context holds no server and no store, so nothing can pass without a request.

import * as Client from '@ucanto/client'
import * as CAR from '@ucanto/transport/car'
import * as HTTP from '@ucanto/transport/http'
import { stringToDelegation } from '@web3-storage/access/encoding'
import { UPLOAD_SIZE_MAX, start } from './service.mjs'
import { stores } from './stores.mjs'
import { suites } from './suites.mjs'

const { did } = suites[process.argv[2]]

/** What the current test has started. */
let running = []

const createContext = () => async (options = {}) => {
  const service = await start(did, settingsOf(options))
  running.push(service)
  const { url, signer } = service
  const channel = HTTP.open({ url: new URL(url), method: 'POST' })
  const connection = Client.connect({ id: signer, codec: CAR.outbound, channel })
  return {
    id: signer,
    signer,
    service: signer,
    connection,
    url: new URL(url),
    fetch,
    maxUploadSize: UPLOAD_SIZE_MAX,
    grantAccess: (mail) => confirm(connection, mail.url),
    ...stores(service, connection),
  }
}

/** What a test may ask of a service beyond the defaults, as settings of ours. */
const settingsOf = ({ providers, requirePaymentPlan }) => ({
  ...(providers && { TAIJITU_PROVIDERS: providersText(providers) }),
  ...(requirePaymentPlan && { TAIJITU_PLANS: 'required' }),
})

/** `did:web:…` or `did:web:…=BYTES`, with commas between. */
const providersText = (providers) =>
  Array.isArray(providers)
    ? providers.join()
    : Object.entries(providers).map(([name, bytes]) => (bytes ? `${name}=${bytes}` : name)).join()

const cleanupContext = () => async () => {
  const ended = running
  running = []
  await Promise.all(ended.map((service) => service.stop()))
}

const createServer = () => (context) => context.connection.channel

/** As upstream's web page does when its button is pressed. */
const authorizeFromUrl = () => async (url, { connection }) => {
  const [{ nb }] = await confirm(connection, url)
  return { ok: { email: emailOf(nb.iss), audience: nb.aud } }
}

/** Invokes what the link in a mail holds; its capabilities. */
const confirm = async (connection, url) => {
  const confirmation = stringToDelegation(new URL(url).searchParams.get('ucan'))
  const [receipt] = await connection.execute(confirmation)
  if (receipt.out.error) throw receipt.out.error
  return confirmation.capabilities
}

const emailOf = (account) => {
  const [, , domain, local] = account.split(':')
  return `${decodeURIComponent(local)}@${decodeURIComponent(domain)}`
}

export const target = {
  createServer,
  createContext,
  cleanupContext,
  authorizeFromUrl,
  receipts: async () => `${running.at(-1)?.url}/receipt/`,
}
