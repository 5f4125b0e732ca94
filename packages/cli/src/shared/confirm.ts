import { createInterface } from "node:readline/promises";
import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";

/** Asks before something is lost. @throws Failure with the given words unless the answer is yes */
export async function confirm(context: Context, question: string, cancelled: string): Promise<void> {
  const lines = createInterface({ input: context.stdin, output: context.stdout });
  const closed = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  const answer = await Promise.race([lines.question(`${question} [y/N] `), closed]);
  lines.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new Failure(cancelled);
}
