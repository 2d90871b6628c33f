/*
 * The same work for everybody: an event of about 180 bytes of JSON.
 */

export const EVENT_TYPE = 'OrderPlaced'

export const eventData = {
  orderId: 'order-12345',
  customer: 'customer-99',
  amount: 42.5,
  lines: [
    { sku: 'abc', qty: 2 },
    { sku: 'def', qty: 1 },
  ],
  note: 'a note of some length to be near two hundred bytes',
}

/** Somebody who stores events. */
export interface Contender {
  readonly name: string
  /** Appends `count` events to the stream as one durable whole. */
  append(stream: string, count: number): Promise<void>
  /** Reads the whole stream, each event's data parsed; returns how many. */
  read(stream: string): Promise<number>
  close(): Promise<void>
}
