import type { TestEvent } from "node:test/reporters";

/** A reporter that names every file in which something failed, a line each. */
export default async function* failedFiles(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const named = new Set<string>();
  for await (const event of events) {
    if (event.type !== "test:fail") continue;
    const { file } = event.data;
    if (file === undefined || named.has(file)) continue;
    named.add(file);
    yield `${file}\n`;
  }
}
