// The published client libraries, used as programs use them. Both have one interface here:
// usage: w3up|storacha SCENARIO URL DID [WORD…]; prints its facts as one line of JSON. The words are
// the arguments of the scenario.

import { randomBytes } from 'node:crypto'
import { openAsBlob } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { installed, within } from './device.mjs'

const [library, name, url, did, ...words] = process.argv.slice(2)
const { Proof, ed25519, rsa, service, device, settled } = await installed(library, url, did)

/** How an upload is done: options that note the shards and count what is sent. */
const watched = (more = {}) => {
  const seen = { shards: [], sent: 0 }
  const options = {
    ...more,
    onShardStored: ({ cid }) => seen.shards.push(`${cid}`),
    fetch: (input, init) => {
      seen.sent += init?.method === 'PUT' ? 1 : 0
      return fetch(input, init)
    },
  }
  return { seen, options }
}

/** The names of the error that a refused invocation is. */
const refusal = (promise) => promise.then(() => 'none', (why) => why.cause?.name ?? why.name)

/** Where the service commits itself to have a blob, and whether that is so. */
const located = async (client, blob) => {
  const { site } = await client.capability.blob.add(blob)
  const [{ can, nb, with: by }] = site.capabilities
  const back = await fetch(nb.location[0])
  const [theirs, ours] = [await back.arrayBuffer(), await blob.arrayBuffer()]
  return {
    can,
    by,
    space: client.currentSpace().did(),
    audience: site.audience.did(),
    issuer: site.issuer.did(),
    identical: Buffer.from(theirs).equals(Buffer.from(ours)),
  }
}

const fresh = (size = 1000) => new Blob([randomBytes(size)])

/** Every file of a folder, named by its path, opened when it is read. */
const filesOf = async (folder) => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const full = join(entry.parentPath ?? entry.path, entry.name)
      const stream = async function* () {
        yield* (await openAsBlob(full)).stream()
      }
      return { name: full.slice(folder.length + 1), stream: () => ReadableStream.from(stream()) }
    })
}

