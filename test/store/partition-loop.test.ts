import { describe, expect, it } from 'vitest'
import { DuologError } from '../../src/core/errors.ts'
import type { RecordedMessage } from '../../src/core/event.ts'
import { silentLogger } from '../../src/core/logger.ts'
import type { Checkpoint } from '../../src/store/event-store.ts'
import { type PartitionLoop, type PartitionSource, runPartition } from '../../src/store/partition-loop.ts'
import { WakeUps } from '../../src/store/wake-ups.ts'

const fenced = new DuologError('CHECKPOINT_FENCED', 'another owner')

describe('the loop over one partition', () => {
  it('handles in order and commits after each message (P6)', async () => {
    const steps: string[] = []
    const { end } = run(3, {
      handler: async ({ offset }) => void steps.push(`handle ${offset}`),
      commit: async ({ offset }) => void steps.push(`commit ${offset}`),
    })
    await end
    expect(steps).toEqual(['handle 0', 'commit 1', 'handle 1', 'commit 2', 'handle 2', 'commit 3'])
  })

  it('commits nothing for a message whose handler failed, and hands it over again (P6)', async () => {
    const steps: string[] = []
    let calls = 0
    const { end } = run(1, {
      handler: async () => {
        steps.push('handle')
        if (++calls < 2) throw new Error('once')
      },
      onError: (error, message, attempt) => steps.push(`${(error as Error).message} ${message?.offset} ${attempt}`),
      commit: async () => void steps.push('commit'),
    })
    await end
    expect(steps).toEqual(['handle', 'once 0 1', 'handle', 'commit'])
  })

  it('repeats a failed commit, not its handler', async () => {
    const steps: string[] = []
    let commits = 0
    const { end } = run(1, {
      handler: async () => void steps.push('handle'),
      onError: () => {},
      commit: async () => {
        steps.push('commit')
        if (++commits < 2) throw new Error('disk')
      },
    })
    await end
    expect(steps).toEqual(['handle', 'commit', 'commit'])
  })

  it.each(['handler', 'commit'] as const)('ends as fenced when the %s hears it', async (where) => {
    const { end } = run(3, {
      [where]: async () => {
        throw fenced
      },
    })
    expect(await end).toBe('fenced')
  })

  it('still commits what was done when the signal fires meanwhile, and takes no further message', async () => {
    const steps: string[] = []
    const { abort, end } = run(3, {
      handler: async ({ offset }) => {
        steps.push(`handle ${offset}`)
        abort.abort()
      },
      commit: async ({ offset }) => void steps.push(`commit ${offset}`),
    })
    expect(await end).toBe('aborted')
    expect(steps).toEqual(['handle 0', 'commit 1'])
  })

  it('does not report what a handler throws because it was told to give up', async () => {
    const errors: unknown[] = []
    const { abort, end } = run(1, {
      handler: async () => {
        abort.abort()
        throw new Error('given up')
      },
      onError: (error) => errors.push(error),
    })
    expect(await end).toBe('aborted')
    expect(errors).toEqual([])
  })

  it('logs what nobody listens to, and takes no answer of a handler for an end', async () => {
    const logged: string[] = []
    let calls = 0
    const { end } = run(1, {
      logger: { ...silentLogger, error: (_fields, message) => logged.push(message) },
      handler: async () => {
        if (++calls < 2) throw new Error('once')
        return 'fenced' as unknown as undefined
      },
    })
    expect(await end).toBe('aborted')
    expect(logged).toEqual(['A handler failed; its message comes again'])
  })
})

