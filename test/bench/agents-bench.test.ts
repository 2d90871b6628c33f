import { describe, expect, it } from 'vitest'
import { jsonLines, syncsIn } from '../../bench/agents/child.ts'
import { figuresOf, medians } from '../../bench/agents/measured.ts'
import { chosen } from '../../bench/agents/peers/run.ts'
import { resultsOf } from '../../bench/agents/rows.ts'
import { UsageError } from '../../bench/report.ts'

/* What the bench makes of what its processes print. */

describe('the bench of agents', () => {
  it('counts syncs in a trace: an unfinished call and its end are one', () => {
    const trace = [
      '101 fdatasync(21) = 0',
      '102 fsync(7 <unfinished ...>',
      '102 <... fsync resumed>) = 0',
      '101 openat(AT_FDCWD, "fsync-notes") = 3',
    ]
    expect(syncsIn(trace.join('\n'))).toBe(2)
  })

  it('reads JSON lines that come in pieces, and passes over what else a peer prints', () => {
    const lines: unknown[] = []
    const take = jsonLines((line) => lines.push(line))
    for (const piece of ['ready\n{"row":"al', 'one","p50Ms":2}\n{broken\n', '{"row":"memory","mb":90}\n']) take(piece)
    expect(lines).toEqual([
      { row: 'alone', p50Ms: 2 },
      { row: 'memory', mb: 90 },
    ])
  })

  it('takes the median of the rounds that have a figure', () => {
    const round = (p50Ms: number) => figuresOf([{ row: 'alone', p50Ms }])
    expect(medians([round(9), round(1), round(2), new Map([['syncs.per100', 100]])])).toEqual(
      new Map([
        ['alone.p50Ms', 2],
        ['syncs.per100', 100],
      ]),
    )
  })

  it('holds ours to the goals of its log, and a peer to none', () => {
    const figures = figuresOf([
      { row: 'alone', p50Ms: 1.4, p99Ms: 7 },
      { row: 'together', perSecond: 2_500 },
      { row: 'long', steps: 10, msPerStep: 0.2 },
      { row: 'long', steps: 5_000, msPerStep: 0.3 },
    ])
    const met = resultsOf('ours', figures, 'file').map(({ name, goal, met }) => [name, goal, met])
    expect(met).toEqual([
      ['ours: session of 3 steps, p50', '<= 1.5', true],
      ['ours: session of 3 steps, p99', '<= 6', false],
      ['ours: 50 sessions at once', '>= 2000', true],
      ['ours: step of a session of 10', '<= 0.4', true],
      ['ours: step of a session of 5000', '<= 0.4', true],
      ['ours: step of a session of 5000 / of 10', '<= 1.1', false],
    ])
    expect(resultsOf('peer', figures).some(({ goal, met }) => goal !== undefined || met !== undefined)).toBe(false)
  })

  it('knows a peer by its name or by the name of one of its forms', () => {
    expect(chosen('restate,langgraph-full').map(({ form }) => form)).toEqual(['langgraph-full', 'restate'])
    const unknown = () => chosen('restate,temporal')
    expect(unknown).toThrow(UsageError)
    expect(unknown).toThrow(/^--peers has "temporal"; there are langgraph, langgraph-tasks, .*, dbos, restate$/)
  })
})