const scenarios = {
  /** One file, noted as an upload. */
  async file(path) {
    const client = await settled()
    const { seen, options } = watched()
    const root = await client.uploadFile(await openAsBlob(path), options)
    const noted = await client.capability.upload.get(root)
    return { root: `${root}`, ...seen, noted: noted.shards.map(String) }
  },

  /** One file in pieces of at most 1.5 MB. */
  async sharded(path) {
    const client = await settled()
    const { seen, options } = watched({ shardSize: 1_500_000 })
    const root = await client.uploadFile(await openAsBlob(path), options)
    return { root: `${root}`, ...seen }
  },

  /** All that is in a folder. */
  async folder(path) {
    const client = await settled()
    const { seen, options } = watched()
    const root = await client.uploadDirectory(await filesOf(path), options)
    return { root: `${root}`, ...seen }
  },

  /** A CAR, its blocks as they are. */
  async car(path) {
    const client = await settled()
    const { seen, options } = watched()
    const root = await client.uploadCAR(await openAsBlob(path), options)
    return { root: `${root}`, ...seen }
  },

  /** The same file twice. */
  async again() {
    const client = await settled()
    // Without a nonce what is asked twice in one second is one invocation, and has one answer.
    const [first, second] = [watched({ nonce: 'first' }), watched({ nonce: 'second' })]
    const file = fresh()
    const roots = [await client.uploadFile(file, first.options), await client.uploadFile(file, second.options)]
    return { same: roots[0].equals(roots[1]), sent: [first.seen.sent, second.seen.sent] }
  },

  /** Bytes, and where the service commits itself to have them. */
  async claim() {
    return located(await settled(), fresh())
  },

  /** The same of a file that is in a space already, asked by a program that was let in. */
  async found(path, proof, key) {
    const client = await device(ed25519.Signer.parse(key))
    const space = await client.addSpace(await Proof.parse(proof))
    return located(await within(client, space), await openAsBlob(path))
  },

  /** Three uploads, asked for one at a time. */
  async pages() {
    const client = await settled()
    const roots = []
    for (let i = 0; i < 3; i++) roots.push(`${await client.uploadFile(fresh())}`)
    const found = []
    let cursor
    do {
      const page = await client.capability.upload.list({ size: 1, cursor })
      found.push(...page.results.map(({ root }) => `${root}`))
      cursor = page.results.length > 0 ? page.cursor : undefined
    } while (cursor)
    return { roots, found }
  },

  /** An upload is taken away, and all that it was made of. */
  async removed() {
    const client = await settled()
    const { seen, options } = watched({ shardSize: 1_500_000 })
    const root = await client.uploadFile(fresh(3_500_000), options)
    const before = (await client.capability.blob.list()).results.length
    await client.remove(root, { shards: true })
    const after = await client.capability.blob.list({ nonce: 'after' })
    return {
      before,
      shards: seen.shards.length,
      after: after.results.length,
      get: await refusal(client.capability.upload.get(root, { nonce: 'after' })),
    }
  },

  /** Somebody is let in, and out again. */
  async revoked() {
    const client = await settled()
    const mate = await device()
    const proof = await client.createDelegation(mate.agent, ['upload/list', 'space/info'])
    const space = await mate.addSpace(proof)
    await mate.setCurrentSpace(space.did())
    const before = (await mate.capability.upload.list()).size
    const revoked = await client.revokeDelegation(proof.cid)
    const after = await refusal(mate.capability.upload.list({ nonce: 'after' }))
    return { before, revoked: Boolean(revoked.ok), after }
  },

  /** A person logs in, has a space provided, and finds it on another device. */
  async account(email) {
    const client = await device()
    const account = await client.login(email)
    const space = await client.createSpace('photos', { account, authorizeGatewayServices: [service()] })
    await client.setCurrentSpace(space.did())
    const file = fresh()
    const root = await client.uploadFile(file)
    const { results: subscriptions } = await client.capability.subscription.list(account.did())
    const report = await client.capability.usage.report(space.did(), { from: new Date(0), to: new Date(Date.now() + 1000) })
    const blobs = await client.capability.blob.list()
    const other = await device()
    await other.login(email)
    await other.setCurrentSpace(space.did())
    return {
      account: account.did(),
      space: space.did(),
      plan: (await account.plan.get()).ok?.product,
      consumers: subscriptions.flatMap(({ consumers }) => consumers),
      used: report[did].size.final,
      stored: blobs.results.reduce((sum, { blob }) => sum + blob.size, 0),
      root: `${root}`,
      elsewhere: (await other.capability.upload.list()).results.map((each) => `${each.root}`),
    }
  },

  /** A space is shared with an e-mail address whose owner has never been here. */
  async shared(email, other) {
    const client = await device()
    const account = await client.login(email)
    const space = await client.createSpace('photos', { account, skipGatewayAuthorization: true })
    await client.setCurrentSpace(space.did())
    const root = await client.uploadFile(fresh())
    await client.shareSpace(other, space.did())
    const bob = await device()
    await bob.login(other)
    await bob.setCurrentSpace(space.did())
    return { root: `${root}`, seen: (await bob.capability.upload.list()).results.map((each) => `${each.root}`) }
  },

  /** What browsers have: an agent with an RSA key. */
  async rsa(email) {
    const client = await device(await rsa.generate())
    const account = await client.login(email)
    const space = await client.createSpace('photos', { account, skipGatewayAuthorization: true })
    await client.setCurrentSpace(space.did())
    const root = await client.uploadFile(fresh())
    return { agent: client.agent.did(), root: `${root}`, noted: `${(await client.capability.upload.get(root)).root}` }
  },
}

console.log(JSON.stringify(await scenarios[name](...words)))
process.exit(0)
