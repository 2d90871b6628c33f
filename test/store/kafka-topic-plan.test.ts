import { describe, expect, it } from 'vitest'
import type { TopicDescription } from '../../src/kafka/driver.ts'
import { namesOf } from '../../src/store/kafka/names.ts'
import { topicDefinitions } from '../../src/store/kafka/topic-definitions.ts'
import { planTopics } from '../../src/store/kafka/topic-plan.ts'
import { topicLayout } from '../../src/store/topic-layout.ts'

const layout = topicLayout()
const definitions = (replication?: number) => topicDefinitions(layout, namesOf('p.', 'session.events'), replication)

/** As it would be after it was made. */
function made(name: string, more: Partial<TopicDescription> & { readonly configs?: Record<string, string> } = {}) {
  const { topic, partitions, config } = definitions().of(name)
  const { configs, ...rest } = more
  const all: Record<string, string> = {
    'max.message.bytes': '1048588',
    'min.insync.replicas': '1',
    'retention.bytes': '-1',
    ...config,
    ...configs,
  }
  const found: TopicDescription = {
    topic,
    partitions,
    replicationFactor: 3,
    cleanupPolicy: all['cleanup.policy'] ?? 'delete',
    retentionMs: Number(all['retention.ms'] ?? 604_800_000),
    config: new Map(Object.entries(all).map(([key, value]) => [key, { value, own: true }])),
    ...rest,
  }
  return found
}

function planned(name: string, found?: TopicDescription, replication?: number) {
  const wanted = definitions(replication).of(name)
  const plan = planTopics([wanted], new Map(found === undefined ? [] : [[wanted.topic, found]]))
  const [step] = plan.topics
  if (step === undefined) throw new Error('no step')
  return step
}

describe('the definition of the topics', () => {
  it('has the partitions of the dual-agent system, and those a log needs itself', () => {
    expect(definitions().all.map(({ topic, partitions }) => [topic, partitions])).toEqual([
      ['p.agent.tasks.manager', 3],
      ['p.agent.tasks.worker', 3],
      ['p.session.events', 6],
      ['p.monitoring.events', 12],
      ['p.quality.gates', 2],
      ['p.analytics.aggregated', 6],
      ['p.api.responses', 3],
      ['p.duolog.presence', 1],
      ['p.duolog.snapshots', 6],
      ['p.duolog.blobs', 3],
    ])
  })

  it('asks for two in sync from three replicas on', () => {
    expect(definitions(3).of('session.events').config['min.insync.replicas']).toBe('2')
    expect(definitions(2).of('session.events').config['min.insync.replicas']).toBeUndefined()
  })
})

describe('T1 T2 the plan', () => {
  it('makes what is missing, and warns of one replica', () => {
    expect(planned('session.events', undefined, 1)).toMatchObject({
      actions: [{ kind: 'create' }],
      warnings: [expect.stringContaining('replication 1')],
      refusals: [],
    })
  })

  it.each(['session.events', 'agent.tasks.worker', 'duolog.presence', 'duolog.snapshots', 'duolog.blobs'])(
    'leaves %s as it is when it is as defined',
    (name) => {
      expect(planned(name, made(name))).toMatchObject({ actions: [], warnings: [], refusals: [] })
    },
  )

  it('leaves larger limits as they are, and raises smaller ones', () => {
    const limit = (bytes: string) =>
      planned('quality.gates', made('quality.gates', { configs: { 'max.message.bytes': bytes } }))
    expect(limit('9000000').actions).toEqual([])
    expect(limit('1000').actions).toEqual([
      { kind: 'set-config', name: 'max.message.bytes', from: '1000', to: '1048588' },
    ])
  })

  it.each([
    ['retention', { 'retention.ms': '1000' }, 1000, 'deletes events after 1000 ms'],
    ['retention by size', { 'retention.bytes': '5000' }, -1, 'deletes the oldest events beyond 5000 bytes'],
    ['compaction', { 'cleanup.policy': 'compact' }, -1, 'only the last event is kept'],
  ])('takes %s off the event topic, and warns', (_what, configs, retentionMs, warning) => {
    const step = planned('session.events', made('session.events', { configs, retentionMs }))
    expect(step.actions).toEqual([expect.objectContaining({ kind: 'set-config', name: Object.keys(configs)[0] })])
    expect(step.warnings).toEqual([expect.stringContaining(warning)])
  })

  it('gives partitions to a topic of messages, never to the event topic', () => {
    expect(planned('monitoring.events', made('monitoring.events', { partitions: 4 })).actions).toEqual([
      { kind: 'add-partitions', from: 4, to: 12 },
    ])
    const events = planned('session.events', made('session.events', { partitions: 4 }))
    expect(events.actions).toEqual([])
    expect(events.refusals).toEqual([expect.stringContaining('part streams from their past')])
  })

  it('makes topics that keep what was written as it was; leaves the compression of others alone, and warns of zstd', () => {
    expect(definitions().all.map(({ config }) => config['compression.type'])).toEqual(Array(10).fill('producer'))
    const compressing = (type: string) =>
      planned('session.events', made('session.events', { configs: { 'compression.type': type } }))
    expect(compressing('lz4')).toMatchObject({ actions: [], warnings: [] })
    expect(compressing('zstd')).toMatchObject({ actions: [], warnings: [expect.stringContaining('Node 22.15')] })
  })

  it('refuses to take partitions away, to lose what a compacted topic keeps, and replicas it cannot make', () => {
    const refusals = (found: Partial<TopicDescription> & { configs?: Record<string, string> }, replication?: number) =>
      planned('quality.gates', made('quality.gates', found), replication).refusals
    expect(refusals({ partitions: 8 })).toEqual([expect.stringContaining('Kafka takes none away')])
    expect(refusals({ configs: { 'cleanup.policy': 'compact' } })).toEqual([expect.stringContaining('would drop')])
    expect(refusals({ replicationFactor: 1 }, 3)).toEqual([expect.stringContaining('kafka-reassign-partitions')])
  })

  it('warns when no append could succeed', () => {
    const found = made('session.events', { replicationFactor: 1, configs: { 'min.insync.replicas': '2' } })
    expect(planned('session.events', found).warnings).toContainEqual(expect.stringContaining('no append can succeed'))
  })
})
