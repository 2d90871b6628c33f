/** What a pure function is given: whoever changes it fails. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const property of Object.values(value)) deepFreeze(property)
  return value
}
