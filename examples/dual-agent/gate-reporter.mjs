/* A reporter for `node --test`: what failed and why, in a few lines that fit into the next prompt. */

export default async function* report(events) {
  let passed = 0
  let failed = 0
  for await (const { type, data } of events) {
    if (type === 'test:pass' && isTest(data)) passed += 1
    if (type !== 'test:fail' || !isTest(data)) continue
    failed += 1
    yield `failed: ${data.name}\n${indent(reasonOf(data.details.error))}\n`
  }
  yield `${passed} passed, ${failed} failed\n`
}

function isTest(data) {
  return data.details?.type !== 'suite'
}

function reasonOf(error) {
  const cause = error.cause ?? error
  return String(cause?.message ?? cause)
}

function indent(text) {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => `  ${line}`)
    .join('\n')
}
