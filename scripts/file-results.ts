import type { TestEvent } from "node:test/reporters";

/** What is told of a file, a line of JSON each: that something in it failed, or how long the whole of it took. */
export type FileResult =
  | { readonly file: string; readonly failed: true }
  | { readonly file: string; readonly seconds: number };

function resultOf(event: TestEvent): FileResult | undefined {
  const { file } = event.data as { readonly file?: string };
  if (file === undefined) return undefined;
  if (event.type === "test:fail") return { file, failed: true };
  return event.type === "test:summary" ? { file, seconds: event.data.duration_ms / 1000 } : undefined;
}

/** A reporter for the script that runs all tests. */
export default async function* fileResults(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    const result = resultOf(event);
    if (result !== undefined) yield `${JSON.stringify(result)}\n`;
  }
}
