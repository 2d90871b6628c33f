import { expect, it } from 'vitest'
import { describeNative } from '../support/kafka.ts'
import { runCampaign } from './campaign.ts'
import { explain } from './report.ts'
import { FAULT_KINDS } from './schedule.ts'
import { openSmallNetwork } from './small-network.ts'

/* The short form of `npm run chaos:kafka`: each kind of fault once, on a broker of its own. No limits of time are held here. */

describeNative('appends under faults, read by Java', () => {
  it('P2 P3 P4 P5 nothing lost, nothing twice, no gap, nothing refused that is there', async () => {
    const seed = process.env.CHAOS_SEED ?? Date.now().toString(36)
    process.stdout.write(`chaos:kafka, short: CHAOS_SEED=${seed}\n`)
    const openNetwork = openSmallNetwork
    const report = await runCampaign({ seed, totalMs: 27_000, brokers: 1, openNetwork, brief: true, streams: 24 })
    expect(report.violations, explain(report)).toEqual([])
    expect(report.counts.acknowledged).toBeGreaterThan(200)
    expect(report.counts.refused).toBeGreaterThan(20)
    expect(report.kills).toBeGreaterThan(8)
    for (const kind of FAULT_KINDS) expect(report.faults[kind]).toBeGreaterThan(0)
  }, 300_000)
})
