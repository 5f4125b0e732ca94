import { nextTurn } from "./next-turn.ts";

/** What can also be done elsewhere, in another thread; what comes out of it is kept where both sides know. */
export interface Errand {
  /** Does it here. */
  now(): void;
  /** Has it done; the event loop goes on meanwhile. */
  away(): Promise<void>;
}

/**
 * Work that gives way now and then, and has a result in the end. Whoever does it lets others have their turn where it
 * yields nothing, and has an errand done that it yields.
 */
export type Turns<T> = Generator<Errand | undefined, T, undefined>;

/** Does all of it in one turn of the event loop. */
export function atOnce<T>(work: Turns<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    value?.now();
  }
}

/** Lets the event loop have its turns in between. @returns no promise where one turn was enough */
export function inTurns<T>(work: Turns<T>): T | Promise<T> {
  const step = work.next();
  return step.done === true ? step.value : goOn(work, step.value);
}

async function goOn<T>(work: Turns<T>, errand: Errand | undefined): Promise<T> {
  for (let next = errand; ; ) {
    await (next === undefined ? nextTurn() : next.away());
    const { done, value } = work.next();
    if (done === true) return value;
    next = value;
  }
}
