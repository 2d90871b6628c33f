import { resolve } from 'node:path'
import type { SessionEvent } from '../agents/session/schemas.ts'
import type { RecordedEvent } from '../core/event.ts'
import type { CoordinatorExtras } from './coordinator-extras.ts'
import type { HostPicture } from './host-picture.ts'
import type { Told } from './host-scene.ts'
import { MonitoringPosts, monitoringUrl } from './monitoring-posts.ts'
import { SessionFile } from './session-file.ts'
import { SessionFileView } from './session-file-view.ts'

/** Somebody beside the listeners who is shown what happens: a file, a dashboard. What they fail at costs the session nothing. */
export interface Witness {
  see?(picture: HostPicture, event: RecordedEvent<SessionEvent>): void
  hear?(told: Told, picture: HostPicture): void
  /** Never rejects. */
  close(): Promise<void>
}

type Warn = (error: unknown, message: string) => void

export function witnessesOf(sessionId: string, extras: CoordinatorExtras, warn: Warn): Witness[] {
  const { sessionFiles = '.claude-sessions', monitoring } = extras
  return [
    ...(sessionFiles === false ? [] : [fileWitness(sessionId, resolve(sessionFiles), { extras, warn })]),
    ...(monitoring === undefined ? [] : [dashboardWitness(monitoringUrl(monitoring), warn)]),
  ]
}

interface FileUse {
  readonly extras: CoordinatorExtras
  readonly warn: Warn
}

function fileWitness(id: string, folder: string, { extras, warn }: FileUse): Witness {
  const view = new SessionFileView(id, extras.prompts)
  const onFailure = (error: unknown) => warn(error, 'The session file cannot be written; the log has everything')
  const file = new SessionFile({ folder, id, content: () => view.content, onFailure })
  return {
    see({ state }, event) {
      if (view.see(event, state)) file.changed()
    },
    close: () => file.settled(),
  }
}

function dashboardWitness(url: URL, warn: Warn): Witness {
  const onFailure = (error: unknown) => warn(error, `The dashboard at ${url} does not hear; the session goes on`)
  const posts = new MonitoringPosts({ url, onFailure })
  return {
    hear({ name, payload }, { sessionId, state }) {
      if (name === 'coordination_event') posts.send(payload, { sessionId, task: state.task, workDir: state.workDir })
    },
    close: () => posts.close(),
  }
}
