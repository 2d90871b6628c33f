import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { kafkaBrokers as brokers, describeKafka, uniquePrefix } from '../support/kafka.ts'
import { numbered, readTopic, startAppender } from './log-check.ts'
import { hashOf, type ReaderTask, type ReadStreams } from './replica-reader.ts'

const POINTS = ['created', 'filled', 'taken', 'closed'].map((name) => `kafka.replica.${name}`)

function startReader(task: ReaderTask) {
  const program = fileURLToPath(new URL('./replica-reader.ts', import.meta.url))
  const child = spawn(process.execPath, [program, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'ignore'] })
  const said: string[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => said.push(line))
  const ended = Promise.all([once(child, 'exit'), once(lines, 'close')]).then(([[code, signal]]) => signal ?? code)
  return { child, said, ended }
}

/** What a consumer that is none of ours finds. */
async function readPlainly(prefix: string): Promise<ReadStreams> {
  const ids = new Map<string, string[]>()
  for (const { key, headers } of await readTopic(brokers, `${prefix}session.events`)) {
    ids.set(key, [...(ids.get(key) ?? []), headers.ce_id ?? ''])
  }
  return Object.fromEntries([...ids].map(([stream, of]) => [stream, [of.length, hashOf(of)] as const]))
}

describeKafka('a process that is killed while it writes its replica', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'duolog-replica-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  it.each(POINTS)('R1 R4 at %s: its successor reads what a plain consumer finds', async (point) => {
    const prefix = uniquePrefix('replica-killed')
    const keys = numbered('k', 120)
    const appender = startAppender({ brokers, prefix, streams: numbered('s', 5), keys, concurrency: 5 })
    const first = { brokers, prefix, directory, until: keys.length, killAt: { point, time: 1 } }
    expect(await startReader(first).ended).toBe('SIGKILL')
    expect(await appender.ended).toBe(0)
    const heir = startReader({ brokers, prefix, directory, until: keys.length })
    expect(await heir.ended).toBe(0)
    expect(JSON.parse(heir.said.at(-1) ?? '')).toEqual(await readPlainly(prefix))
  })

  it('R1 R4 at any moment, while another process appends and a third shares the folder', async () => {
    const prefix = uniquePrefix('replica-random')
    const keys = numbered('k', 400)
    const appender = startAppender({ brokers, prefix, streams: numbered('s', 7), keys, concurrency: 5 })
    const task = { brokers, prefix, directory, until: keys.length }
    const beside = startReader(task)
    for (const more of [1, 13, 29, 38]) {
      const victim = startReader({ ...task, until: Number.MAX_SAFE_INTEGER })
      const enough = appender.acknowledged.length + more
      await expect.poll(() => victim.said.length, { timeout: 60_000, interval: 5 }).toBeGreaterThan(0)
      const done = () => appender.acknowledged.length >= Math.min(enough, keys.length)
      await expect.poll(done, { timeout: 60_000, interval: 5 }).toBe(true)
      victim.child.kill('SIGKILL')
      await victim.ended
    }
    expect([await appender.ended, await beside.ended]).toEqual([0, 0])
    const heir = startReader(task)
    expect(await heir.ended).toBe(0)
    const plain = await readPlainly(prefix)
    expect(JSON.parse(heir.said.at(-1) ?? '')).toEqual(plain)
    expect(JSON.parse(beside.said.at(-1) ?? '')).toEqual(plain)
  })
})
