// A service that is not ours, over HTTP: the packages' own server with its stores in memory, for
// clients that are told its URL, its DID and its key, and know nothing else of it.
//
//   node reference.mjs PACKAGE      @storacha/upload-api or @web3-storage/upload-api
//
// `POST /` takes messages, `GET /receipt/{task}` gives receipts; bytes go to nodes of its own, and
// nothing reads them: there is no gateway. It prints {"url", "did", "key"} as a line. Each line of
// standard input is a request in JSON and gets its answer, in order; when the input ends, so does
// this:
//
//   {"provision": space}            room for a space, whoever pays      → {}
//   {"confirm": true}               yes to the login that was mailed    → {"email"}
//   {"root": [{"name", "path"}]}    the CID that the published client
//                                   gives these files, in a folder      → {"cid"}
//   {"root": path}                  or to one by itself                 → {"cid"}

import * as http from 'node:http'
import { openAsBlob } from 'node:fs'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Message, delegate, parseLink } from '@ucanto/core'
import * as CAR from '@ucanto/transport/car'
import * as UnixFS from '@web3-storage/upload-client/unixfs'

const RECEIPT = '/receipt/'

/** Whom spaces are provisioned for. */
const SOMEONE = 'did:mailto:example.com:someone'

/** Looks for a letter, of a third of a second each. */
const LOOKS_MAX = 30

const [, , name] = process.argv
const { createServer } = await import(name)
const { createContext, cleanupContext } = await import(`${name}/test/context`)

const context = await createContext({ http, assert: { fail: (error) => console.error(error) } })
const agent = createServer(context)

/** Gives it proofs without end for a service behind it: its own ones last for half a minute. */
const renew = async ({ invocationConfig: its }) => {
  const [issuer, audience, expiration] = [its.audience, its.issuer, Infinity]
  const again = ({ capabilities }) => delegate({ issuer, audience, capabilities, expiration })
  its.proofs = await Promise.all(its.proofs.map(again))
}

await renew(context.claimsService)
if (context.indexingService) await renew(context.indexingService)

const answer = async (request, response) => {
  try {
    const { status, headers, body } = await answerTo(request)
    response.writeHead(status ?? 200, headers).end(body)
  } catch (error) {
    console.error(error)
    response.writeHead(500).end()
  }
}

const answerTo = async (request) => {
  const { headers, method, url } = request
  if (method === 'POST' && url === '/') {
    return agent.request({ headers, body: await bodyOf(request) })
  }
  return (method === 'GET' && url.startsWith(RECEIPT) && (await receipt(url))) || MISSING
}

const MISSING = { status: 404, headers: {} }

/** A message with the receipt of a task, if there is one. */
const receipt = async (url) => {
  const task = parseLink(url.slice(RECEIPT.length))
  const { ok } = await context.agentStore.receipts.get(task)
  return ok && CAR.request.encode(await Message.build({ receipts: [ok] }))
}

const bodyOf = async (request) => {
  const parts = []
  for await (const part of request) parts.push(part)
  return new Uint8Array(Buffer.concat(parts))
}

const provision = async (consumer) => {
  const provider = context.id.did()
  const cause = { link: () => SOMEONE }
  await context.provisionsStorage.put({ customer: SOMEONE, consumer, provider, cause })
  return {}
}

const confirm = async () => {
  const mail = await letter()
  await context.grantAccess(mail)
  return { email: mail.to }
}

/** The next letter. Who asks for one may be about to. */
const letter = async () => {
  for (let look = 0; look < LOOKS_MAX; look++) {
    const mail = await context.mail.take()
    if (mail) return mail
  }
  throw new Error('no letter was sent')
}

const root = async (files) => {
  const { cid } = await (typeof files === 'string'
    ? UnixFS.encodeFile(await openAsBlob(files))
    : UnixFS.encodeDirectory(await Promise.all(files.map(fileLike))))
  return { cid: String(cid) }
}

const fileLike = async ({ name, path }) => {
  const bytes = await openAsBlob(path)
  return { name, size: bytes.size, stream: () => bytes.stream() }
}

const doors = { provision, confirm, root }

const server = http.createServer((request, response) => void answer(request, response))
server.listen(0, '127.0.0.1')
await once(server, 'listening')

const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`)
const url = `http://127.0.0.1:${server.address().port}`
tell({ url, did: context.id.did(), key: context.id.toDIDKey() })

for await (const line of createInterface({ input: process.stdin })) {
  const [[door, its]] = Object.entries(JSON.parse(line))
  tell(await doors[door](its))
}
server.closeAllConnections()
server.close()
await cleanupContext(context)
