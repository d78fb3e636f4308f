// Uploads files and folders with the published library: usage URL DID KEY, where KEY is the private
// key of the space. Reads a list of jobs as JSON from the standard input, prints what came of each as
// one line of JSON.
//
//   {"file": path, "shardSize": bytes}     {"folder": path, "shardSize": bytes}

import { openAsBlob } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { CAR, HTTP } from '@ucanto/transport'
import * as DID from '@ipld/dag-ucan/did'
import * as ed25519 from '@storacha/client/principal/ed25519'
import { connect } from '@ucanto/client'
import { uploadDirectory, uploadFile } from '@storacha/upload-client'

const [url, did, key] = process.argv.slice(2)
const issuer = ed25519.parse(key)
const audience = DID.parse(did)
const channel = HTTP.open({ url: new URL(url), method: 'POST' })
const connection = connect({ id: audience, codec: CAR.outbound, channel })
const conf = { issuer, with: issuer.did(), proofs: [], audience }

/** The files of a folder, without hidden ones, as the command line takes them. */
async function* filesOf(folder, above = '') {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const [path, name] = [join(folder, entry.name), above + entry.name]
    if (entry.name.startsWith('.')) continue
    if (entry.isDirectory()) yield* filesOf(path, `${name}/`)
    else if (entry.isFile()) {
      const file = await openAsBlob(path)
      yield { name, size: file.size, stream: () => file.stream() }
    }
  }
}

const all = async (items) => {
  const found = []
  for await (const item of items) found.push(item)
  return found
}

const upload = async ({ file, folder, shardSize }) => {
  const shards = []
  const options = {
    connection,
    receiptsEndpoint: new URL('/receipt/', url).href,
    pieceHasher: null,
    ...(shardSize && { shardSize }),
    onShardStored: ({ cid }) => shards.push(`${cid}`),
  }
  const started = performance.now()
  const root = file
    ? await uploadFile(conf, await openAsBlob(file), options)
    : await uploadDirectory(conf, await all(filesOf(folder)), options)
  return { root: `${root}`, shards, seconds: (performance.now() - started) / 1000 }
}

const made = []
for (const job of JSON.parse(await text(process.stdin))) made.push(await upload(job))
console.log(JSON.stringify(made))
