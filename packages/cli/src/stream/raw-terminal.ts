import type { Context } from "../context.ts";

const STDIN = 0;

/** Puts the user's terminal into raw mode; disposing puts it back. Harmless where there is none. */
export async function rawTerminal({ stdin }: Pick<Context, "stdin">, wanted: boolean): Promise<Disposable> {
  const raw = wanted && stdin.isTTY;
  if (raw) {
    stdin.setRawMode(true);
    // Node leaves the output's processing on, which would move the cursor of full-screen programs at each line feed. It
    // puts all of the terminal's modes back itself.
    const { makeRaw } = await import("@boxship/kernel/terminal");
    makeRaw(STDIN);
  }
  let done = false;
  return {
    [Symbol.dispose]() {
      if (done || !raw) return;
      done = true;
      stdin.setRawMode(false);
    },
  };
}
