import { type Errand, type Turns, WorkerPool } from "@boxship/base";
import { compilePattern, search } from "./search.ts";
import type { SearchTask } from "./search-worker.ts";

const pool = new WorkerPool({ name: "api-search", workers: 1, source: new URL("./search-worker.ts", import.meta.url) });

/** Characters of the text times instructions of the pattern that are done with in some milliseconds, at the worst. */
const AT_ONCE = { matching: 500_000, finding: 50_000 };

class Search implements Errand {
  readonly #task: SearchTask;
  found: readonly string[] | boolean = false;

  constructor(task: SearchTask) {
    this.#task = task;
  }

  now(): void {
    const { pattern, text, most } = this.#task;
    this.found = search(pattern, text, most);
  }

  async away(): Promise<void> {
    this.found = await pool.run<readonly string[] | boolean>(this.#task);
  }
}

function* searchInTurns(pattern: string, text: string, most?: number): Turns<readonly string[] | boolean> {
  const steps = compilePattern(pattern).programSize() * text.length;
  if (steps <= (most === undefined ? AT_ONCE.matching : AT_ONCE.finding)) return search(pattern, text, most);
  const errand = new Search({ pattern, text, most });
  yield errand;
  return errand.found;
}

/** Whether a text has a match; what takes long is done in another thread. @throws for a pattern that is none */
export function* matchInTurns(pattern: string, text: string): Turns<boolean> {
  return (yield* searchInTurns(pattern, text)) === true;
}

/** All matches in a text, or as many as are wanted; what takes long is done in another thread. */
export function* findInTurns(pattern: string, text: string, most: number): Turns<readonly string[]> {
  const found = yield* searchInTurns(pattern, text, most);
  return typeof found === "boolean" ? [] : found;
}
