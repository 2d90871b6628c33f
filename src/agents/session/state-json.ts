import type { SnapshotOptions } from '../../store/snapshot-store.ts'
import { VERSION } from '../version.ts'
import type { SessionState } from './state.ts'
import { StateMap } from './state-map.ts'

/*
 * A session's state as JSON, for snapshots. A long session has thousands of calls and work items that look alike: the
 * names of an object's fields are written once, as its shape, and everything that is no primitive is a list that begins
 * with a number: the shape of an object whose values follow, or one of the kinds below.
 */

const LIST = -1
const MAP = -2
const STATE_MAP = -3
const SET = -4

type Shape = readonly string[]

interface Packed {
  readonly shapes: readonly Shape[]
  readonly state: unknown
}

/**
 * How a session is snapshotted. The release stands in the name: what another one folded is not believed. Writing the state of
 * a long session costs about as much as reading 2,000 events, so it is written no oftener.
 */
export const sessionSnapshot: SnapshotOptions<SessionState> = {
  name: `session@${VERSION}`,
  version: 4,
  every: 2_500,
  toJson: (state): Packed => {
    const packer = new Packer()
    return { state: packer.pack(state), shapes: packer.shapes }
  },
  fromJson: (json) => {
    const { shapes, state } = json as Packed
    return unpack(state, shapes) as SessionState
  },
}

/** Names one after the other, down to the shape that has exactly these. */
interface ShapeNode {
  number?: number
  readonly next: Map<string, ShapeNode>
}

class Packer {
  readonly shapes: Shape[] = []
  readonly #root: ShapeNode = { next: new Map() }

  pack(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return this.#list(LIST, value)
    if (value instanceof StateMap) return this.#entries(STATE_MAP, value.chunks.flat())
    if (value instanceof Map) return this.#entries(MAP, value)
    if (value instanceof Set) return this.#list(SET, value)
    return this.#object(value as Readonly<Record<string, unknown>>)
  }

  #list(kind: number, values: Iterable<unknown>): unknown[] {
    const packed: unknown[] = [kind]
    for (const value of values) packed.push(this.pack(value))
    return packed
  }

  #entries(kind: number, entries: Iterable<readonly [unknown, unknown]>): unknown[] {
    const packed: unknown[] = [kind]
    for (const [key, value] of entries) packed.push(key, this.pack(value))
    return packed
  }

  /** What is undefined is left out, as JSON does. */
  #object(object: Readonly<Record<string, unknown>>): unknown[] {
    const packed: unknown[] = [0]
    let node = this.#root
    for (const name of Object.keys(object)) {
      const value = object[name]
      if (value === undefined) continue
      node = nodeAfter(node, name)
      packed.push(this.pack(value))
    }
    packed[0] = node.number ??= this.shapes.push(namesOf(object)) - 1
    return packed
  }
}

function nodeAfter({ next }: ShapeNode, name: string): ShapeNode {
  const known = next.get(name)
  if (known !== undefined) return known
  const node: ShapeNode = { next: new Map() }
  next.set(name, node)
  return node
}

function namesOf(object: Readonly<Record<string, unknown>>): Shape {
  return Object.keys(object).filter((name) => object[name] !== undefined)
}

function unpack(packed: unknown, shapes: readonly Shape[]): unknown {
  if (!Array.isArray(packed)) return packed
  switch (packed[0]) {
    case LIST:
      return listOf(packed, shapes)
    case MAP:
      return mapOf(packed, shapes)
    case STATE_MAP:
      return new StateMap(mapOf(packed, shapes))
    case SET:
      return new Set(listOf(packed, shapes))
    default:
      return objectOf(packed, shapes)
  }
}

function listOf(packed: readonly unknown[], shapes: readonly Shape[]): unknown[] {
  const list: unknown[] = []
  for (let index = 1; index < packed.length; index++) list.push(unpack(packed[index], shapes))
  return list
}

function mapOf(packed: readonly unknown[], shapes: readonly Shape[]): Map<unknown, unknown> {
  const map = new Map<unknown, unknown>()
  for (let index = 1; index < packed.length; index += 2) map.set(packed[index], unpack(packed[index + 1], shapes))
  return map
}

function objectOf(packed: readonly unknown[], shapes: readonly Shape[]): object {
  const shape = shapes[Number(packed[0])]!
  const object: Record<string, unknown> = {}
  for (let index = 0; index < shape.length; index++) {
    const name = shape[index]!
    const value = unpack(packed[index + 1], shapes)
    // An agent's answer may have any name; this one would be taken for something else.
    if (name === '__proto__') Object.defineProperty(object, name, { value, enumerable: true, writable: true })
    else object[name] = value
  }
  return object
}
