// What IPFS clients make of a gateway. usage: URL CID
// For each line of JSON on standard input, `{how, path, …}`, it prints one: what was found, by its
// length and sha2-256, or what went wrong.
//   verified   @helia/verified-fetch, with the headers given: it verifies every block
//   exported   a CAR by @ipld/car, its blocks hashed, read by ipfs-unixfs-exporter

import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import { createVerifiedFetch } from '@helia/verified-fetch'
import { CarBlockIterator } from '@ipld/car'
import { exporter, recursive } from 'ipfs-unixfs-exporter'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'

// These clients are written for Node.js 22; all that they miss in 20 is this.
Promise.withResolvers ??= function () {
  const made = {}
  made.promise = new this((resolve, reject) => Object.assign(made, { resolve, reject }))
  return made
}

const url = process.argv[2]
const verifiedFetch = await createVerifiedFetch({
  gateways: [url],
  routers: [],
  allowInsecure: true,
  allowLocal: true,
  libp2pConfig: { transports: [], peerDiscovery: [], services: {}, addresses: { listen: [] } },
})

const told = async (chunks) => {
  const hash = createHash('sha256')
  let length = 0
  for await (const chunk of chunks) {
    hash.update(chunk)
    length += chunk.length
  }
  return { length, sha256: hash.digest('hex') }
}

/** What verified-fetch answers. */
const verified = async ({ path, headers }) => {
  const answer = await verifiedFetch(`ipfs://${path}`, { headers })
  const type = answer.headers.get('content-type')
  return { status: answer.status, type, ...(await told(answer.body ?? [])) }
}

/** The blocks of a CAR, each hashed. */
const blocksOf = async (path, query) => {
  const answer = await fetch(`${url}/ipfs/${path}?format=car${query ?? ''}`)
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`)
  const blocks = new Map()
  const car = await CarBlockIterator.fromIterable(answer.body)
  for await (const { cid, bytes } of car) {
    const { bytes: actual } = await sha256.digest(bytes)
    if (!Buffer.from(actual).equals(Buffer.from(cid.multihash.bytes)))
      throw new Error(`${cid} is the name of other bytes`)
    blocks.set(cid.toString(), bytes)
  }
  return { roots: await car.getRoots(), blocks }
}

/** A blockstore of these blocks, and no others. */
const storeOf = (blocks) => ({
  async *get(cid) {
    const block = blocks.get(cid.toString())
    if (block === undefined) throw new Error(`${cid} is not in the CAR`)
    yield block
  },
})

/** Everything below a path: each file, by its path. */
const exported = async ({ path, query }) => {
  const { roots, blocks } = await blocksOf(path, query)
  const store = storeOf(blocks)
  const files = {}
  for await (const { cid, path } of recursive(CID.parse(roots[0].toString()), store)) {
    const entry = await exporter(cid, store)
    if (entry.type !== 'directory') files[path] = await told(entry.content())
  }
  return { blocks: blocks.size, files }
}

/** Some bytes of a file, from a CAR that need not hold all of it. */
const part = async ({ path, query, offset, length }) => {
  const { roots, blocks } = await blocksOf(path, query)
  const entry = await exporter(CID.parse(roots[0].toString()), storeOf(blocks))
  return { blocks: blocks.size, ...(await told(entry.content({ offset, length }))) }
}

const ways = { verified, exported, part }

for await (const line of createInterface({ input: process.stdin })) {
  const { how, ...asked } = JSON.parse(line)
  try {
    console.log(JSON.stringify(await ways[how](asked)))
  } catch (why) {
    console.log(JSON.stringify({ error: `${why.name}: ${why.message}` }))
  }
}
await verifiedFetch.stop()
process.exit(0)
