// A test runner of the shape these suites expect (`describe`, `it`, hooks, `only`, `skip`), that
// runs one test after another and answers with what became of each, by its full name.

const TEST_SECONDS_MAX = 30

/** Makes an invocation twice and means it to be one: so it is within a second, as expiry counts. */
const WITHIN_A_SECOND = /invocation idempotence$/

const tests = []
let group = { path: [], before: [], after: [] }

const describe = (name, body) => {
  const outer = group
  group = { path: [...outer.path, name], before: [...outer.before], after: [...outer.after] }
  const hooks = { beforeEach: addBefore, afterEach: addAfter, timeout() {} }
  body.call(hooks)
  group = outer
}

const addBefore = (hook) => group.before.push(hook)
const addAfter = (hook) => group.after.unshift(hook)

const it = (name, body) => tests.push({ ...group, name: [...group.path, name].join(' › '), body })
it.only = it
it.skip = (name) => it(name)

/** Makes the words of the suites' own runner known to them. */
export const install = () =>
  Object.assign(globalThis, { describe, it, beforeEach: addBefore, afterEach: addAfter })

/**
 * Runs what was defined so far, in order.
 *
 * @param {RegExp} wanted only tests whose names match
 * @param {(result: object) => void} tell what became of each test, as soon as it is known
 */
export const run = async (wanted, tell) => {
  const results = []
  for (const test of tests.filter(({ name }) => wanted.test(name))) {
    const result = { name: test.name, ...(await outcome(test)) }
    tell(result)
    results.push(result)
  }
  return results
}

const outcome = async (test) => {
  if (!test.body) return { outcome: 'skipped', ms: 0 }
  if (WITHIN_A_SECOND.test(test.name)) await nextSecond()
  const began = performance.now()
  const error = await failure(test)
  const ms = Math.round(performance.now() - began)
  if (error === undefined) return { outcome: 'passed', ms }
  return { outcome: 'failed', ms, error: text(error) }
}

const nextSecond = () => new Promise((done) => setTimeout(done, 1000 - (Date.now() % 1000)))

/** The first thing that is thrown. What a test has made is cleared away in any case. */
const failure = async ({ before, after, body }) => {
  const failed = await thrown(async () => {
    for (const hook of before) await hook()
    await inTime(body())
  })
  const unclean = await thrown(async () => {
    for (const hook of after) await hook()
  })
  return failed ?? unclean
}

const thrown = async (doing) => {
  try {
    await doing()
  } catch (error) {
    return error ?? new Error('nothing was thrown, but thrown it was')
  }
}

const inTime = async (running) => {
  let timer
  const late = new Promise((_, reject) => {
    const seconds = TEST_SECONDS_MAX
    timer = setTimeout(() => reject(new Error(`not done after ${seconds} s`)), seconds * 1000)
  })
  await Promise.race([running, late]).finally(() => clearTimeout(timer))
}

/** An error with its causes, in a few lines. */
const text = (error) => {
  const lines = []
  for (let each = error; each && lines.length < 5; each = each.cause) lines.push(phrase(each))
  return lines.join('\n  because: ')
}

const phrase = (error) => {
  if (error?.out) return `${JSON.stringify(error.out.error ?? error.out)}`
  return `${error?.name ?? 'Error'}: ${error?.message ?? JSON.stringify(error)}`
}