describe('the loop with several messages in hand', () => {
  it('hands out without waiting, up to the limit, and commits only past a run of done messages (P6)', async () => {
    const steps: string[] = []
    const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>())
    const { end } = run(5, {
      maxInFlight: 3,
      handler: async ({ offset }) => {
        steps.push(`handle ${offset}`)
        await gates[offset]?.promise
      },
      commit: async ({ offset }) => void steps.push(`commit ${offset}`),
      waitForMore: () => new Promise(() => {}),
    })
    const settled = () => new Promise((resolve) => setImmediate(resolve))
    await settled()
    gates[1]?.resolve()
    gates[2]?.resolve()
    await settled()
    expect(steps).toEqual(['handle 0', 'handle 1', 'handle 2'])
    gates[0]?.resolve()
    await settled()
    expect(steps.slice(3)).toEqual(['commit 3', 'handle 3', 'handle 4'])
    gates[4]?.resolve()
    gates[3]?.resolve()
    await settled()
    expect(steps.slice(6)).toEqual(['commit 5'])
    void end
  })

  it('never commits past a message that was given up when the signal fired (P6)', async () => {
    const commits: number[] = []
    const { abort, end } = run(4, {
      maxInFlight: 4,
      handler: async ({ offset }, { signal }) => {
        if (offset !== 1) return
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        throw new Error('given up')
      },
      commit: async ({ offset }) => void commits.push(offset),
      waitForMore: async () => abort.abort(),
    })
    expect(await end).toBe('aborted')
    expect(commits).toEqual([1])
  })

  it('gives an append the checkpoint that is safe: past its message only when all before it are done (P6)', async () => {
    const seen: number[] = []
    const first = Promise.withResolvers<void>()
    const { end, abort } = run(2, {
      maxInFlight: 2,
      handler: async ({ offset }, context) => {
        if (offset === 0) return first.promise
        seen.push(context.checkpoint.offset)
        first.resolve()
        await new Promise((resolve) => setImmediate(resolve))
        seen.push(context.checkpoint.offset)
      },
      waitForMore: async () => abort.abort(),
    })
    await end
    expect(seen).toEqual([0, 2])
  })

  it('ends the others when one hears that the partition is lost, and waits for them', async () => {
    const ended: number[] = []
    const { end } = run(2, {
      maxInFlight: 2,
      handler: async ({ offset }, { signal }) => {
        if (offset === 1) throw fenced
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        ended.push(offset)
      },
      waitForMore: () => new Promise(() => {}),
    })
    void end
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(ended).toEqual([0])
  })

  it('asks onTaken first, again and again while it refuses, and shows where the partition is', async () => {
    const steps: string[] = []
    let refusals = 0
    const { end } = run(2, {
      onTaken: async ({ topic, partition, position }) => {
        if (++refusals < 2) throw new Error('not yet')
        steps.push(`${topic}/${partition} from ${position()}`)
      },
      onError: (error) => steps.push((error as Error).message),
      handler: async ({ offset }) => void steps.push(`handle ${offset}`),
    })
    await end
    expect(steps).toEqual(['not yet', 't/0 from 2', 'handle 0', 'handle 1'])
  })

  it.each([true, false])(
    'ends where its place is behind the end of the log; said once (onError: %s)',
    async (heard) => {
      const said: unknown[] = []
      const note = (fields: object, text: string) => void said.push([(fields as { err: DuologError }).err.code, text])
      const { end } = run(3, {
        end: 2,
        ...(heard && { onError: (error: unknown) => void said.push((error as DuologError).code) }),
        logger: { ...silentLogger, error: note },
        onTaken: () => void said.push('taken'),
        handler: async () => void said.push('handled'),
      })
      expect(await end).toMatchObject({ code: 'CHECKPOINT_AHEAD', message: expect.stringContaining('ends at 2') })
      expect(said).toEqual([
        heard ? 'CHECKPOINT_AHEAD' : ['CHECKPOINT_AHEAD', 'A consumer ends: its checkpoint is not of this log'],
      ])
    },
  )
})

interface Given
  extends Partial<Pick<PartitionLoop<RecordedMessage>, 'handler' | 'onError' | 'logger' | 'maxInFlight' | 'onTaken'>> {
  readonly commit?: (checkpoint: Checkpoint) => Promise<void>
  readonly waitForMore?: (signal: AbortSignal) => Promise<void>
  /** Where the partition ends. Default: behind its messages. */
  readonly end?: number
}

/** Runs the loop over `count` messages; it is aborted when there are no more. */
function run(
  count: number,
  {
    commit = async () => {},
    handler = async () => {},
    logger = silentLogger,
    waitForMore,
    end = count,
    ...given
  }: Given,
) {
  const abort = new AbortController()
  let batches = [messages(count)]
  const source: PartitionSource<RecordedMessage> = {
    nextBatch: async () => {
      const [batch = [], ...rest] = batches
      batches = rest
      return batch
    },
    position: () => ({ topic: 't', partition: 0, offset: count }),
    end: async () => end,
    waitForMore: waitForMore ?? (async () => abort.abort()),
    checkpointAfter: ({ topic, partition, offset }) => ({ group: 'g', topic, partition, offset: offset + 1 }),
    commit,
  }
  const loop = { group: 'g', source, handler, logger, signal: abort.signal, ...given }
  return { abort, end: runPartition(loop) }
}

function messages(count: number): RecordedMessage[] {
  return Array.from({ length: count }, (_, offset) => ({
    type: 'Task',
    data: {},
    eventId: `id-${offset}`,
    version: 1,
    timestamp: '2026-01-01T00:00:00.000Z',
    correlationId: 'k',
    headers: {},
    topic: 't',
    partition: 0,
    offset,
    key: 'k',
  }))
}

describe('wake-ups', () => {
  it('are not lost between the look and the wait', async () => {
    const wakeUps = new WakeUps()
    const seen = wakeUps.generation
    wakeUps.wakeAll()
    await wakeUps.after(seen)
    const next = wakeUps.after(wakeUps.generation)
    wakeUps.wakeAll()
    await next
    expect(wakeUps.generation).toBe(2)
  })

  it('end by signal or by time', async () => {
    const wakeUps = new WakeUps()
    await wakeUps.after(0, { timeoutMs: 1 })
    await wakeUps.after(0, { signal: AbortSignal.abort() })
    const abort = new AbortController()
    const waiting = wakeUps.after(0, { signal: abort.signal })
    abort.abort()
    await waiting
    expect(wakeUps.generation).toBe(0)
  })
})
