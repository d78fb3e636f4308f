// The target that proves the harness: the packages' own servers, but behind real HTTP. What fails
// here, fails without us.

import * as http from 'node:http'
import { once } from 'node:events'
import { Message } from '@ucanto/core'
import * as HTTP from '@ucanto/transport/http'
import * as CAR from '@ucanto/transport/car'
import { parseLink } from '@ucanto/core'

const RECEIPT = '/receipt/'

/** Every server that was started for the current test. */
const listening = new Set()

const createServer = (real) => (context) => {
  const agent = real.createServer(context)
  const server = http.createServer((request, response) => void answer(agent, request, response))
  listening.add(server)
  const channel = open(server)
  return { ...agent, request: async (message) => (await channel).request(message) }
}

const createContext = (real) => (options) => real.createContext({ http, ...options })

const cleanupContext = (real) => async (context) => {
  for (const server of listening) server.closeAllConnections()
  await Promise.all([...listening].map((server) => new Promise((done) => server.close(done))))
  listening.clear()
  await real.cleanupContext(context)
}

const open = async (server) => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return HTTP.open({ url: new URL(urlOf(server)), method: 'POST' })
}

const urlOf = (server) => `http://127.0.0.1:${server.address().port}`

const answer = async (agent, request, response) => {
  try {
    const { status, headers, body } = request.url.startsWith(RECEIPT)
      ? await receipt(agent, request.url.slice(RECEIPT.length))
      : await agent.request({ headers: request.headers, body: await bodyOf(request) })
    response.writeHead(status ?? 200, headers).end(body)
  } catch (error) {
    response.writeHead(500).end(String(error))
  }
}

const receipt = async (agent, task) => {
  const found = await agent.context.agentStore.receipts.get(parseLink(task))
  if (found.error) return { status: 404, headers: {} }
  return CAR.request.encode(await Message.build({ receipts: [found.ok] }))
}

const bodyOf = async (request) => {
  const parts = []
  for await (const part of request) parts.push(part)
  return new Uint8Array(Buffer.concat(parts))
}

export const target = {
  createServer,
  createContext,
  cleanupContext,
  authorizeFromUrl: (real) => real.authorizeFromUrl,
  receipts: async () => {
    const server = [...listening].at(-1)
    if (!server.listening) await once(server, 'listening')
    return urlOf(server) + RECEIPT
  },
}
