/**
 * What comes before the first "-" of a stream's name: `order` of `order-17`. A name without one is a category of its own.
 */
export function categoryOf(stream: string): string {
  const end = stream.indexOf('-')
  return end === -1 ? stream : stream.slice(0, end)
}
