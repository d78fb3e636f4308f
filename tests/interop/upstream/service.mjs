// taijitu as a process, one for each test: on an empty data folder, with a key that is made here,
// so that the tests can sign as the service.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as ed25519 from '@ucanto/principal/ed25519'

const START_MS_MAX = 30_000
const POLL_MS = 20

/** How the service is started: a JSON list of words. */
const COMMAND = JSON.parse(process.env.UPSTREAM_SERVE ?? '["taijitu", "serve"]')

/** Running or starting, so that none outlives this process. */
const alive = new Set()
process.on('exit', () => alive.forEach((child) => child.kill('SIGKILL')))

/**
 * @typedef {object} Service
 * @property {string} url
 * @property {import('@ucanto/interface').Signer} signer as the tests know it, by its `did:web`
 * @property {string} door the socket at which its operator's commands are taken
 * @property {() => Promise<void>} stop ends it and removes its data
 */

/**
 * Starts one and returns once it answers.
 *
 * @param {string} did a `did:web`
 * @param {Record<string, string>} settings more environment variables, by full name
 * @returns {Promise<Service>}
 */
export const start = async (did, settings = {}) => {
  const key = await ed25519.generate()
  const folder = await mkdtemp(join(tmpdir(), 'taijitu-upstream-'))
  const data = join(folder, 'data')
  const door = join(data, 'taijitu.sock')
  const port = await freePort()
  const url = `http://localhost:${port}`
  const log = await open(join(folder, 'log'), 'w')
  const [program, ...words] = COMMAND
  const child = spawn(program, words, {
    cwd: folder,
    stdio: ['ignore', log.fd, log.fd],
    env: {
      ...process.env,
      TAIJITU_DATA: data,
      TAIJITU_DID: did,
      TAIJITU_KEY: ed25519.format(key),
      TAIJITU_PORT: String(port),
      TAIJITU_PROVISION: 'closed',
      TAIJITU_BLOB_SIZE_MAX: String(UPLOAD_SIZE_MAX),
      TAIJITU_TESTING: '1',
      ...settings,
    },
  })
  alive.add(child)
  const stop = async () => {
    await end(child)
    await log.close()
    await rm(folder, { recursive: true })
  }
  if (await answers(url, child)) return { url, signer: key.withDID(did), door, stop }
  const said = await readFile(join(folder, 'log'), 'utf8')
  await stop()
  throw new Error(`the service did not start:\n${said}`)
}

/** Bytes; a test asks for one more than the service was told to take. */
export const UPLOAD_SIZE_MAX = 5_000_000_000

const end = async (child) => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  alive.delete(child)
}

const answers = async (url, child) => {
  const deadline = performance.now() + START_MS_MAX
  while (child.exitCode === null && performance.now() < deadline) {
    const health = await fetch(`${url}/health`).catch(() => undefined)
    if (health?.ok) return true
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
