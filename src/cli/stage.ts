import type { Logger } from '../core/logger.ts'
import { LiveTree } from './render/live-tree.ts'
import type { SessionWatch } from './session-watch.ts'
import { stderrLogger } from './stderr-logger.ts'

/** What a person sees on stderr while a session runs: the tree or lines, warnings, and what running calls say. */
export class Stage {
  readonly screen = new LiveTree()
  readonly logger: Logger = stderrLogger((line) => this.screen.print(line))
  /** Set once there is a session to watch; the coordinator is there before it. */
  watch: SessionWatch | undefined
  readonly onProgress = ({ callId, message }: { callId: string; message: string }) =>
    this.watch?.progress(callId, message)
}
