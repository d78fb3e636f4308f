// A CAR of one fresh block, written to the file that is named; prints its names as JSON.

import { writeFile } from 'node:fs/promises'
import { base58btc } from 'multiformats/bases/base58'
import { CarReader } from '@ipld/car'
import { randomCar } from '../support.mjs'

const { bytes, link } = await randomCar()
await writeFile(process.argv[2], bytes)
const [root] = await (await CarReader.fromBytes(bytes)).getRoots()
console.log(JSON.stringify({ root: `${root}`, car: `${link}`, digest: base58btc.encode(link.multihash.bytes) }))
