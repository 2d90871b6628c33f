import { DuologError } from '../core/errors.ts'
import type { AnyEvent, EnvelopeOptions } from '../core/event.ts'
import { type BlobReference, type BlobStore, getBlob, putBlob } from './blobs.ts'
import { findJsonFlaw } from './json-flaw.ts'
import { mayExceed } from './json-size.ts'

/*
 * The claim check of one event: its data goes to the blobs, what is left is a reference (header `dataref`), hash, size
 * and preview.
 *
 * G1 The blob is durable before the event is: an event never points to what was never there.
 * G2 What comes back is what was written: the hash is checked, every time.
 */

/** Of an event whose data lies elsewhere, as whoever reads without a blob store sees it. */
export interface LargeData {
  readonly sha256: string
  /** Bytes of the data as JSON. */
  readonly size: number
  /** How its JSON begins. */
  readonly preview: string
}

const HEADER = 'dataref'
const SCHEME = 'duolog-blob:sha256:'
const PREVIEW_CHARACTERS = 200
const REFERENCE = /^duolog-blob:sha256:([0-9a-f]{64}):(\d{1,16}):([^\s:]*)$/

type Enveloped = AnyEvent & Pick<EnvelopeOptions, 'headers'>

export async function checkIn<T extends Enveloped>(event: T, blobs: BlobStore, limitBytes: number): Promise<T> {
  const bytes = tooLarge(event?.data, limitBytes)
  if (bytes === undefined) return event
  const { sha256: hash, size, location } = await putBlob(blobs, bytes)
  const preview = bytes
    .subarray(0, PREVIEW_CHARACTERS)
    .toString()
    .replace(/\uFFFD+$/, '')
  const data: LargeData = { sha256: hash, size, preview }
  return { ...event, data, headers: { ...event.headers, [HEADER]: `${SCHEME}${hash}:${size}:${location}` } }
}

export function isCheckedIn(event: Enveloped): boolean {
  return event.headers?.[HEADER]?.startsWith(SCHEME) ?? false
}

/** @throws BLOB_MISSING, BLOB_CORRUPT; what the blob store throws. */
export async function checkOut<T extends Enveloped>(event: T, blobs: BlobStore, where: string): Promise<T> {
  const { [HEADER]: text = '', ...headers } = event.headers ?? {}
  const reference = parseReference(text, where)
  const bytes = await getBlob(blobs, reference, { what: `${where}: its data`, otherwise: OTHERWISE })
  return { ...event, headers, data: JSON.parse(Buffer.from(bytes).toString()) }
}

/** The JSON in bytes, if it is beyond the limit. What JSON cannot carry is left to the store to refuse. */
function tooLarge(data: unknown, limitBytes: number): Buffer | undefined {
  if (!mayExceed(data, limitBytes) || findJsonFlaw(data) !== undefined) return undefined
  const bytes = Buffer.from(JSON.stringify(data))
  return bytes.length > limitBytes ? bytes : undefined
}

const OTHERWISE = 'Other events can be read.'

function parseReference(text: string, where: string): BlobReference {
  const [, hash, size, location] = REFERENCE.exec(text) ?? []
  if (hash !== undefined) return { sha256: hash, size: Number(size), location: location ?? '' }
  const flaw = 'its header dataref is no reference'
  throw new DuologError('BLOB_CORRUPT', `${where}: its data cannot be used: ${flaw}. ${OTHERWISE}`)
}
