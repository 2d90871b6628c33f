/**
 * Named places at which a test may end the process, so that "killed here, what then?" is asked of every durable step.
 * In production nobody listens and `reach` does nothing.
 */
type Listener = (point: string) => void

let listener: Listener | undefined

/** Marks a named crash point, e.g. `reach('store.append.committed')`. */
export function reach(point: string): void {
  listener?.(point)
}

/** For tests: hear of every point reached; returns how to stop. */
export function onReach(listen: Listener): () => void {
  listener = listen
  return () => {
    if (listener === listen) listener = undefined
  }
}
