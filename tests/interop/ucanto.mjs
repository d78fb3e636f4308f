// The protocol itself, by the published ucanto client: each answer as it comes, the PUT by hand.

import * as Client from '@ucanto/client'
import * as DID from '@ipld/dag-ucan/did'
import { CAR, HTTP } from '@ucanto/transport'
import { ed25519 } from '@ucanto/principal'
import { Space, Store } from '@web3-storage/capabilities'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { fetchBack, main, randomCar } from './support.mjs'

let nonces = 0

/** An agent with a space of its own, and the verbs that it says to the service at `url`. */
const person = async (url, did) => {
  const service = DID.parse(did)
  const connection = Client.connect({
    id: service,
    codec: CAR.outbound,
    channel: HTTP.open({ url: new URL(url), method: 'POST' }),
  })
  const agent = await ed25519.generate()
  const space = await ed25519.generate()
  const proof = await Client.delegate({
    issuer: space,
    audience: agent,
    capabilities: [{ can: 'store/*', with: space.did() }, { can: 'space/*', with: space.did() }],
    expiration: Infinity,
  })
  // Every call is another invocation, even within one second.
  const invocation = (capability, nb, options) =>
    capability.invoke({
      issuer: agent,
      audience: service,
      with: space.did(),
      proofs: [proof],
      nonce: `${(nonces += 1)}`,
      ...(nb ? { nb } : {}),
      ...options,
    })
  const say = async (...words) => plain((await invocation(...words).execute(connection)).out)
  return {
    agent,
    space,
    service,
    proof,
    connection,
    invocation,
    say,
    add: (car, options) => say(Store.add, { link: car.link, size: car.bytes.length }, options),
    get: (car) => say(Store.get, { link: car.link }),
    list: (nb = {}) => say(Store.list, nb),
    remove: (car) => say(Store.remove, { link: car.link }),
  }
}

/** A value as JSON shows it, links by their text. */
const plain = (value) => {
  if (value === null || typeof value !== 'object') return value
  const link = CID.asCID(value)
  if (link) return String(link)
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]))
}

/** PUT as the answer of `store/add` says; `body` and `changed` headers let it go wrong. */
const put = async ({ url, headers }, body, changed = {}) => {
  const answer = await fetch(url, { method: 'PUT', body, headers: { ...headers, ...changed } })
  await answer.arrayBuffer()
  return answer.status
}

const stored = async (who, car) => {
  const { ok, error } = await who.add(car)
  if (!ok) throw new Error(`store/add: ${JSON.stringify(error)}`)
  if (ok.status === 'upload') {
    const status = await put(ok, car.bytes)
    if (status !== 200) throw new Error(`PUT: ${status}`)
  }
}

const names = (list) => list.ok.results.map((each) => each.link)

/** One CAR through its whole life. */
const store = async (url, did) => {
  const alice = await person(url, did)
  const car = await randomCar()
  const add = await alice.add(car)
  const before = await fetchBack(url, car)
  const status = await put(add.ok, car.bytes)
  return {
    space: alice.space.did(),
    link: String(car.link),
    size: car.bytes.length,
    digest: Buffer.from(car.link.multihash.digest).toString('base64'),
    add,
    before,
    put: status,
    back: await fetchBack(url, car),
    get: await alice.get(car),
    list: await alice.list(),
    info: await alice.say(Space.info),
    remove: await alice.remove(car),
    removeAgain: await alice.remove(car),
    getAfter: await alice.get(car),
    listAfter: await alice.list(),
  }
}

/** What may not be PUT: other bytes, another length, another place, another signature. */
const puts = async (url, did) => {
  const alice = await person(url, did)
  const car = await randomCar()
  const { ok } = await alice.add(car)
  const other = car.bytes.slice()
  other[other.length - 1] ^= 1
  const longer = new Uint8Array([...car.bytes, 0])
  const elsewhere = await randomCar()
  const at = (change) => {
    const target = new URL(ok.url)
    change(target)
    return { ...ok, url: target.toString() }
  }
  return {
    otherBytes: await put(ok, other),
    otherLength: await put(ok, longer, { 'content-length': `${longer.length}` }),
    otherPath: await put(
      at((target) => (target.pathname = `/${elsewhere.link}/${elsewhere.link}.car`)),
      car.bytes,
    ),
    longerLife: await put(
      at((target) => target.searchParams.set('X-Amz-Expires', '604800')),
      car.bytes,
    ),
    otherSignature: await put(
      at((target) => target.searchParams.set('X-Amz-Signature', '0'.repeat(64))),
      car.bytes,
    ),
    before: await fetchBack(url, car),
    right: await put(ok, car.bytes),
    after: await fetchBack(url, car),
  }
}

/** The same bytes once more: in the same space, then in another, then removed from the first. */
const again = async (url, did) => {
  const alice = await person(url, did)
  const bob = await person(url, did)
  const car = await randomCar()
  await stored(alice, car)
  const same = await alice.add(car)
  const second = await bob.add(car)
  const removed = await alice.remove(car)
  return {
    size: car.bytes.length,
    same,
    second,
    removed,
    bobStill: await bob.get(car),
    back: await fetchBack(url, car),
    listed: { alice: (await alice.list()).ok.size, bob: (await bob.list()).ok.size },
  }
}

