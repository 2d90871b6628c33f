import type { LowCluster, LowConnection, RequestQueue } from './kafkajs-internals.ts'

/*
 * Faults of the connections of kafkajs 2.2.4, cured on the prototypes as soon as one connection is at hand.
 *
 * C1 A connection that opens again begins with nothing of the one before it. kafkajs keeps the part of an answer that had
 *    arrived when the connection broke and takes it for the beginning of the next one: no answer is ever understood again.
 * C2 Every request is answered or fails in its time, and a connection that owes an answer is dropped. kafkajs goes on
 *    using it: where no end of it ever arrives (a firewall forgot it), each further request waits in vain.
 * C3 A connection that is closing takes no requests. kafkajs takes them, and then nothing watches over them.
 * C4 A socket that is gone is left alone. kafkajs closes all its connections to a broker whenever one of them fails, and each
 *    time every dead socket gets one more listener, for as long as the broker is away.
 */

/** More than what kafkajs's own watch of its requests may be late. */
const LATE_MS = 1000

export function curedConnections(cluster: LowCluster): LowCluster {
  const { brokerPool } = cluster
  const create = brokerPool.createSeedBroker.bind(brokerPool)
  brokerPool.createSeedBroker = async () => {
    await create()
    const connection = brokerPool.seedBroker?.connectionPool.pool[0]
    if (connection !== undefined) cure(connection)
  }
  return cluster
}

const cured = new WeakSet<object>()

function cure(connection: LowConnection): void {
  const prototype: LowConnection = Object.getPrototypeOf(connection)
  if (cured.has(prototype)) return
  cured.add(prototype)
  quieten(Object.getPrototypeOf(connection.requestQueue))
  connectOnce(prototype)
  takeNothingWhenClosing(prototype)
  dropWhatOwesAnAnswer(prototype)
  leaveDeadSocketsAlone(prototype)
}

/**
 * After every answer kafkajs sets a timer for a queue that is empty, at a negative time: Node 24 prints
 * TimeoutNegativeWarning for it. Cured at its cause: no timer unless something waits.
 */
function quieten(prototype: RequestQueue): void {
  const schedule = prototype.scheduleCheckPendingRequests
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this)
  }
}

/**
 * Requests side by side that find a connection closed each open a socket. All but the last are forgotten: they keep the
 * process alive, and when the broker drops one as idle, kafkajs closes the living connection. One opens, all wait for it.
 */
function connectOnce(prototype: LowConnection): void {
  const connect = prototype.connect
  const underWay = new WeakMap<LowConnection, Promise<boolean>>()
  prototype.connect = function (this: LowConnection) {
    const known = underWay.get(this)
    if (known !== undefined) return known
    if (!this.isConnected()) beginAnew(this) // C1
    const opening = inTime(this, this.connectionTimeout, connect.call(this)).finally(() => underWay.delete(this))
    underWay.set(this, opening)
    return opening
  }
}

function beginAnew(connection: LowConnection): void {
  connection.socket?.destroy() // or its end, or the rest of its answers, would be taken for the new one's
  connection.chunks = []
  connection.bytesBuffered = 0
  connection.bytesNeeded = Int32Array.BYTES_PER_ELEMENT
}

/** C3 */
function takeNothingWhenClosing(prototype: LowConnection): void {
  const fail = prototype.failIfNotConnected
  prototype.failIfNotConnected = function (this: LowConnection) {
    fail.call(this)
    if (this.connectionStatus === 'disconnecting') throw broken(this, 'is closing')
  }
}

/** C2 */
function dropWhatOwesAnAnswer(prototype: LowConnection): void {
  const { send, authenticate } = prototype
  prototype.send = function (this: LowConnection, call) {
    return inTime(this, Math.max(this.requestTimeout, call.requestTimeout ?? 0), send.call(this, call))
  }
  prototype.authenticate = function (this: LowConnection) {
    return inTime(this, this.requestTimeout, authenticate.call(this))
  }
}

/** C4 */
function leaveDeadSocketsAlone(prototype: LowConnection): void {
  const disconnect = prototype.disconnect
  prototype.disconnect = function (this: LowConnection) {
    const { socket } = this
    // It stays: what is still queued would be written to it.
    if (socket?.destroyed) socket.unref = () => socket
    return disconnect.call(this)
  }
}

async function inTime<T>(connection: LowConnection, ms: number, answer: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(drop(connection)), ms + LATE_MS)
  })
  try {
    return await Promise.race([answer, late])
  } catch (error) {
    if (error instanceof Error && error.name === 'KafkaJSRequestTimeoutError') drop(connection)
    throw error
  } finally {
    clearTimeout(timer)
  }
}

function drop(connection: LowConnection): Error {
  const { socket } = connection
  const error = broken(connection, 'gave no answer in time')
  connection.authHandlers?.onError()
  connection.rejectRequests(error)
  connection.disconnect().catch(() => {})
  socket?.destroy()
  return error
}

/** By this name kafkajs knows that who leads is to be asked again. */
function broken({ broker }: LowConnection, what: string): Error {
  return Object.assign(new Error(`The connection to ${broker} ${what}.`), { name: 'KafkaJSConnectionError' })
}
