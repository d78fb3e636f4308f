// The service under test, as the command line has it: `ours`, or `theirs` to prove the harness.

const [, , , name] = process.argv

export const { target } = await import(name === 'theirs' ? './theirs.mjs' : './ours.mjs')
