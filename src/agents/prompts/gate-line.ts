/** What a gate said, as a reviewer sees it. */
export interface ReviewedGate {
  readonly gateId: string
  readonly mandatory: boolean
  readonly passed: boolean
  readonly score: number
  readonly label?: string | undefined
  readonly explanation: string
  readonly evidence?: string | undefined
}

/** Of one that failed with its evidence. */
export function gateLine({ gateId, mandatory, passed, label, explanation, evidence }: ReviewedGate): string {
  const verdict = [passed ? 'passed' : 'failed', ...(label === undefined ? [] : [label])].join(', ')
  const line = `${gateId}: ${verdict} (${explanation})${mandatory ? '' : ', advisory'}`
  return passed || evidence === undefined ? line : `${line}\n${evidence}`
}
