import type { HostPicture } from './host-picture.ts'
import type { HandoffMetrics, HandoffValidation } from './host-types.ts'

interface Counts {
  readonly handoffs: number
  readonly reviews: number
  readonly messages: number
  readonly minutes: number
  readonly lastHandoffAt: Date | undefined
}

/** What all sessions of one coordinator came to; one that is gone on with counts once. */
export class HandoffTally {
  readonly #sessions = new Map<string, Counts>()

  see(picture: HostPicture): void {
    const { sessionId, handoffs, history, scores, startedAt, lastEventAt, lastHandoffAt } = picture
    if (startedAt === undefined || lastEventAt === undefined) return
    const minutes = (lastEventAt.getTime() - startedAt.getTime()) / 60_000
    const counted = { handoffs, reviews: scores.size, messages: history.length }
    this.#sessions.set(sessionId, { ...counted, minutes, lastHandoffAt })
  }

  metrics(): HandoffMetrics {
    const totalHandoffs = this.#sum('handoffs')
    const minutes = this.#sum('minutes')
    const last = [...this.#sessions.values()].flatMap(({ lastHandoffAt }) => lastHandoffAt ?? []).map(Number)
    return {
      totalHandoffs,
      lastHandoffTime: last.length === 0 ? undefined : new Date(Math.max(...last)),
      handoffRate: minutes > 0 ? Math.round((totalHandoffs / minutes) * 100) / 100 : 0,
    }
  }

  validation(): HandoffValidation {
    const [handoffs, reviews, messages] = [this.#sum('handoffs'), this.#sum('reviews'), this.#sum('messages')]
    const issues = [
      ...(handoffs > 0 ? [] : ['The Manager handed nothing over to the Worker.', 'The Worker executed nothing.']),
      ...(reviews > 0 || handoffs === 0 ? [] : ['The Manager reviewed nothing of what the Worker did.']),
      ...(messages > 0 ? [] : ['The agents told each other nothing.']),
    ]
    return {
      handoffsTriggered: handoffs > 0,
      workerExecutions: handoffs > 0,
      managerReviews: reviews > 0,
      communicationFlow: messages > 0,
      coordinationType: 'SDK_BASED',
      issues,
    }
  }

  #sum(name: 'handoffs' | 'reviews' | 'messages' | 'minutes'): number {
    return [...this.#sessions.values()].reduce((sum, counts) => sum + counts[name], 0)
  }
}
