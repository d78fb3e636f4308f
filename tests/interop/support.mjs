// What both clients' scenarios share: fresh CARs, people, and how a scenario is run and answered.

import { randomBytes } from 'node:crypto'
import { CarWriter } from '@ipld/car'
import { CAR } from '@ucanto/transport'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'

/**
 * A CAR of fresh random bytes: one that is stored already would pass without an upload.
 *
 * @param {number} size of the one block in it, in bytes
 */
export const randomCar = async (size = 1000) => {
  const block = randomBytes(size)
  const cid = CID.createV1(raw.code, await sha256.digest(block))
  const { writer, out } = CarWriter.create([cid])
  const parts = collect(out)
  await writer.put({ cid, bytes: block })
  await writer.close()
  const bytes = await parts
  return { bytes, link: await CAR.codec.link(bytes) }
}

/** @param {AsyncIterable<Uint8Array>} chunks */
const collect = async (chunks) => {
  const parts = []
  for await (const chunk of chunks) parts.push(chunk)
  return new Uint8Array(Buffer.concat(parts))
}

/**
 * The CAR as the service hands it out, and whether those are the bytes that went in.
 *
 * @param {string} url of the service
 * @param {{ bytes: Uint8Array, link: import('multiformats').UnknownLink }} car
 */
export const fetchBack = async (url, { bytes, link }) => {
  const answer = await fetch(`${url}/${link}/${link}.car`)
  const body = Buffer.from(await answer.arrayBuffer())
  return { status: answer.status, identical: body.equals(bytes) }
}

/**
 * Runs the scenario that the command line names and prints its facts as one line of JSON.
 *
 * @param {Record<string, (url: string, did: string) => Promise<unknown>>} scenarios
 */
export const main = async (scenarios) => {
  const [name, url, did] = process.argv.slice(2)
  const scenario = scenarios[name]
  if (!scenario || !url || !did) {
    console.error(`usage: SCENARIO URL DID, the scenario one of: ${Object.keys(scenarios).join(' ')}`)
    process.exit(2)
  }
  console.log(JSON.stringify(await scenario(url, did)))
}
