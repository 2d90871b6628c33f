import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** The broker's libraries and Java's own tools, through Maven; and the folder where such things are kept between runs. */

const KAFKA_VERSION = '4.1.1'
const LOG4J_VERSION = '2.24.3'
const run = promisify(execFile)

export async function javaAnswers(): Promise<boolean> {
  return run('java', ['-version']).then(
    () => true,
    () => false,
  )
}

/** Where the broker's libraries are: fetched once through Maven, kept in the user's cache folder. */
export async function brokerLibraries(): Promise<string> {
  const libraries = join(cacheFolder(), `kafka-${KAFKA_VERSION}`)
  if (existsSync(libraries)) return libraries
  await mkdir(cacheFolder(), { recursive: true })
  const work = await mkdtemp(join(cacheFolder(), 'fetch-'))
  try {
    await writeFile(join(work, 'pom.xml'), pom())
    await run('mvn', ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${join(work, 'libs')}`], {
      cwd: work,
    })
    await rename(join(work, 'libs'), libraries).catch((error: unknown) => {
      if (!existsSync(libraries)) throw error // else another process was faster
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return libraries
}

/** Outside the repository, shared by all its checkouts. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'duolog')
}

function pom(): string {
  const artefacts = [
    `org.apache.kafka:kafka_2.13:${KAFKA_VERSION}`,
    `org.apache.kafka:kafka-tools:${KAFKA_VERSION}`,
    `org.apache.logging.log4j:log4j-core:${LOG4J_VERSION}`,
    `org.apache.logging.log4j:log4j-slf4j-impl:${LOG4J_VERSION}`,
  ]
  const dependencies = artefacts.map((artefact) => {
    const [group, name, version] = artefact.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`
  })
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>duolog</groupId><artifactId>test-broker</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join('\n')}</dependencies></project>`
}
