// The published client, used as its users use it: an agent, a space, a CAR in and out again.

import { randomBytes } from 'node:crypto'
import * as UcantoClient from '@ucanto/client'
import * as DID from '@ipld/dag-ucan/did'
import { CAR, HTTP } from '@ucanto/transport'
import { create } from '@web3-storage/w3up-client'
import { StoreMemory } from '@web3-storage/w3up-client/stores/memory'
import { fetchBack, main, randomCar } from './support.mjs'

/** A client of the service at `url`, with a fresh agent and a fresh space. */
const connect = async (url, did) => {
  const service = UcantoClient.connect({
    id: DID.parse(did),
    codec: CAR.outbound,
    channel: HTTP.open({ url: new URL(url), method: 'POST' }),
  })
  const client = await create({
    store: new StoreMemory(),
    serviceConf: { access: service, upload: service, filecoin: service },
    receiptsEndpoint: new URL('/receipt/', url),
  })
  const space = await client.createSpace('interop', { skipGatewayAuthorization: true })
  await client.addSpace(await space.createAuthorization(client.agent))
  await client.setCurrentSpace(space.did())
  return { client, space }
}

/** One CAR through its whole life. */
const store = async (url, did) => {
  const { client, space } = await connect(url, did)
  const car = await randomCar()
  const link = await client.capability.store.add(new Blob([car.bytes]))
  const back = await fetchBack(url, car)
  const list = await client.capability.store.list()
  const item = await client.capability.store.get(link)
  const info = await client.capability.space.info(space.did())
  const removed = await client.capability.store.remove(link)
  const after = await client.capability.store.list({ nonce: 'after the removal' })
  return {
    space: space.did(),
    link: String(car.link),
    size: car.bytes.length,
    answered: String(link),
    back,
    list: { size: list.size, links: list.results.map((each) => String(each.link)) },
    item: { link: String(item.link), size: item.size, insertedAt: item.insertedAt },
    info,
    removed: removed.ok,
    after: { size: after.size, results: after.results },
  }
}

/** The same CAR twice by one client: the second time nothing is sent. */
const again = async (url, did) => {
  const { client } = await connect(url, did)
  const car = await randomCar()
  let uploads = 0
  const counting = (...request) => {
    uploads += 1
    return fetch(...request)
  }
  const blob = new Blob([car.bytes])
  const first = await client.capability.store.add(blob, { fetch: counting, nonce: 'first' })
  const second = await client.capability.store.add(blob, { fetch: counting, nonce: 'second' })
  return { same: first.equals(second), uploads, back: await fetchBack(url, car) }
}

/** A CAR of many megabytes, as the clients cut them. */
const large = async (url, did) => {
  const { client } = await connect(url, did)
  const car = await randomCar(32 * 1024 * 1024)
  await client.capability.store.add(new Blob([car.bytes]))
  return { back: await fetchBack(url, car) }
}

/** Some bytes through the other door: put, concluded, accepted, listed, removed. */
const blob = async (url, did) => {
  const { client, space } = await connect(url, did)
  const bytes = randomBytes(1000)
  const { digest, multihash, site } = await added(client, bytes)
  const [claim] = site.capabilities
  const back = await fetch(claim.nb.location[0])
  const list = await client.capability.blob.list()
  const removed = await client.capability.blob.remove(multihash)
  const after = await client.capability.blob.list({ nonce: 'after the removal' })
  return {
    space: space.did(),
    audience: site.audience.did(),
    claimed: Buffer.from(claim.nb.content.digest).equals(Buffer.from(digest)),
    status: back.status,
    identical: Buffer.from(await back.arrayBuffer()).equals(bytes),
    listed: list.results.map((each) => [Buffer.from(each.blob.digest).equals(Buffer.from(digest)), each.blob.size]),
    removed: removed.ok,
    after: after.size,
  }
}

/** The same bytes twice by one client: the second time nothing is sent. */
const blobAgain = async (url, did) => {
  const { client } = await connect(url, did)
  const bytes = randomBytes(1000)
  let uploads = 0
  const counting = (input, init) => {
    uploads += init?.method === 'PUT' ? 1 : 0
    return fetch(input, init)
  }
  const first = await added(client, bytes, { fetch: counting, nonce: 'first' })
  const second = await added(client, bytes, { fetch: counting, nonce: 'second' })
  const places = [first, second].map((each) => each.site.capabilities[0].nb.location[0])
  return { uploads, same: places[0] === places[1] }
}

/** Adds a blob; answers its digest and the commitment that says where it is. */
const added = async (client, bytes, options) => {
  const { digest: multihash, site } = await client.capability.blob.add(new Blob([bytes]), options)
  return { multihash, digest: multihash.bytes, site }
}

/** Two spaces of one agent see their own CARs only. */
const spaces = async (url, did) => {
  const { client, space: one } = await connect(url, did)
  const car = await randomCar()
  await client.capability.store.add(new Blob([car.bytes]))
  const two = await client.createSpace('another', { skipGatewayAuthorization: true })
  await client.addSpace(await two.createAuthorization(client.agent))
  await client.setCurrentSpace(two.did())
  const inTwo = await client.capability.store.list()
  await client.setCurrentSpace(one.did())
  const inOne = await client.capability.store.list()
  return { inOne: inOne.size, inTwo: inTwo.size }
}

await main({ store, again, large, spaces, blob, blobAgain })
