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
    put: async (sha256, bytes) => {
      blobs.set(sha256, bytes)
      return 'memory'
    },
    get: async ({ sha256 }) => blobs.get(sha256),
  }
}
