import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TopicPlan } from '../../src/store/kafka/topic-plan.ts'
import { type Folder, newFolder } from '../cli/duolog.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { plainClient } from './log-check.ts'

describeKafka('duolog topics', () => {
  const prefix = uniquePrefix('topics')
  const log = ['--log', `kafka://${kafkaBrokers}`]
  let folder: Folder
  beforeAll(() => {
    folder = newFolder()
  })
  afterAll(() => folder.remove())

  const topics = (verb: string, ...more: string[]) => folder.run(['topics', verb, ...log, '--prefix', prefix, ...more])
  const plan = async (verb: string): Promise<TopicPlan> =>
    JSON.parse((await topics(verb, '--json')).stdout) as TopicPlan

  it('T2 check fails, apply makes all, a second apply has nothing to do, check is content', async () => {
    expect((await topics('check')).code).toBe(1)
    expect((await plan('plan')).changes).toBe(10)
    expect((await topics('plan')).stdout).toContain("warning: all topics: replication is left to the brokers' default")
    expect((await topics('plan', '--replication', '3')).stdout).not.toContain('warning')
    const applied = await topics('apply', '--replication', '1')
    expect(applied).toMatchObject({ code: 0, stdout: expect.stringContaining('warning: all topics: replication 1') })
    await expect.poll(async () => (await plan('plan')).changes, { timeout: 20_000 }).toBe(0)
    expect(await topics('apply')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('All topics are as defined'),
    })
    expect((await topics('check')).code).toBe(0)
  })

  it('puts retention on the event topic right, and says what it may have cost', async () => {
    const admin = plainClient(kafkaBrokers).admin()
    await admin.connect()
    const configEntries = [{ name: 'retention.ms', value: '3600000' }]
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: 2, name: `${prefix}session.events`, configEntries }],
    })
    await admin.disconnect()
    await expect.poll(async () => (await plan('plan')).changes, { timeout: 20_000 }).toBeGreaterThan(0)
    const applied = await topics('apply')
    expect(applied.stdout).toContain('set retention.ms=-1 (is 3600000)')
    expect(applied.stdout).toContain('deletes events after 3600000 ms')
    await expect.poll(async () => (await topics('check')).code, { timeout: 20_000 }).toBe(0)
  })

  it('T1 refuses what would lose or reorder, changes nothing then, and exits 2', async () => {
    const other = `${prefix}other.`
    const admin = plainClient(kafkaBrokers).admin()
    await admin.connect()
    await admin.createTopics({
      waitForLeaders: true,
      topics: [
        { topic: `${other}session.events`, numPartitions: 2, replicationFactor: 1 },
        { topic: `${other}quality.gates`, numPartitions: 9, replicationFactor: 1 },
      ],
    })
    const refused = await folder.run(['topics', 'apply', ...log, '--prefix', other])
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('Nothing was changed')
    expect(refused.stderr).toContain('part streams from their past')
    expect(refused.stderr).toContain('Kafka takes none away')
    expect((await admin.listTopics()).filter((name) => name.startsWith(other))).toHaveLength(2)
    await admin.disconnect()
  })
})

describe('duolog topics, wrongly called', () => {
  it('says that a file has no topics to plan', async () => {
    const folder = newFolder()
    const ended = await folder.run(['topics', 'plan', '--log', 'file:log.db'])
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('kafka://HOST:PORT, not file:') })
    folder.remove()
  })
})
