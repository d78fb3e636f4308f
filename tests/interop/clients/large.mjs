// Much content, made while it is sent, so that no more of it is held than the library wants to.
// usage: w3up|storacha file|folder URL DID AMOUNT; prints its facts as one line of JSON.
// AMOUNT: bytes of the file, or files of the folder.

import { createCipheriv, createHash } from 'node:crypto'
import * as Digest from 'multiformats/hashes/digest'
import { installed } from './device.mjs'

const CHUNK = Buffer.alloc(256 * 1024)
const NOTHING = Buffer.alloc(16)
const PIECE = 0x1011
const PADDING_AND_HEIGHT = Buffer.from([0, 22])

const [library, kind, url, did, amount] = process.argv.slice(2)

const requests = {}
const digests = {}

/** Counts requests by their method, and notes the longest time to an answer, in ms. */
const send = globalThis.fetch
globalThis.fetch = async (input, init) => {
  const began = performance.now()
  try {
    return await send(input, init)
  } finally {
    const noted = (requests[init?.method ?? 'GET'] ??= { count: 0, slowest: 0 })
    noted.count += 1
    noted.slowest = Math.max(noted.slowest, Math.round(performance.now() - began))
  }
}

/** Bytes without pattern, the same for the same name every time; their digest is noted. */
async function* bytes(name, size) {
  const stream = createCipheriv('aes-256-ctr', createHash('sha256').update(`${library} ${name}`).digest(), NOTHING)
  const hash = createHash('sha256')
  for (let left = size; left > 0; left -= CHUNK.length) {
    const chunk = stream.update(CHUNK.subarray(0, Math.min(left, CHUNK.length)))
    hash.update(chunk)
    yield chunk
  }
  digests[name] = hash.digest('hex')
}

const file = (name, size) => ({ name, size, stream: () => ReadableStream.from(bytes(name, size)) })

const upload = {
  file: (client, options) => client.uploadFile(file('film', Number(amount)), options),
  folder: (client, options) => {
    const files = Array.from({ length: Number(amount) }, (_, i) => file(`${i}.jpg`, 1_000 + i))
    return client.uploadDirectory(files, options)
  },
}

/** Names a piece as is done for Filecoin, but not by the hash: here that would take minutes. */
const quick = {
  code: PIECE,
  digest: (bytes) => Digest.create(PIECE, Buffer.concat([PADDING_AND_HEIGHT, createHash('sha256').update(bytes).digest()])),
}

const { settled } = await installed(library, url, did)
const shards = []
const root = await upload[kind](await settled(), {
  pieceHasher: quick,
  onShardStored: ({ cid }) => shards.push(`${cid}`),
})
const facts = JSON.stringify({ root: `${root}`, shards, digests, requests })
process.stdout.write(`${facts}\n`, () => process.exit(0))
