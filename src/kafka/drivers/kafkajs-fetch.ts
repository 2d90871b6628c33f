import { decodeFetchAnswer } from './fetch-answer.ts'
import type { Call } from './kafkajs-own-requests.ts'

/*
 * The answer to a fetch: kafkajs's decoder copies the headers of a record once for each header, which was nine tenths of
 * the time of reading a log. Its request stays, and its check of the answer's error codes.
 */

export function ownDecoder(call: Call): Call {
  const decode = async (answer: Buffer) => decodeFetchAnswer(answer, call.request.apiVersion)
  return { ...call, response: { ...call.response, decode } }
}
