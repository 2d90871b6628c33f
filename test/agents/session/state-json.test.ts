import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sessionSnapshot } from '../../../src/agents/session/state-json.ts'
import { StateMap } from '../../../src/agents/session/state-map.ts'

const { toJson, fromJson } = sessionSnapshot as {
  toJson(state: unknown): unknown
  fromJson(json: unknown): unknown
}
/** What JSON keeps: there is no -0 in it. */
const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)))
const through = (state: unknown) => fromJson(JSON.parse(JSON.stringify(toJson(state))))

describe('a state as JSON', () => {
  it('comes back as it was, whatever an agent said', () => {
    fc.assert(
      fc.property(json, fc.array(json), (said, more) => {
        const sets = { set: new Set(more), none: new Set() }
        const state = { said, ...sets, map: new Map([['a', said]]), calls: new StateMap(new Map([['b', { said }]])) }
        expect(through(state)).toEqual(state)
      }),
    )
    const proto = JSON.parse('{"__proto__":{"a":1},"b":{"__proto__":null}}')
    expect(JSON.stringify(through(proto))).toBe(JSON.stringify(proto))
  })

  it('leaves out what is undefined, and writes the names of what looks alike once', () => {
    const calls = Array.from({ length: 100 }, (_, n) => ({ callId: `call ${n}`, result: undefined, status: 'done' }))
    const text = JSON.stringify(toJson(calls))
    expect(text.match(/callId|result/g)).toEqual(['callId'])
    expect(through(calls)).toEqual(calls.map(({ callId, status }) => ({ callId, status })))
  })
})
