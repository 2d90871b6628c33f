import type { EventStore } from '../../src/store/event-store.ts'

/** The store with some of its methods replaced. */
export function withMethods(store: EventStore, replaced: Partial<EventStore>): EventStore {
  return new Proxy(store, {
    get(target, name) {
      if (name in replaced) return Reflect.get(replaced, name)
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
