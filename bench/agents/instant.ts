/*
 * Agents that answer at once, with results of 300 bytes: what is left is the cost of recording.
 */

export const RESULT_BYTES = 300

export const result = 'x'.repeat(RESULT_BYTES)
const review = { approved: true, qualityScore: 0.9, feedback: [], recommendations: [] }
const verdict = JSON.stringify({ ...review, feedback: ['x'.repeat(RESULT_BYTES - JSON.stringify(review).length)] })

/** What the agents say: a plan of so many items, a result, a verdict. */
export function answersOf(workItems: number) {
  const plan = JSON.stringify({ strategy: 'one after the other', workItems: plannedItems(workItems) })
  return { plan, work: result, review: verdict }
}

export function plannedItems(count: number) {
  return Array.from({ length: count }, (_, n) => ({
    id: `item-${n}`,
    title: `Item ${n}`,
    description: 'Do it',
    acceptanceCriteria: ['It is done'],
  }))
}

/** Work items that a caller brings, so that no plan is asked for. */
export function sentItems(count: number) {
  return plannedItems(count).map(({ id, ...item }) => ({ sessionId: '', workItemId: id, ...item }))
}
