// Packs files and directories with the published client, and says which blocks it made of them.
// Reads a list of jobs as JSON from the standard input, prints what came of each as one line of JSON.
//
//   {"size": bytes, "seed": n, "chunk": bytes, "width": children}   a file of `bytesOf(size, seed)`
//   {"paths": [path, …], "sizes": [bytes, …]}                       a directory of such files
//   {"file": path}                                                  a file that there is
//
// With "car", a path, the blocks go there as well. With "timed" it says what it took, in seconds.

import { createWriteStream, openAsBlob } from 'node:fs'
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { text } from 'node:stream/consumers'
import { CarWriter } from '@ipld/car'
import * as UnixFS from '@ipld/unixfs'
import { withMaxChunkSize } from '@ipld/unixfs/file/chunker/fixed'
import { withWidth } from '@ipld/unixfs/file/layout/balanced'
import { createDirectoryEncoderStream, createFileEncoderStream } from '@storacha/upload-client/unixfs'
import * as raw from 'multiformats/codecs/raw'

const PERIOD = 65_537 // a prime: chunks differ although the bytes repeat
const PIECE = 1024 * 1024

/** The bytes that a file of a test has, the same as on the other side, in pieces of a chunk at most. */
function* bytesOf(size, seed, piece = PIECE) {
  const period = Buffer.alloc(Math.min(PERIOD, size))
  for (let at = 0; at < period.length; at++) period[at] = (at * 31 + (at >> 8) + seed) & 255
  const twice = Buffer.alloc(Math.min(piece, size) + period.length, period)
  for (let at = 0; at < size; at += piece) {
    const start = at % PERIOD
    yield new Uint8Array(twice.subarray(start, start + Math.min(piece, size - at)))
  }
}

const blob = (...what) => ({
  stream: () => Readable.toWeb(Readable.from(bytesOf(...what), { objectMode: true })),
})

const settings = ({ chunk, width }) =>
  chunk &&
  UnixFS.configure({
    fileChunkEncoder: raw,
    smallFileEncoder: raw,
    chunker: withMaxChunkSize(chunk),
    fileLayout: withWidth(width),
  })

const stream = async (job) =>
  job.file
    ? createFileEncoderStream(await openAsBlob(job.file))
    : job.paths
    ? createDirectoryEncoderStream(
        job.paths.map((name, at) => ({ name, ...blob(job.sizes[at % job.sizes.length], at) })),
      )
    : createFileEncoderStream(blob(job.size, job.seed, job.chunk), { settings: settings(job) })

const pack = async (job) => {
  const blocks = []
  const order = createHash('sha256')
  let count = 0
  let root
  const [began, used] = [performance.now(), process.cpuUsage()]
  await (await stream(job)).pipeTo(
    new WritableStream({
      write: (block) => {
        count++
        root = block.cid
        order.update(block.cid.bytes)
        if (job.car) blocks.push(block)
      },
    }),
  )
  const seconds = (performance.now() - began) / 1e3
  const { user, system } = process.cpuUsage(used)
  if (job.car) await save(job.car, root, blocks)
  const made = { root: `${root}`, count, order: order.digest('hex') }
  return job.timed ? { ...made, seconds, cpu: (user + system) / 1e6 } : made
}

const save = async (path, root, blocks) => {
  const { writer, out } = CarWriter.create([root])
  const file = Readable.from(out).pipe(createWriteStream(path))
  for (const block of blocks) await writer.put(block)
  await writer.close()
  await finished(file)
}

const made = []
for (const job of JSON.parse(await text(process.stdin))) made.push(await pack(job))
console.log(JSON.stringify(made))
