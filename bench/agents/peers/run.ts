import { oneOf, progress, type Result } from '../../report.ts'
import { contend, type Plan } from '../contend.ts'
import { resultsOf, skipped } from '../rows.ts'
import { fileSite, serverSite } from '../sites.ts'
import { install } from './install.ts'
import { startPostgres, startRestate } from './servers.ts'
import { forms, type PeerName } from './versions.ts'

/*
 * The same recorded steps by others, in processes of their own. A form of a peer (langgraph-full) may be named instead of
 * the peer. A peer that cannot be had is a row that says why.
 */

interface Asked {
  readonly peer: PeerName
  readonly form: string
}

/** Peers and forms asked for: each form with its peer; all when none is named. @throws UsageError */
export function chosen(named: string): readonly Asked[] {
  const all = (Object.keys(forms) as PeerName[]).flatMap((peer) => forms[peer].map((form) => ({ peer, form })))
  if (named === '') return all
  const known = [...new Set(all.flatMap(({ peer, form }) => [peer, form]))]
  const names = named.split(',').map((name) => oneOf('--peers', name, known))
  return all.filter(({ peer, form }) => names.includes(peer) || names.includes(form))
}

export async function runPeers(asked: readonly Asked[], plan: Plan, root: string): Promise<readonly Result[]> {
  const installed = new Map<PeerName, string>()
  const results: Result[] = []
  for (const each of asked) {
    const rows = peerRows(each, plan, { root, installed }).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error)
      progress(`${each.form} skipped: ${why}`)
      return [skipped(each.form, why)]
    })
    results.push(...(await rows))
  }
  return results
}

async function peerRows(
  { peer, form }: Asked,
  plan: Plan,
  { root, installed }: { readonly root: string; readonly installed: Map<PeerName, string> },
): Promise<Result[]> {
  progress(form)
  const packages = installed.get(peer) ?? install(peer, root)
  installed.set(peer, packages)
  const place = { root, form, packages }
  const open =
    peer === 'langgraph' ? fileSite(place) : serverSite(place, peer === 'dbos' ? startPostgres : startRestate)
  return resultsOf(form, await contend({ plan, open, heavy: form === 'langgraph-graph' }))
}
