/*
 * A stand-in for the Messages API on loopback: answers what a test says, keeps what it was asked.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What one request is answered with. */
export type MessagesReply =
  | {
      readonly text?: string
      readonly tool?: { readonly name: string; readonly input: object }
      readonly usage?: { readonly input_tokens: number; readonly output_tokens: number }
    }
  | { readonly status: number; readonly type: string; readonly message: string; readonly headers?: object }
  /** No answer: the connection stays open. */
  | 'silence'

export interface MessagesRequest {
  readonly model: string
  readonly stream?: boolean
  readonly system?: unknown
  readonly tools?: readonly { readonly name: string }[]
  readonly messages: readonly { readonly role: string; readonly content: unknown }[]
}

export interface MessagesApi {
  readonly url: string
  readonly requests: readonly MessagesRequest[]
  close(): Promise<void>
}

/** `reply` sees the request and how many were asked before it. */
export async function startMessagesApi(
  reply: (request: MessagesRequest, index: number) => MessagesReply,
): Promise<MessagesApi> {
  const requests: MessagesRequest[] = []
  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(incoming)
    if (!incoming.url?.startsWith('/v1/messages') || incoming.url.includes('count_tokens')) {
      refuse(response, { status: 404, type: 'not_found_error', message: 'not here' })
      return
    }
    const request = JSON.parse(body) as MessagesRequest
    requests.push(request)
    answer(response, request, reply(request, requests.length - 1))
  }
  const server = createServer((incoming, response) => {
    serve(incoming, response).catch((error: unknown) => response.destroy(error as Error))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

function answer(response: ServerResponse, request: MessagesRequest, reply: MessagesReply): void {
  if (reply === 'silence') return
  if ('status' in reply) refuse(response, reply)
  else speak(response, request, reply)
}

type Spoken = Exclude<MessagesReply, string | { status: number }>
type Refused = Extract<MessagesReply, { status: number }>

function refuse(response: ServerResponse, { status, type, message, headers }: Refused): void {
  sendJson(response, status, { type: 'error', error: { type, message } }, headers)
}

function speak(response: ServerResponse, request: MessagesRequest, reply: Spoken): void {
  const blocks = blocksOf(reply)
  const usage = { cache_creation_input_tokens: 0, cache_read_input_tokens: 0, ...usageOf(reply) }
  const message = {
    id: `msg_${Math.random().toString(36).slice(2)}`,
    type: 'message',
    role: 'assistant',
    model: request.model,
    stop_sequence: null,
    stop_reason: reply.tool ? 'tool_use' : 'end_turn',
    usage,
  }
  if (request.stream) stream(response, message, blocks)
  else sendJson(response, 200, { ...message, content: blocks })
}

type Block = { type: 'text'; text: string } | { type: 'tool_use'; id: string; name: string; input: object }

function blocksOf({ text, tool }: Spoken): Block[] {
  return [
    ...(text === undefined ? [] : [{ type: 'text' as const, text }]),
    ...(tool === undefined
      ? []
      : [{ type: 'tool_use' as const, id: `toolu_${Math.random().toString(36).slice(2)}`, ...tool }]),
  ]
}

function usageOf({ usage }: Spoken) {
  return usage ?? { input_tokens: 100, output_tokens: 20 }
}

function sendJson(response: ServerResponse, status: number, body: object, headers: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

function stream(
  response: ServerResponse,
  message: { usage: { output_tokens: number }; stop_reason: string; stop_sequence: null },
  blocks: readonly Block[],
): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (event: { type: string }) => response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  const { stop_reason, stop_sequence, usage } = message
  const start = { ...message, stop_reason: null, content: [], usage: { ...usage, output_tokens: 1 } }
  send({ type: 'message_start', message: start } as { type: string })
  for (const [index, block] of blocks.entries()) {
    const [empty, delta] = partsOf(block)
    send({ type: 'content_block_start', index, content_block: empty } as { type: string })
    send({ type: 'content_block_delta', index, delta } as { type: string })
    send({ type: 'content_block_stop', index } as { type: string })
  }
  send({ type: 'message_delta', delta: { stop_reason, stop_sequence }, usage } as { type: string })
  send({ type: 'message_stop' })
  response.end()
}

function partsOf(block: Block): [object, object] {
  if (block.type === 'text')
    return [
      { type: 'text', text: '' },
      { type: 'text_delta', text: block.text },
    ]
  return [
    { ...block, input: {} },
    { type: 'input_json_delta', partial_json: JSON.stringify(block.input) },
  ]
}
