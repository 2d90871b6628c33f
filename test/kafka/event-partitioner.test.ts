import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { murmur2 } from '../../src/core/murmur2.ts'
import { EventPartitioner } from '../../src/kafka/event-partitioner.ts'
import { brokerLibraries, javaAnswers } from '../support/broker-libraries.ts'

interface Vector {
  /** Base64 of the key's bytes. */
  readonly key: string
  readonly hash: number
  readonly of6: number
  readonly of12: number
  readonly of1000: number
}

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))
const { vectors } = JSON.parse(readFileSync(fixture('partition-vectors.json'), 'utf8')) as { vectors: Vector[] }

function ours(key: Uint8Array) {
  const of = (partitionCount: number) => new EventPartitioner({ partitionCount }).getPartition({ sessionId: key })
  return { hash: murmur2(key), of6: of(6), of12: of(12), of1000: of(1000) }
}

describe('EventPartitioner', () => {
  it.each(vectors)('puts $key where the Java client puts it', ({ key, ...expected }) => {
    expect(ours(Buffer.from(key, 'base64'))).toEqual(expected)
  })

  it('has vectors of every kind: empty, text, bytes that are no text, 4 KB', () => {
    const keys = vectors.map(({ key }) => Buffer.from(key, 'base64'))
    expect(keys.map(({ length }) => length)).toEqual(expect.arrayContaining([0, 1, 2, 3, 4, 4096]))
    expect(keys.filter((key) => !Buffer.from(key.toString()).equals(key)).length).toBeGreaterThan(10)
  })

  it.each(['', 'session-42', 'Zürich', '日本語', '🦊🦊'])('counts the text %j as its UTF-8 bytes', (sessionId) => {
    const [vector] = vectors.filter(({ key }) => Buffer.from(key, 'base64').equals(Buffer.from(sessionId)))
    expect(new EventPartitioner({ partitionCount: 6 }).getPartition({ sessionId })).toBe(vector?.of6)
  })

  it.each([0, -1, 1.5, Number.NaN])('refuses %d partitions', (partitionCount) => {
    expect(() => new EventPartitioner({ partitionCount })).toThrow(/partitionCount must be an integer from 1/)
  })

  it('agrees with the Java class on random bytes of every length', async ({ skip }) => {
    if (!(await javaAnswers())) skip('no Java here')
    const lengths = [...Array.from({ length: 200 }, (_, length) => length % 50), 4096]
    const keys = lengths.map((length) => crypto.getRandomValues(new Uint8Array(length)))
    const given = keys.map((key) => `k${Buffer.from(key).toString('base64')}`)
    const classPath = join(await brokerLibraries(), '*')
    const java = ['-cp', classPath, fixture('PartitionVectors.java'), ...given]
    const { stdout } = await promisify(execFile)('java', java)
    const theirs = stdout.trim().split('\n')
    expect(keys.map((key) => Object.values(ours(key)).join(' '))).toEqual(theirs)
  })
})
