// taijitu as a process, one for each test: on an empty data folder, with a key that is made here,
// so that the tests can sign as the service.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import * as ed25519 from '@ucanto/principal/ed25519'

/** Bytes; a test asks for one more than the service was told to take. */
export const UPLOAD_SIZE_MAX = 5_000_000_000

const START_MS_MAX = 20_000
const POLL_MS = 10

/** The line of the log that tells that the service has looked through its bytes, and taken away what
 * nobody asked for: it does so once at its start, and some tests put bytes that nobody asked for. */
const LOOKED = /"event":"audit"/

/** A line of the log that tells of something that must not happen, whatever the test sees of it. */
const TROUBLE = /"level":"error"/

/** A Python in which taijitu is installed. */
const PYTHON = process.env.UPSTREAM_PYTHON ?? 'python3'

/**
 * @typedef {object} Service
 * @property {string} url
 * @property {import('@ucanto/interface').Signer} signer as the tests know it, by its `did:web`
 * @property {string} door the socket at which its operator's commands are taken
 * @property {() => Promise<void>} stop ends it and removes its data
 */

/**
 * Starts one and returns once it is ready.
 *
 * @param {string} did a `did:web`
 * @param {Record<string, string>} settings more environment variables, by full name
 * @returns {Promise<Service>}
 */
export const start = async (did, settings = {}) => {
  const key = await ed25519.generate()
  const folder = await mkdtemp(join(tmpdir(), 'taijitu-upstream-'))
  const data = join(folder, 'data')
  const port = await freePort()
  const url = `http://localhost:${port}`
  const { pid } = await request({
    start: {
      folder,
      settings: {
        TAIJITU_BLOB_SIZE_MAX: String(UPLOAD_SIZE_MAX),
        TAIJITU_DATA: data,
        TAIJITU_DID: did,
        TAIJITU_KEY: ed25519.format(key),
        TAIJITU_PLANS: 'assigned',
        TAIJITU_PORT: String(port),
        TAIJITU_PROVISION: 'closed',
        TAIJITU_TESTING: '1',
        ...settings,
      },
    },
  })
  const log = () => readFile(join(folder, 'log'), 'utf8')
  const ready = async () => (await answers(url)) && LOOKED.test(await log())
  const stop = async () => {
    const { code } = await request({ stop: pid })
    const said = await log()
    await rm(folder, { recursive: true })
    if (code !== 0) throw new Error(`the service exited with ${code}:\n${said}`)
    const troubles = said.split('\n').filter((line) => TROUBLE.test(line))
    if (troubles.length) throw new Error(`the service was in trouble:\n${troubles.join('\n')}`)
  }
  if (!(await inTime(ready))) {
    await stop()
    throw new Error('the service did not start')
  }
  return { url, signer: key.withDID(did), door: join(data, 'taijitu.sock'), stop }
}

const host = spawn(PYTHON, [fileURLToPath(new URL('services.py', import.meta.url))], {
  stdio: ['pipe', 'pipe', 'inherit'],
})
const answered = createInterface({ input: host.stdout })[Symbol.asyncIterator]()

/** Answers come in the order of the requests. */
let last = Promise.resolve()

const request = (what) => {
  last = last.then(() => exchange(what))
  return last
}

const exchange = async (what) => {
  host.stdin.write(`${JSON.stringify(what)}\n`)
  const { value, done } = await answered.next()
  if (done) throw new Error('whoever starts the services is gone')
  return JSON.parse(value)
}

const answers = async (url) => (await fetch(`${url}/health`).catch(() => undefined))?.ok

/** Whether it comes to hold before it is too late. */
const inTime = async (holds) => {
  const deadline = performance.now() + START_MS_MAX
  while (performance.now() < deadline) {
    if (await holds()) return true
    await new Promise((done) => setTimeout(done, POLL_MS))
  }
  return false
}

const freePort = async () => {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  await once(probe, 'close')
  return port
}
