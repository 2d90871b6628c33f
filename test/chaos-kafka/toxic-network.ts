import { startToxiproxy, type Toxiproxy } from '../support/toxiproxy.ts'
import type { FaultyNetwork, OpenNetwork } from './network.ts'

/** The faults of the network through toxiproxy: one proxy before each broker. */
export const openToxicNetwork: OpenNetwork = async (doors) => {
  const toxiproxy = await startToxiproxy()
  const names = doors.map((_, index) => `broker-${index + 1}`)
  await Promise.all(
    doors.map(({ proxyPort, brokerPort }, index) =>
      toxiproxy.post('/proxies', {
        name: names[index],
        listen: `127.0.0.1:${proxyPort}`,
        upstream: `127.0.0.1:${brokerPort}`,
        enabled: true,
      }),
    ),
  )
  return networkOf(toxiproxy, names)
}

function networkOf(toxiproxy: Toxiproxy, names: readonly string[]): FaultyNetwork {
  const each = async (act: (name: string) => Promise<void>) => void (await Promise.all(names.map(act)))
  const enable = (enabled: boolean) => each((name) => toxiproxy.post(`/proxies/${name}`, { enabled }))
  const poison = (type: string, attributes: object) =>
    each(async (name) => {
      for (const stream of ['upstream', 'downstream']) {
        await toxiproxy.post(`/proxies/${name}/toxics`, { type, stream, name: `${type}-${stream}`, attributes })
      }
    })
  let silent = false
  return {
    cut: () => enable(false),
    delay: (ms) => poison('latency', { latency: Math.ceil(ms / 2), jitter: Math.ceil(ms / 10) }),
    fallSilent: () => {
      silent = true
      return poison('timeout', { timeout: 0 })
    },
    reset: async () => {
      await poison('reset_peer', { timeout: 0 })
      await toxiproxy.post('/reset')
    },
    heal: async () => {
      // What was silent has lost data in between: such connections end, none goes on with a hole in it.
      if (silent) await enable(false)
      silent = false
      await toxiproxy.post('/reset')
    },
    close: () => toxiproxy.stop(),
  }
}
