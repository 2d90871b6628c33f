import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { FoundEvent } from './check.ts'

/*
 * The independent reader: Kafka's own console consumer in Java, read_committed, from the beginning. None of our code,
 * not our client library either.
 */

export interface JavaRecord {
  readonly partition: number
  readonly offset: number
  readonly headers: ReadonlyMap<string, string>
  readonly key: string
  readonly value: string
}

export interface JavaReading {
  readonly address: string
  readonly classPath: string
  readonly topic: string
  /** It ends when nothing has come for so long. */
  readonly quietMs: number
}

export async function readWithJava({
  address,
  classPath,
  topic,
  quietMs,
}: JavaReading): Promise<readonly JavaRecord[]> {
  const shown = ['print.partition', 'print.offset', 'print.headers', 'print.key'].map((name) => `${name}=true`)
  const properties = [...shown, 'headers.separator=|'].flatMap((property) => ['--property', property])
  const java = ['-Xmx512m', '-Dorg.apache.logging.log4j.level=OFF', '-cp', classPath]
  const consumer = ['org.apache.kafka.tools.consumer.ConsoleConsumer', '--bootstrap-server', address]
  const reading = ['--topic', topic, '--from-beginning', '--isolation-level', 'read_committed']
  const ending = ['--timeout-ms', String(quietMs)]
  const child = spawn('java', [...java, ...consumer, ...reading, ...ending, ...properties])
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4000)
  })
  const records: JavaRecord[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => records.push(parseLine(line)))
  await Promise.all([once(child, 'close'), once(lines, 'close')])
  const processed = /Processed a total of (\d+) messages/.exec(said)
  if (Number(processed?.[1]) !== records.length)
    throw new Error(`Java read ${records.length} records, and says: ${said}`)
  return records
}

/** `Partition:3 ⇥ Offset:17 ⇥ name:value|name:value ⇥ key ⇥ value` */
export function parseLine(line: string): JavaRecord {
  const [partition = '', offset = '', headers = '', key = '', ...value] = line.split('\t')
  if (!partition.startsWith('Partition:') || !offset.startsWith('Offset:')) throw new Error(`Not a record: ${line}`)
  const pairs = headers.split('|').map((header): [string, string] => {
    const colon = header.indexOf(':')
    return [header.slice(0, colon), header.slice(colon + 1)]
  })
  return {
    partition: Number(partition.slice('Partition:'.length)),
    offset: Number(offset.slice('Offset:'.length)),
    headers: new Map(pairs),
    key,
    value: value.join('\t'),
  }
}

export function foundEvent({ partition, offset, headers, key: stream, value }: JavaRecord): FoundEvent {
  const version = headers.get('ce_sequence') ?? ''
  if (!/^\d{16}$/.test(version)) throw new Error(`An event without a sequence: ${partition}/${offset}`)
  const { key, index } = JSON.parse(value)
  return { stream, version: Number(version), key, index, partition, offset }
}
