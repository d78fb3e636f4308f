// Makes files of what a service has: usage URL TARGET ROOT SHARD…
// Fetches the shards by URL, holds each block against its CID, and writes the file or folder that
// ROOT names to TARGET.

import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { CarReader } from '@ipld/car'
import * as dagPB from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'

const FOLDER = 1
const FILE = 2
const SHARDED_FOLDER = 5
const PREFIX_LENGTH = 2 // of a name in a sharded folder

const [url, target, root, ...shards] = process.argv.slice(2)
const blocks = new Map()

for (const shard of shards) {
  const answer = await fetch(`${url}/${shard}/${shard}.car`)
  if (!answer.ok) throw new Error(`${shard}: ${answer.status}`)
  const bytes = new Uint8Array(await answer.arrayBuffer())
  const digest = await sha256.digest(bytes)
  if (!Buffer.from(digest.bytes).equals(Buffer.from(CID.parse(shard).multihash.bytes)))
    throw new Error(`${shard} came back as other bytes`)
  for await (const { cid, bytes: block } of (await CarReader.fromBytes(bytes)).blocks()) {
    const actual = await sha256.digest(block)
    if (!Buffer.from(actual.bytes).equals(Buffer.from(cid.multihash.bytes)))
      throw new Error(`${cid} is the name of other bytes`)
    blocks.set(`${cid}`, block)
  }
}

/** Its kind, as UnixFS numbers them, and its links. */
const node = (cid) => {
  const block = blocks.get(`${cid}`)
  if (block === undefined) throw new Error(`${cid} is in none of the shards`)
  if (cid.code === raw.code) return { kind: FILE, block, links: [] }
  const { Data: data, Links: links } = dagPB.decode(block)
  if (data[0] !== 0x08) throw new Error(`${cid} does not begin with its kind`)
  return { kind: data[1], links }
}

/** The leaves of a file, in their order. */
function* leaves(cid) {
  const { block, links } = node(cid)
  if (block !== undefined) yield block
  for (const link of links) yield* leaves(link.Hash)
}

/** What a folder holds, as `[name, cid]`. */
function* entries(cid) {
  const { kind, links } = node(cid)
  for (const { Name: name, Hash: hash } of links) {
    if (kind !== SHARDED_FOLDER) yield [name, hash]
    else if (name.length > PREFIX_LENGTH) yield [name.slice(PREFIX_LENGTH), hash]
    else yield* entries(hash)
  }
}

const write = async (cid, path) => {
  const { kind } = node(cid)
  if (kind === FILE) {
    const file = await open(path, 'wx')
    for (const leaf of leaves(cid)) await file.write(leaf)
    await file.close()
  } else if (kind === FOLDER || kind === SHARDED_FOLDER) {
    await mkdir(path)
    for (const [name, each] of entries(cid)) await write(each, join(path, name))
  } else throw new Error(`${cid} is of kind ${kind}`)
}

await write(CID.parse(root), target)
