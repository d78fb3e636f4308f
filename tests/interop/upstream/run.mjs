// node run.mjs SUITE TARGET [PATTERN]: runs one upstream suite against one target, says on standard
// error how it goes, and prints a report as the last line of standard output:
// {"suite", "target", "tests": [{"name", "outcome": "passed|failed|skipped", "ms", "error"?}]}

import { register } from 'node:module'
import * as elsewhere from './elsewhere.mjs'
import * as runner from './runner.mjs'
import { suites } from './suites.mjs'
import { target } from './target.mjs'

const [, , name, targetName, pattern = ''] = process.argv
const suite = suites[name]
if (!suite || !['ours', 'theirs'].includes(targetName)) {
  console.error('usage: run.mjs SUITE ours|theirs [PATTERN]; suites:', ...Object.keys(suites))
  process.exit(2)
}

/** What a test left running may fail later; it has had its outcome. */
process.on('unhandledRejection', () => {})

register('./resolve.mjs', import.meta.url, { data: targetName })
await elsewhere.install(target.receipts)
runner.install()
await suite.define()

const tests = await runner.run(new RegExp(pattern), ({ name, outcome, ms, error = '' }) =>
  console.error(`${outcome} ${ms} ms  ${name}${error && `\n    ${error.slice(0, 600)}`}`)
)
const report = JSON.stringify({ suite: name, target: targetName, tests })
process.stdout.write(`\n${report}\n`, () => process.exit(0))