/** Seven CARs, newest first, in pages: forward to the end, and back. */
const pages = async (url, did) => {
  const alice = await person(url, did)
  const cars = []
  for (let n = 0; n < 7; n += 1) {
    const car = await randomCar(100)
    await alice.add(car)
    cars.unshift(String(car.link))
  }
  const all = await alice.list()
  const forward = []
  let cursor
  do {
    const page = await alice.list({ size: 3, ...(cursor ? { cursor } : {}) })
    forward.push(page.ok)
    cursor = page.ok.cursor
  } while (cursor && forward.length < 10)
  const [first, second] = forward
  const back = await alice.list({ size: 3, cursor: second.before, pre: true })
  const third = await alice.list({ size: 3, cursor: second.after })
  const backFromThird = await alice.list({ size: 3, cursor: third.ok.before, pre: true })
  return {
    cars,
    all: names(all),
    forward: forward.map((ok) => names({ ok })),
    sizes: forward.map((ok) => ok.size),
    first,
    back: back.ok,
    second: names({ ok: second }),
    backFromThird: names(backFromThird),
  }
}

/** Who may not: each refusal by its name, and nothing changed in the end. */
const refusals = async (url, did) => {
  const alice = await person(url, did)
  const mallory = await person(url, did)
  const car = await randomCar()
  const nb = { link: car.link, size: car.bytes.length }
  const bytesLink = CID.createV1(raw.code, car.link.multihash)
  const say = async (can, fields = {}, options = {}) => {
    const invocation = Client.invoke({
      issuer: alice.agent,
      audience: alice.service,
      capability: { can, with: alice.space.did(), nb: fields },
      proofs: [alice.proof],
      nonce: `${(nonces += 1)}`,
      ...options,
    })
    const [receipt] = await alice.connection.execute(invocation)
    return plain(receipt.out)
  }
  const two = await Client.delegate({
    issuer: alice.agent,
    audience: alice.service,
    capabilities: [
      { can: 'store/add', with: alice.space.did(), nb },
      { can: 'store/list', with: alice.space.did() },
    ],
    proofs: [alice.proof],
  })
  const [twoCapabilities] = await alice.connection.execute(two)
  return {
    unauthorised: await alice.add(car, { issuer: mallory.agent, proofs: [] }),
    othersProof: await alice.add(car, { issuer: mallory.agent, proofs: [alice.proof] }),
    expired: await alice.add(car, { expiration: Math.floor(Date.now() / 1000) - 10 }),
    audience: await alice.add(car, { audience: mallory.agent }),
    unknownAbility: await say('store/frobnicate'),
    internalMessage: await say('store/put', nb),
    twoCapabilities: plain(twoCapabilities.out),
    noCarLink: await say('store/add', { link: bytesLink, size: 5 }),
    noSize: await say('store/add', { link: car.link }),
    fraction: await say('store/add', { link: car.link, size: 1.5 }),
    negative: await say('store/add', { link: car.link, size: -1 }),
    tooLarge: await say('store/add', { link: car.link, size: Number.MAX_SAFE_INTEGER }),
    getUnknown: await alice.get(car),
    removeUnknown: await alice.remove(car),
    list: await alice.list(),
  }
}

/** Many adds at once in one space, then all uploads at once. */
const crowd = async (url, did) => {
  const alice = await person(url, did)
  const cars = await Promise.all(Array.from({ length: 64 }, () => randomCar(200)))
  const adds = await Promise.all(cars.map((car) => alice.add(car)))
  const failed = adds.filter((add) => add.ok?.status !== 'upload')
  const uploads = await Promise.all(
    adds.filter((add) => add.ok).map((add, n) => put(add.ok, cars[n].bytes)),
  )
  const list = await alice.list({ size: 100 })
  return { failed, uploads, links: cars.map((car) => String(car.link)), listed: names(list) }
}

/** Several invocations in one message: one receipt each. */
const batch = async (url, did) => {
  const alice = await person(url, did)
  const cars = await Promise.all([randomCar(), randomCar()])
  const add = (car) => alice.invocation(Store.add, { link: car.link, size: car.bytes.length })
  const receipts = await alice.connection.execute(
    add(cars[0]),
    add(cars[1]),
    alice.invocation(Store.get, { link: (await randomCar()).link }),
  )
  return { outs: receipts.map((receipt) => plain(receipt.out)) }
}

/** The very same invocation twice is one invocation, with one receipt. */
const repeat = async (url, did) => {
  const alice = await person(url, did)
  const car = await randomCar()
  const invocation = await alice
    .invocation(Store.add, { link: car.link, size: car.bytes.length })
    .delegate()
  const [first] = await alice.connection.execute(invocation)
  const [second] = await alice.connection.execute(invocation)
  return {
    size: car.bytes.length,
    same: first.link().equals(second.link()),
    first: plain(first.out),
    second: plain(second.out),
  }
}

await main({ store, puts, again, pages, refusals, crowd, batch, repeat })
