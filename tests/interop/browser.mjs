// Put behind the page of the how-to: chooses a file, as a person would, and reports what came of it.

/** @param {unknown} facts */
const report = (facts) => fetch('/report', { method: 'POST', body: JSON.stringify(facts) })

const input = /** @type {HTMLInputElement} */ (document.querySelector('input'))
const output = /** @type {HTMLOutputElement} */ (document.querySelector('output'))

/** @type {string[]} */
const places = []
console.log = (/** @type {unknown} */ text) => places.push(`${text}`)

const stored = new Promise((resolve) => {
  new MutationObserver(() => resolve(output.value)).observe(output, { childList: true })
})
const chosen = new DataTransfer()
chosen.items.add(new File([crypto.getRandomValues(new Uint8Array(50_000))], 'some.bin'))
input.files = chosen.files
input.dispatchEvent(new Event('change'))
const said = await stored

const part = await fetch(places[0], { headers: { range: 'bytes=1-10', 'if-match': '*' } })
const progress = /** @type {HTMLProgressElement} */ (document.querySelector('progress'))
await report({
  said,
  disabled: input.disabled,
  uploaded: progress.value > 0 && progress.value === progress.max,
  status: part.status,
  length: (await part.arrayBuffer()).byteLength,
  range: part.headers.get('content-range'),
  etag: part.headers.get('etag'),
})
