import { setImmediate } from "node:timers/promises";

/** Work that gives way now and then: it goes on when it is asked to, and has a result in the end. */
export type Turns<T> = Generator<void, T, void>;

/** Does all of it in one turn of the event loop. */
export function atOnce<T>(work: Turns<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

/** Lets the event loop have its turns in between. @returns no promise where one turn was enough */
export function inTurns<T>(work: Turns<T>): T | Promise<T> {
  const { done, value } = work.next();
  return done === true ? value : goOn(work);
}

async function goOn<T>(work: Turns<T>): Promise<T> {
  for (;;) {
    await setImmediate();
    const { done, value } = work.next();
    if (done === true) return value;
  }
}
