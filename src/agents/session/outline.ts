import type { SessionState, WorkItemState } from './state.ts'
import type { StateMapChunk } from './state-map.ts'

/*
 * P1: pure. What a session's work items come to, kept per chunk of the map that holds them: a step looks at the few chunks
 * that changed, so that the 5,000th costs what the tenth did.
 */

/** Of some work items. */
interface Outline {
  /** Between assignment and verdict. */
  readonly active: readonly WorkItemState[]
  /** Not assigned yet, by priority (1 first), then as planned. */
  readonly planned: readonly WorkItemState[]
  /** Failed or blocked. */
  readonly fallen: number
}

const outlines = new WeakMap<StateMapChunk<string, WorkItemState>, Outline>()

export function outlinesOf({ workItems }: SessionState): Outline[] {
  return workItems.chunks.map(outlineOf)
}

function outlineOf(chunk: StateMapChunk<string, WorkItemState>): Outline {
  const known = outlines.get(chunk)
  if (known !== undefined) return known
  const outline = outlined(chunk)
  outlines.set(chunk, outline)
  return outline
}

function outlined(chunk: StateMapChunk<string, WorkItemState>): Outline {
  const active: WorkItemState[] = []
  const planned: WorkItemState[] = []
  let fallen = 0
  for (const [, item] of chunk) {
    if (item.status === 'planned') planned.push(item)
    else if (!isSettled(item)) active.push(item)
    else if (item.status !== 'accepted') fallen++
  }
  return { active, planned: planned.sort((a, b) => a.priority - b.priority), fallen }
}

export function isSettled(item: WorkItemState): boolean {
  return item.status === 'accepted' || item.status === 'failed' || item.status === 'blocked'
}

/** The first `count` planned items that may begin and whose dependencies are all accepted: by priority, then as planned. */
export function firstReady(
  { workItems }: SessionState,
  all: readonly Outline[],
  { count, mayBegin = () => true }: { readonly count: number; readonly mayBegin?: (item: WorkItemState) => boolean },
): WorkItemState[] {
  const isReady = (item: WorkItemState) =>
    item.dependencies.every((id) => workItems.get(id)?.status === 'accepted') && mayBegin(item)
  const found: WorkItemState[] = []
  for (const { planned } of all) {
    for (const item of planned) {
      const worst = found.length < count ? undefined : found.at(-1)
      // Of equals the one planned first goes first, and chunks are in that order.
      if (worst !== undefined && worst.priority <= item.priority) break
      if (isReady(item)) insert(found, item, count)
    }
  }
  return found
}

function insert(found: WorkItemState[], item: WorkItemState, count: number): void {
  const after = found.findIndex(({ priority }) => priority > item.priority)
  found.splice(after === -1 ? found.length : after, 0, item)
  found.length = Math.min(found.length, count)
}
