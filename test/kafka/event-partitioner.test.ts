import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { murmur2 } from '../../src/core/murmur2.ts'
import { EventPartitioner } from '../../src/kafka/event-partitioner.ts'
import { brokerLibraries, javaAnswers } from '../support/broker-libraries.ts'

/** Made by `org.apache.kafka.common.utils.Utils.murmur2` of kafka-clients 4.1.1: key, hash, partition of 6, of 12. */
const FROM_JAVA: readonly (readonly [string, number, number, number])[] = [
  ['', 275646681, 3, 9],
  ['a', -1563381124, 4, 4],
  ['ab', 316155434, 2, 2],
  ['abc', 479470107, 3, 3],
  ['abcd', -1323649548, 2, 8],
  ['session-1', -783537844, 4, 4],
  ['session-42', 880271230, 4, 10],
  ['0b9f9c1e-7d2a-4c7e-9f5e-1d2c3b4a5f60', -1278472053, 5, 11],
  ['Zürich', -1551140815, 1, 1],
  ['日本語', 1431860170, 4, 10],
  ['🦊🦊', 884894961, 3, 9],
  ['a longer key with spaces and 0123456789', 2091230271, 3, 3],
]

const JAVA = `
import org.apache.kafka.common.utils.Utils;
import java.util.Base64;
public class Hashes {
  public static void main(String[] keys) {
    for (String key : keys) System.out.println(Utils.murmur2(Base64.getDecoder().decode(key.substring(1))));
  }
}`

describe('EventPartitioner', () => {
  it.each(FROM_JAVA)('puts %j where the Java client puts it', (sessionId, hash, ofSix, ofTwelve) => {
    expect(murmur2(new TextEncoder().encode(sessionId))).toBe(hash)
    expect(new EventPartitioner({ partitionCount: 6 }).getPartition({ sessionId })).toBe(ofSix)
    expect(new EventPartitioner({ partitionCount: 12 }).getPartition({ sessionId })).toBe(ofTwelve)
  })

  it('takes bytes as they are', () => {
    const sessionId = Uint8Array.of(0xff, 0xfe, 0, 0x80, 0x7f)
    expect(murmur2(sessionId)).toBe(998457672)
    expect(new EventPartitioner({ partitionCount: 6 }).getPartition({ sessionId })).toBe(0)
  })

  it.each([0, -1, 1.5, Number.NaN])('refuses %d partitions', (partitionCount) => {
    expect(() => new EventPartitioner({ partitionCount })).toThrow(/partitionCount must be an integer from 1/)
  })

  it('agrees with the Java class on random bytes of every length', async ({ skip }) => {
    if (!(await javaAnswers())) skip('no Java here')
    const keys = Array.from({ length: 200 }, (_, length) => crypto.getRandomValues(new Uint8Array(length % 50)))
    const folder = await mkdtemp(join(tmpdir(), 'duolog-java-'))
    try {
      const file = join(folder, 'Hashes.java')
      await writeFile(file, JAVA)
      const given = keys.map((key) => `k${Buffer.from(key).toString('base64')}`)
      const classPath = join(await brokerLibraries(), '*')
      const { stdout } = await promisify(execFile)('java', ['-cp', classPath, file, ...given])
      expect(keys.map(murmur2)).toEqual(stdout.trim().split('\n').map(Number))
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
