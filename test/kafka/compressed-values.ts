/** What the batches in fixtures/compressed-batches.json hold: repetitions near and far, a long run, and what cannot be made smaller. */
export function compressedValues(): readonly Buffer[] {
  const lines = Array.from(
    { length: 2000 },
    (_, n) => `line ${n % 97} of a text that says ${n % 13 === 0 ? 'more' : 'less'}\n`,
  )
  let seed = 7
  const noise = Buffer.alloc(3000)
  for (let at = 0; at < noise.length; at++) {
    seed = (seed * 1103515245 + 12345) % 2 ** 31
    noise[at] = seed >> 16
  }
  return [Buffer.from(lines.join('')), Buffer.alloc(70_000, 'x'), noise, Buffer.from('short')]
}
