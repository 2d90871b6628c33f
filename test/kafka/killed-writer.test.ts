import { expect, it } from 'vitest'
import { kafkaBrokers as brokers, describeKafka, uniquePrefix } from '../support/kafka.ts'
import { checkLog, numbered, startAppender } from './log-check.ts'

/** Where the victim is killed, and with which drivers it and its heir work. */
const DEATHS = [
  ['taken-over', 'kafkajs', 'platformatic'],
  ['caught-up', 'platformatic', 'kafkajs'],
  ['produced', 'kafkajs', 'platformatic'],
  ['produced', 'platformatic', 'platformatic'],
  ['committed', 'platformatic', 'kafkajs'],
  ['read-back', 'kafkajs', 'kafkajs'],
] as const

/** A small seeded generator, so that a run that fails can be run again. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

describeKafka('a writer that is killed', () => {
  it.each(DEATHS)(
    'P2 P4 P5 killed at %s, with %s: its successor with %s takes over, nothing is lost or doubled',
    async (place, dead, next) => {
      const prefix = uniquePrefix('killed')
      const streams = numbered('s', 3)
      const keys = numbered('k', 60)
      const killAt = { point: `kafka.writer.${place}`, time: place === 'taken-over' || place === 'caught-up' ? 1 : 3 }
      const victim = startAppender({ brokers, prefix, driver: dead, streams, keys, concurrency: 5, killAt })
      expect(await victim.ended).toBe('SIGKILL')
      const heir = startAppender({ brokers, prefix, driver: next, streams, keys, concurrency: 5 })
      expect(await heir.ended).toBe(0)
      expect(heir.acknowledged).toHaveLength(keys.length)
      await checkLog({ brokers, prefix, keys, acknowledged: [...victim.acknowledged, ...heir.acknowledged] })
    },
  )

  it('P2 P4 P5 killed at random moments, while another one writes too', async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
    process.stdout.write(`killed-writer: SEED=${seed}\n`)
    const random = seeded(seed)
    const prefix = uniquePrefix('random')
    const streams = numbered('s', 4)
    const [keys, others] = [numbered('k', 300), numbered('o', 300)]
    const other = startAppender({ brokers, prefix, driver: 'platformatic', streams, keys: others, concurrency: 5 })
    const acknowledged = []
    for (let round = 0; round < 4; round++) {
      const driver = round % 2 === 0 ? 'kafkajs' : 'platformatic'
      const victim = startAppender({ brokers, prefix, driver, streams, keys, concurrency: 5 })
      const enough = Math.floor(random() * 60)
      await expect.poll(() => victim.acknowledged.length, { timeout: 60_000, interval: 5 }).toBeGreaterThan(enough)
      victim.child.kill('SIGKILL')
      await victim.ended
      acknowledged.push(...victim.acknowledged)
    }
    const heir = startAppender({ brokers, prefix, streams, keys, concurrency: 5 })
    expect(await Promise.all([heir.ended, other.ended])).toEqual([0, 0])
    acknowledged.push(...heir.acknowledged, ...other.acknowledged)
    await checkLog({ brokers, prefix, keys: [...keys, ...others], acknowledged })
  })
})
