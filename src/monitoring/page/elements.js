/*
 * Elements, made and kept. Text goes in as text nodes only: agents wrote most of it, and none of it is ever markup.
 */

/**
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/** Writes only what has changed, so that selections and tooltips stay. @param {Element} target @param {string} text */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text
}

/** @param {Element} target @param {string} name @param {string} value */
export function setAttribute(target, name, value) {
  if (target.getAttribute(name) !== value) target.setAttribute(name, value)
}

/** The child of a class that its template has. @param {Element} parent @param {string} selector */
export function part(parent, selector) {
  const found = parent.querySelector(selector)
  if (!(found instanceof HTMLElement)) throw new Error(`The page has no ${selector}`)
  return found
}

/**
 * Makes the children of `parent` those of `items`, in their order; the element of an item that stays stays.
 *
 * @template T
 * @param {Element} parent
 * @param {readonly T[]} items
 * @param {{ key: (item: T) => string, make: (item: T) => HTMLElement, update: (element: HTMLElement, item: T) => void }} how
 */
export function keyed(parent, items, { key, make, update }) {
  const known = new Map([...parent.children].map((child) => [child.getAttribute('data-key'), child]))
  items.forEach((item, index) => {
    const name = key(item)
    const kept = known.get(name)
    const child = kept instanceof HTMLElement ? kept : make(item)
    known.delete(name)
    child.setAttribute('data-key', name)
    update(child, item)
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null)
  })
  for (const left of known.values()) left.remove()
}
