import { expect } from 'vitest'
import { type ChaosLog, type Judged, type Report, runCampaign } from './campaign.ts'
import type { Scenario } from './scenario.ts'

/* What the tests of this folder share. */

/** Nothing lost, nothing repeated, everything completed; what was found is in the failure's message. */
export function expectUnharmed(report: Report): void {
  const { failures, lost, repeatedSilently, unrecorded, notCompleted } = report
  expect(failures).toEqual([])
  expect({ lost, repeatedSilently, unrecorded, notCompleted }).toEqual({
    lost: 0,
    repeatedSilently: 0,
    unrecorded: 0,
    notCompleted: 0,
  })
}

export async function campaign(log: ChaosLog, seed: string, scenarios: readonly Scenario[]) {
  const { report, runs } = await runCampaign({
    log,
    seed,
    scenarios,
    parallel: 2,
    keep: false,
    onProgress: () => {},
  })
  expectUnharmed(report)
  return { report, runs }
}

/**
 * Runs scenarios that each die at one point, until each has died there: how often a point is reached may vary from run
 * to run (appends share commits), so the last reaching is looked for from above.
 */
export async function dieAtEach(log: ChaosLog, seed: string, scenarios: readonly Scenario[]): Promise<void> {
  let open = scenarios
  for (let round = 1; open.length > 0; round++) {
    const { runs } = await campaign(log, `${seed}-${round}`, open)
    open = runs.filter(({ kills }) => kills.length === 0).map(({ scenario }) => onceEarlier(scenario))
  }
}

function onceEarlier(scenario: Judged['scenario']): Scenario {
  const deaths = scenario.deaths.map((death) => {
    if (death.kind !== 'point' || death.nth === 1) throw new Error(`Never reached: ${JSON.stringify(death)}`)
    return { ...death, nth: death.nth - 1 }
  })
  return { ...scenario, deaths }
}
