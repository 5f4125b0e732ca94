import { nextTurn } from "@boxship/base";

/** Objects of fewer bytes are done with in one turn of the event loop. */
const LARGE = 128 * 1024;

/** Lets others have their turn. @param size bytes of what is worked on, besides what was told before */
export type Pause = (size?: number) => Promise<void> | undefined;

/** Pauses in the middle of a request: none while everything that it is about is small. */
export function takeTurns(): Pause {
  let largest = 0;
  return (size = 0) => {
    largest = Math.max(largest, size);
    return largest < LARGE ? undefined : nextTurn();
  };
}

/** Bytes of objects that are read in one turn: some milliseconds. */
const AT_ONCE = 256 * 1024;

/** Pauses in the middle of many objects. @returns what is told of the bytes of each; to be waited for where it is a promise */
export function turnsByBytes(): (size: number) => Promise<void> | undefined {
  let read = 0;
  return (size) => {
    read += size;
    if (read < AT_ONCE) return undefined;
    read = 0;
    return nextTurn();
  };
}
