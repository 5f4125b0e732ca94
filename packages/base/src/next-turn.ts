/** Who waits for a turn, in their order. */
const waiting: (() => void)[] = [];

/**
 * Resolves when it is the caller's turn: one of all that wait goes on in each round of the event loop, so that many who do
 * long work in turns hold up the others no longer than one of them does.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(goOn);
  });
}

function goOn(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(goOn);
}
