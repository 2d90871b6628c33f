/** A small seeded generator (mulberry32 over an FNV hash of the seed): numbers from 0 to 1. */
export function seededRandom(seed: string): () => number {
  let state = 2166136261
  for (const char of seed) state = Math.imul(state ^ (char.codePointAt(0) ?? 0), 16777619)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function pick<T>(random: () => number, among: readonly T[]): T {
  const chosen = among[Math.floor(random() * among.length)]
  if (chosen === undefined) throw new Error('Nothing to pick from')
  return chosen
}

export function between(random: () => number, least: number, most: number): number {
  return Math.round(least + random() * (most - least))
}
