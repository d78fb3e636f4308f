// The loader hooks: inside the upstream tests, three of their modules are replaced by ones of ours
// that re-export the original and put the service under test in the place of theirs.
//
// Only imports made by a test file are changed; what the packages import among themselves is not.

const DOUBLES = [
  [/\/upload-api\/(src|dist)\/lib\.js$/, ['createServer']],
  [/\/upload-api\/(dist\/)?test\/helpers\/context\.js$/, ['createContext', 'cleanupContext']],
  [/\/upload-api\/(src|dist)\/validate\.js$/, ['authorizeFromUrl']],
]

const SCHEME = 'double:'
const TESTS = /\/(upload-api|w3up-client)\/(dist\/)?test\//

/**
 * One suite's helper looks for an upload's tasks by the names that its server's storage nodes give
 * them. Services without such nodes, and the published clients, know the same tasks by these.
 */
const RENAMED = {
  within: /\/@storacha\/upload-api\/dist\/test\//,
  from: '@storacha/capabilities/blob',
  to: '@storacha/capabilities/web3.storage/blob',
}

/** One suite reaches for another package by a path that holds only in its own repository. */
const ELSEWHERE = /^(\.\.\/)+upload-api\/test\//

/** Set for our service, not for theirs. */
let renaming = false

export const initialize = (target) => {
  renaming = target === 'ours'
}

export const resolve = async (specifier, context, next) => {
  const { parentURL = '' } = context
  if (!TESTS.test(parentURL)) return next(specifier, context)
  const found = ELSEWHERE.test(specifier)
    ? within(parentURL, specifier.replace(ELSEWHERE, '@web3-storage/upload-api/test/'))
    : await next(renamed(specifier, parentURL), context)
  const names = namesReplaced(found.url)
  if (!names) return found
  const query = new URLSearchParams({ real: found.url, names: names.join() })
  return { url: `${SCHEME}?${query}`, shortCircuit: true }
}

export const load = async (url, context, next) => {
  if (!url.startsWith(SCHEME)) return next(url, context)
  const query = new URL(url).searchParams
  const source = double(query.get('real'), query.get('names').split(','))
  return { format: 'module', source, shortCircuit: true }
}

const renamed = (specifier, parentURL) =>
  renaming && specifier === RENAMED.from && RENAMED.within.test(parentURL) ? RENAMED.to : specifier

const namesReplaced = (url) => DOUBLES.find(([pattern]) => pattern.test(url))?.[1]

/** A file of another package in the same `node_modules`, whether or not that package exports it. */
const within = (parent, path) => {
  const [root] = parent.split('/@web3-storage/')
  return { url: `${root}/${path}`, format: 'module', shortCircuit: true }
}

/** What is exported by name here hides what `export *` brings. */
const double = (real, names) => `
  export * from ${JSON.stringify(real)}
  import * as real from ${JSON.stringify(real)}
  import { target } from ${JSON.stringify(new URL('target.mjs', import.meta.url).href)}
  ${names.map((name) => `export const ${name} = target.${name}(real)`).join('\n')}
`
