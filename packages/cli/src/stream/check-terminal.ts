import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";

/** @throws Failure when a container with a terminal is to read from something that is none */
export function checkTerminal({ stdin }: Context, attachesStdin: boolean, tty: boolean): void {
  if (tty && attachesStdin && !stdin.isTTY) throw new Failure("the input device is not a TTY");
}
