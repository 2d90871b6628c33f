import { type Engine, type EngineOptions, load, type OpenEngine } from '../engine.ts'

/*
 * LangGraph with its SQLite saver. `tasks`: the functional form, one task a step. `graph`: a graph that keeps every
 * result in its state; `small`: one that keeps only the last.
 */

type Config = { readonly configurable: { readonly thread_id: string }; readonly recursionLimit: number }
interface Runnable {
  invoke(input: unknown, config: Config): Promise<unknown>
  getState(config: Config): Promise<{ readonly next: readonly string[]; readonly values?: unknown }>
}
interface State {
  readonly steps: number
  readonly done: number
  readonly results: readonly string[]
}
interface GraphBuilder {
  addNode(name: string, node: (state: State, config: Config) => Promise<Partial<State>>): GraphBuilder
  addEdge(from: string, to: string): GraphBuilder
  addConditionalEdges(from: string, choose: (state: State) => string): GraphBuilder
  compile(options: { readonly checkpointer: Saver }): Runnable
}
interface LangGraph {
  readonly START: string
  readonly END: string
  readonly StateGraph: new (annotation: unknown) => GraphBuilder
  readonly Annotation: { Root(fields: object): unknown } & (<T>(options?: {
    readonly reducer: (left: T, right: T) => T
    readonly default: () => T
  }) => unknown)
  entrypoint(
    options: { readonly name: string; readonly checkpointer: Saver },
    main: (input: Input) => Promise<number>,
  ): Runnable
  task(name: string, work: (id: string, number: number) => Promise<string>): (id: string, n: number) => Promise<string>
}
interface Input {
  readonly id: string
  readonly steps: number
}
interface Saver {
  readonly db: { pragma(text: string): unknown; close(): void }
  setup(): void
}
interface SaverModule {
  readonly SqliteSaver: { fromConnString(path: string): Saver }
}

type Form = 'tasks' | 'graph' | 'small'

export function langgraph(form: Form, synchronous?: 'FULL'): OpenEngine {
  return async (options) => {
    const { SqliteSaver } = load<SaverModule>(options.packages, '@langchain/langgraph-checkpoint-sqlite')
    const saver = SqliteSaver.fromConnString(options.place)
    saver.setup()
    if (synchronous !== undefined) saver.db.pragma(`synchronous = ${synchronous}`)
    const library = load<LangGraph>(options.packages, '@langchain/langgraph')
    const runnable = form === 'tasks' ? tasks(library, saver, options) : graph(library, saver, options, form)
    return engine(runnable, saver, form)
  }
}

function engine(runnable: Runnable, saver: Saver, form: Form): Engine {
  return {
    async run(id, steps) {
      const config = { configurable: { thread_id: id }, recursionLimit: steps + 25 }
      const { next } = await runnable.getState(config)
      const input = form === 'tasks' ? { id, steps } : { steps, done: 0 }
      await runnable.invoke(next.length > 0 ? null : input, config)
    },
    async close() {
      saver.db.close()
    },
  }
}

function tasks({ entrypoint, task }: LangGraph, checkpointer: Saver, { step }: EngineOptions): Runnable {
  const one = task('step', async (id, number) => step(id, number))
  return entrypoint({ name: 'session', checkpointer }, async ({ id, steps }) => {
    for (let number = 0; number < steps; number++) await one(id, number)
    return steps
  })
}

function graph(library: LangGraph, checkpointer: Saver, { step }: EngineOptions, form: Form): Runnable {
  const { Annotation, StateGraph, START, END } = library
  const all = { reducer: (left: string[], right: string[]) => [...left, ...right], default: () => [] }
  const last = { reducer: (_: string[], right: string[]) => right, default: () => [] }
  const fields = {
    steps: Annotation<number>(),
    done: Annotation<number>(),
    results: Annotation(form === 'graph' ? all : last),
  }
  return new StateGraph(Annotation.Root(fields))
    .addNode('step', async ({ done }, { configurable }) => ({
      done: done + 1,
      results: [await step(configurable.thread_id, done)],
    }))
    .addEdge(START, 'step')
    .addConditionalEdges('step', ({ steps, done }) => (done < steps ? 'step' : END))
    .compile({ checkpointer })
}
