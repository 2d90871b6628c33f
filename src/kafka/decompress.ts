import zlib from 'node:zlib'
import { messageOf } from '../core/message-of.ts'
import { KafkaError } from './driver.ts'
import { lz4Frame } from './lz4.ts'
import { snappy } from './snappy.ts'

/*
 * The codecs of record batches. What duolog writes is not compressed; a topic's or a broker's `compression.type`, and
 * whoever else writes to a topic, may want it otherwise.
 */

/** A batch is a few megabytes at most; what claims to be more than this was made to do harm. */
const MAX_BYTES = 512 * 1024 * 1024

const CODECS: readonly (readonly [name: string, decompress: (bytes: Buffer) => Buffer])[] = [
  ['none', (bytes) => bytes],
  ['gzip', (bytes) => zlib.gunzipSync(bytes, { maxOutputLength: MAX_BYTES })],
  ['snappy', snappy],
  ['lz4', lz4Frame],
  ['zstd', zstd],
]

/** @throws KafkaError REFUSED naming the codec, where the bytes are damaged or this Node cannot read them. */
export function decompress(codec: number, bytes: Buffer): Buffer {
  const [name, of] = CODECS[codec] ?? [`codec ${codec}`, unknown]
  try {
    return of(bytes)
  } catch (error) {
    const reason = messageOf(error)
    const message = `Records compressed with ${name} cannot be read: ${reason}`
    throw new KafkaError('REFUSED', message, { type: 'UNSUPPORTED_COMPRESSION_TYPE', cause: error })
  }
}

/** Node has it from 22.15 on. */
function zstd(bytes: Buffer): Buffer {
  const { zstdDecompressSync } = zlib as Partial<typeof zlib>
  if (zstdDecompressSync === undefined) {
    throw new Error(
      `Node ${process.versions.node} has no zstd. Use Node 22.15 or later, or let the producer and compression.type use another codec`,
    )
  }
  return zstdDecompressSync(bytes, { maxOutputLength: MAX_BYTES })
}

function unknown(): never {
  throw new Error('it is none that Kafka defines')
}
