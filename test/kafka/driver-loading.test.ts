import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import { connectDriver, type KafkaDriverName } from '../../src/kafka/connect-driver.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../src/kafka/drivers/member-protocol.ts'
import { loadPlatformatic } from '../../src/kafka/drivers/platformatic-library.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { freePort } from '../support/broker-native.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'

describe('choosing a driver', () => {
  it('names the choices when there is no such driver', async () => {
    const opening = openKafkaStore({ brokers: ['127.0.0.1:1'], driver: 'librdkafka' as KafkaDriverName })
    const message = 'driver must be one of kafkajs, platformatic, got librdkafka.'
    await expect(opening).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message })
  })

  it('without its package says what to install', async () => {
    await expect(loadPlatformatic('@platformatic/not-there')).rejects.toMatchObject({
      code: 'DEPENDENCY_MISSING',
      message: expect.stringContaining('npm install @platformatic/kafka@2.12.1'),
    })
  })

  it('with another package by its name says so', async () => {
    await expect(loadPlatformatic('node:path')).rejects.toMatchObject({
      code: 'DEPENDENCY_MISSING',
      message: expect.stringContaining('another version'),
    })
  })

  it.each(['22.13.0', '22.21.9', '23.11.0', '24.5.0'])('on Node %s says which Node it needs', async (version) => {
    await expect(loadPlatformatic('@platformatic/kafka', version)).rejects.toMatchObject({
      code: 'DEPENDENCY_MISSING',
      message: expect.stringMatching(/needs Node 22\.22 .* or 24\.6 .*this is/),
    })
  })

  it.each(['22.22.0', '24.6.0', '25.0.0'])('loads on Node %s', async (version) => {
    expect(typeof (await loadPlatformatic('@platformatic/kafka', version)).ConnectionPool).toBe('function')
  })
})

describe("what members of a group tell each other, as Kafka's own consumer protocol has it", () => {
  it('is what any other client writes', () => {
    const bytes = Buffer.from('0000' + '00000001' + '0003' + '612e62' + '00000000', 'hex')
    expect(encodeSubscription(['a.b'])).toEqual(bytes)
    expect(decodeSubscription(bytes)).toEqual(['a.b'])
    const given = Buffer.from(
      '0000' + '00000001' + '0001' + '61' + '00000002' + '00000000' + '00000005' + '00000000',
      'hex',
    )
    expect(encodeAssignment({ a: [0, 5] })).toEqual(given)
    expect(decodeAssignment(given)).toEqual([
      { topic: 'a', partition: 0 },
      { topic: 'a', partition: 5 },
    ])
    expect(decodeAssignment(Buffer.alloc(0))).toEqual([])
  })
})

const PROGRAM = fileURLToPath(new URL('./driver-program.ts', import.meta.url))

/** Resolves when the program ended by itself. */
async function run(driver: KafkaDriverName, brokers: string): Promise<{ code: number; said: string }> {
  const child = spawn(process.execPath, [PROGRAM, driver, brokers, uniquePrefix('program')])
  let said = ''
  const hear = (chunk: Buffer) => {
    said += String(chunk)
  }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', hear)
  const [code] = await once(child, 'close')
  return { code: code as number, said }
}

describeKafka.each(['kafkajs', 'platformatic'] as const)('a program that uses %s', (driver) => {
  it('ends by itself once everything is closed, and nothing was printed by the library', async () => {
    expect(await run(driver, kafkaBrokers)).toEqual({ code: 0, said: '' })
  })

  it('ends by itself, and nothing is printed, where no broker answers', async () => {
    const closed = `127.0.0.1:${await freePort()}`
    expect(await run(driver, closed)).toEqual({ code: 3, said: '' })
  })

  it('hears what the library has to say through its own logger', async () => {
    const heard: unknown[] = []
    const logger = { ...silentLogger, debug: (fields: unknown) => void heard.push(fields) }
    const connecting = connectDriver(driver, { brokers: ['127.0.0.1:9'], clientId: 'x', logger, connectTimeoutMs: 500 })
    await expect(connecting).rejects.toMatchObject({ code: 'BROKER_UNREACHABLE' })
    if (driver === 'kafkajs') expect(JSON.stringify(heard)).toContain('kafkajs')
    else expect(heard).toEqual([]) // it says nothing but by its errors
  })
})
