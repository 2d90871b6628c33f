import type { Door } from '../support/broker-cluster.ts'

/** The network between one writer and the brokers, to be broken and healed. */
export interface FaultyNetwork {
  /** Open connections end, new ones are not accepted. */
  cut(): Promise<void>
  /** Every piece of data arrives so much later. */
  delay(ms: number): Promise<void>
  /** Connections stay open, and nothing arrives any more, in both directions; healing ends them. */
  fallSilent(): Promise<void>
  /** Open connections are reset. */
  reset(): Promise<void>
  heal(): Promise<void>
  close(): Promise<void>
}

export type OpenNetwork = (doors: readonly Door[]) => Promise<FaultyNetwork>
