import { DuologError } from '../core/errors.ts'
import { sha256 } from './sha256.ts'

/*
 * Where data lies that is too large for the log. Content-addressed: a blob's name is the hash of its bytes, so the same
 * bytes put twice are one blob, and one that no event points to (its writer was killed before the append) harms nobody.
 */

/** Which bytes, and where their store put them. */
export interface BlobReference {
  /** In lower-case hexadecimal. */
  readonly sha256: string
  /** Bytes. */
  readonly size: number
  /** What `put` answered; without white space or ":". */
  readonly location: string
}

/** Keeps bytes; memory, a directory and a Kafka topic are built in. */
export interface BlobStore {
  /** Resolves with where they are when they are durable. */
  put(sha256: string, bytes: Uint8Array): Promise<string>
  /** Nothing when they are not there. Whoever asks checks the hash. */
  get(reference: BlobReference): Promise<Uint8Array | undefined>
}

export function memoryBlobs(blobs = new Map<string, Uint8Array>()): BlobStore {
  return {
    put: async (hash, bytes) => {
      blobs.set(hash, bytes)
      return 'memory'
    },
    get: async (reference) => blobs.get(reference.sha256),
  }
}

/** Resolves when the bytes are durable. */
export async function putBlob(blobs: BlobStore, bytes: Uint8Array): Promise<BlobReference> {
  const hash = sha256(bytes)
  return { sha256: hash, size: bytes.length, location: await blobs.put(hash, bytes) }
}

export interface BlobWanted {
  /** The beginning of an error's message: whose bytes they are. */
  readonly what: string
  /** Its last sentence: what can be had without them. */
  readonly otherwise: string
}

/**
 * The bytes that were put: the hash is checked, every time.
 * @throws BLOB_MISSING, BLOB_CORRUPT; what the blob store throws.
 */
export async function getBlob(
  blobs: BlobStore | undefined,
  reference: BlobReference,
  { what, otherwise }: BlobWanted,
): Promise<Uint8Array> {
  const bytes = await blobs?.get(reference)
  const { sha256: hash, size } = reference
  if (bytes === undefined) {
    throw new DuologError(
      'BLOB_MISSING',
      `${what} (${size} bytes, sha256 ${hash}) is not among the blobs. Open the log with the blobs it was written with, or bring them back. ${otherwise}`,
    )
  }
  if (sha256(bytes) === hash) return bytes
  throw new DuologError(
    'BLOB_CORRUPT',
    `${what} cannot be used: its bytes are not those of sha256 ${hash}. ${otherwise}`,
  )
}
