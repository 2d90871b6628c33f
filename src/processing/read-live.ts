import type { ViewBuild } from './view-store.ts'

/**
 * Reads what is live. A build that loses its place is emptied at once: what was found in it while another took that
 * place is looked for in the other one.
 */
export async function readLive<T>(live: () => Promise<ViewBuild>, read: (build: ViewBuild) => Promise<T>): Promise<T> {
  let build = await live()
  for (;;) {
    const found = await read(build)
    const { generation } = build
    build = await live()
    if (build.generation === generation) return found
  }
}
