import { SmallProxy } from '../support/small-proxy.ts'
import type { OpenNetwork } from './network.ts'

/** The faults of the network through our own proxy, in this process. */
export const openSmallNetwork: OpenNetwork = async (doors) => {
  const proxies = await Promise.all(doors.map(({ proxyPort, brokerPort }) => SmallProxy.listen(proxyPort, brokerPort)))
  const each = (act: (proxy: SmallProxy) => void) => async () => proxies.forEach(act)
  return {
    cut: each((proxy) => proxy.cut()),
    delay: async (ms) => proxies.forEach((proxy) => void proxy.delay(ms)),
    fallSilent: each((proxy) => proxy.fallSilent()),
    reset: each((proxy) => proxy.reset()),
    heal: each((proxy) => proxy.heal()),
    close: async () => void (await Promise.all(proxies.map((proxy) => proxy.close()))),
  }
}
