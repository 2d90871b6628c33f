import { readFileSync } from 'node:fs'
import zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { decompress } from '../../src/kafka/decompress.ts'
import { decodeRecordBatches } from '../../src/kafka/record-batches.ts'
import { compressedValues } from '../kafka/compressed-values.ts'

/*
 * Batches as a Kafka 4.1 broker wrote them, in topics with `compression.type`: compressed by the libraries of the Java
 * clients. Fetched raw; what they hold is told by `compressedValues`.
 */

const batches: Record<string, string> = JSON.parse(
  readFileSync(new URL('../kafka/fixtures/compressed-batches.json', import.meta.url), 'utf8'),
)
const HEADER_BYTES = 61
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

describe.each(Object.keys(batches))('records compressed with %s', (name) => {
  const bytes = Buffer.from(batches[name] ?? '', 'base64')
  const body = bytes.subarray(HEADER_BYTES)
  const codec = CODECS.indexOf(name)

  it('are read as they were written', () => {
    const [batch] = decodeRecordBatches(bytes, decompress)
    const wanted = compressedValues()
    expect(batch?.records.map(({ value }) => value?.length)).toEqual(wanted.map(({ length }) => length))
    expect(batch?.records.every(({ value }, n) => value?.equals(wanted[n] ?? Buffer.of()))).toBe(true)
  })

  it('and damaged are an error that names the codec, never wrong memory', () => {
    for (let cut = 0; cut < body.length - 1; cut += 97) {
      expect(() => decompress(codec, body.subarray(0, cut)), `cut to ${cut}`).toThrow(`compressed with ${name}`)
    }
    for (let at = 0; at < body.length; at += 31) {
      const damaged = Buffer.from(body)
      damaged[at] = (damaged[at] ?? 0) ^ 0xff
      try {
        decompress(codec, damaged)
      } catch (error) {
        expect(error).toMatchObject({ name: 'KafkaError', code: 'REFUSED' })
      }
    }
  })
})

describe('snappy without the frames of Java', () => {
  it.each([
    ['a literal', [5, 4 << 2, ...Buffer.from('hello')], 'hello'],
    ['a literal whose length takes a byte', [70, 60 << 2, 69, ...Buffer.alloc(70, 'y')], 'y'.repeat(70)],
    ['a copy of one byte of distance that overlaps what it makes', [9, 0, 97, (4 << 2) | 1, 1], 'a'.repeat(9)],
    ['a copy of two bytes of distance', [6, 2 << 2, 97, 98, 99, (2 << 2) | 2, 3, 0], 'abcabc'],
    ['a copy of four bytes of distance', [6, 2 << 2, 97, 98, 99, (2 << 2) | 3, 3, 0, 0, 0], 'abcabc'],
  ])('%s', (_what, bytes, text) => {
    expect(String(decompress(2, Buffer.from(bytes)))).toBe(text)
  })

  it('that claims gigabytes is refused before any memory is taken', () => {
    expect(() => decompress(2, Buffer.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0))).toThrow('longer than it can be')
  })
})

it('a codec that Kafka does not define is refused by its number', () => {
  expect(() => decompress(5, Buffer.of(1))).toThrow('codec 5')
})

it('a Node without zstd says which one has it', () => {
  const { zstdDecompressSync } = zlib
  Object.assign(zlib, { zstdDecompressSync: undefined })
  try {
    expect(() => decompress(4, Buffer.of(1))).toThrow('Use Node 22.15 or later')
  } finally {
    Object.assign(zlib, { zstdDecompressSync })
  }
})
