/*
 * What JSON would silently lose or change is refused instead: an event is for ever.
 */

/** Nested deeper than this counts as a cycle. */
export const MAX_JSON_DEPTH = 500

export interface JsonFlaw {
  /** Like `.items[2].price`; empty: the value itself. */
  readonly path: string
  readonly what: string
}

/** The first thing in `value` that JSON cannot carry, or nothing. A property that is `undefined` counts as absent, as in JSON. */
export function findJsonFlaw(value: unknown, depth = 0): JsonFlaw | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value) ? undefined : flaw(`${value}`)
    case 'object':
      return value === null ? undefined : findInObject(value, depth)
    case 'bigint':
      return flaw('a BigInt')
    default:
      return flaw(typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`)
  }
}

function findInObject(value: object, depth: number): JsonFlaw | undefined {
  if (depth > MAX_JSON_DEPTH) return flaw(`a cycle, or nested deeper than ${MAX_JSON_DEPTH} levels`)
  if (Array.isArray(value)) return findInArray(value, depth)
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    const foreign = findInForeign(value, depth)
    if (foreign !== 'plain') return foreign
  }
  return findInProperties(value, depth)
}

function findInProperties(value: object, depth: number): JsonFlaw | undefined {
  for (const name of Object.keys(value)) {
    const property = (value as Record<string, unknown>)[name]
    if (property === undefined) continue
    const found = findJsonFlaw(property, depth + 1)
    if (found !== undefined) return under(/^[\w$]+$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`, found)
  }
  return undefined
}

function findInArray(value: readonly unknown[], depth: number): JsonFlaw | undefined {
  for (let index = 0; index < value.length; index++) {
    const found = findJsonFlaw(value[index], depth + 1)
    if (found !== undefined) return under(`[${index}]`, found)
  }
  return undefined
}

/** Objects of a class: those that say how they look in JSON are fine, those JSON would empty are not. */
function findInForeign(value: object, depth: number): JsonFlaw | undefined | 'plain' {
  if (value instanceof Date && Number.isNaN(value.getTime())) return flaw('an invalid Date')
  if ('toJSON' in value && typeof value.toJSON === 'function') return findJsonFlaw(value.toJSON(), depth + 1)
  const name = Object.prototype.toString.call(value).slice(8, -1)
  return name === 'Object' ? 'plain' : flaw(`a ${name}`)
}

function flaw(what: string): JsonFlaw {
  return { path: '', what }
}

function under(segment: string, found: JsonFlaw): JsonFlaw {
  // The path of a cycle repeats itself: its beginning says enough.
  const path = segment + found.path
  return { path: path.length > 200 ? `${path.slice(0, 200)}…` : path, what: found.what }
}
