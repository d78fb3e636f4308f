// Which files make up each suite, and how its tests are defined: by spec files that define
// themselves, or by tables of tests that the package exports for others to run.

import { readdir } from 'node:fs/promises'

const PACKAGES = new URL('node_modules/', import.meta.url)
const WEB3 = '@web3-storage/upload-api/test/'
const STORACHA = '@storacha/upload-api/dist/test/'
const CLIENT = '@web3-storage/w3up-client/dist/test/'

const web3 = () => importAll(WEB3, (name) => name.endsWith('.spec.js'))

const client = () =>
  importAll(CLIENT, (name) => name.endsWith('.test.js') && !name.includes('browser'))

/** This package ships no spec files: each table is defined under the name of its file. */
const storacha = async () => {
  const { test } = await load(`${STORACHA}test.js`)
  for (const name of await files(STORACHA, isTable)) {
    const options = name === 'handlers/space/blob/add.js' ? { providers: LIMITED } : {}
    test({ [name.replace(/\.js$/, '')]: (await load(STORACHA + name)).test }, options)
  }
}

/** The providers one table of tests counts on, each with its capacity in bytes (0: no limit). */
const LIMITED = {
  'did:web:test.up.storacha.network': 0,
  'did:web:testlimit.up.storacha.network': 1000,
}

const isTable = (name) =>
  /^handlers\/|-tests\.js$|^(service|access-client-agent)\.js$/.test(name) && name.endsWith('.js')

const importAll = async (folder, wanted) => {
  for (const name of await files(folder, wanted)) await load(folder + name)
}

const files = async (folder, wanted) => {
  const found = await readdir(new URL(folder, PACKAGES), { recursive: true })
  return found.filter(wanted).sort()
}

const load = (name) => import(new URL(name, PACKAGES).href)

export const suites = {
  'web3-upload-api': { define: web3, did: 'did:web:test.web3.storage' },
  'storacha-upload-api': { define: storacha, did: 'did:web:test.up.storacha.network' },
  'w3up-client': { define: client, did: 'did:web:test.web3.storage' },
}
