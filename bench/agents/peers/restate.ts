import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { type Engine, load, type OpenEngine } from '../engine.ts'

/*
 * Restate: a session is an invocation, a step a `ctx.run` of it. The place is `INGRESS ADMIN PORT`: where its server
 * listens, and the port this worker serves on.
 */

interface Context {
  run(name: string, work: () => Promise<string>): Promise<string>
}
interface Input {
  readonly id: string
  readonly steps: number
}
interface Restate {
  service(definition: { readonly name: string; readonly handlers: object }): unknown
  endpoint(): { bind(service: unknown): { http2Handler(): Parameters<typeof createServer>[1] } }
}

export const restate: OpenEngine = async ({ packages, place, step }): Promise<Engine> => {
  const [ingress = '', admin = '', port = '0'] = place.split(' ')
  const library = load<Restate>(packages, '@restatedev/restate-sdk')
  const session = async (ctx: Context, { id, steps }: Input) => {
    for (let number = 0; number < steps; number++) await ctx.run(`step-${number}`, async () => step(id, number))
    return steps
  }
  const service = library.service({ name: 'bench', handlers: { session } })
  const server = createServer({}, library.endpoint().bind(service).http2Handler())
  await new Promise<void>((resolve) => server.listen(Number(port), '127.0.0.1', resolve))
  const { port: own } = server.address() as AddressInfo
  await post(`${admin}/deployments`, { uri: `http://127.0.0.1:${own}`, force: true })
  return {
    run: (id, steps) => post(`${ingress}/bench/session`, { id, steps }, { 'idempotency-key': id }),
    async close() {
      server.close()
    },
  }
}

async function post(url: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`)
}
