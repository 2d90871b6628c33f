import type { SessionEvent, SessionEventData } from './schemas.ts'

/** A plan, and each of its work items. */
export function planEvents(
  callId: string,
  strategy: string,
  items: readonly SessionEventData['WorkItemCreated'][],
): SessionEvent[] {
  const workItemIds = items.map((item) => item.workItemId)
  return [
    { type: 'PlanProposed', data: { callId, strategy, workItemIds } },
    ...items.map((data): SessionEvent => ({ type: 'WorkItemCreated', data })),
  ]
}
