/*
 * What is measured beside us. Installed from npm when the bench runs, into a folder outside the repository: nothing of a
 * peer is a dependency, and nothing of it is kept.
 */

export type PeerName = 'langgraph' | 'dbos' | 'restate'

/** The saver asks for 12, which is compiled at its installation; 13 brings its binary and is the same SQLite binding. */
export const overrides = { 'better-sqlite3': '13.2.0' }

export const packages: Readonly<Record<PeerName, Readonly<Record<string, string>>>> = {
  langgraph: {
    '@langchain/langgraph': '1.7.3',
    '@langchain/langgraph-checkpoint-sqlite': '1.0.4',
    '@langchain/core': '1.4.0',
  },
  dbos: { '@dbos-inc/dbos-sdk': '5.3.0' },
  restate: { '@restatedev/restate-server': '1.7.12', '@restatedev/restate-sdk': '1.17.2' },
}

/** Each form of a peer is a row of its own. */
export const forms: Readonly<Record<PeerName, readonly string[]>> = {
  langgraph: ['langgraph-tasks', 'langgraph-full', 'langgraph-graph', 'langgraph-small'],
  dbos: ['dbos'],
  restate: ['restate'],
}
