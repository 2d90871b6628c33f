/** Node 22 warns that its SQLite is experimental, which a user of the program can do nothing about; that one only. */
export function hideSqliteWarning(): void {
  const emitWarning = process.emitWarning
  process.emitWarning = ((warning: string | Error, ...rest: never[]) => {
    if (!String(warning).includes('SQLite is an experimental feature')) emitWarning.call(process, warning, ...rest)
  }) as typeof process.emitWarning
}
