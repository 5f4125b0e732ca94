import { type Context, print, warn } from "../context.ts";
import { Failure } from "../failure.ts";

/** Objects that are worked on at the same time. */
const PARALLEL = 50;

export interface EachOptions {
  /** Takes a failure off the list; what it returns is printed on standard error instead. */
  readonly forgive?: (error: unknown) => string | undefined;
}

/**
 * Does the same to several objects at once, and prints each name that worked out, in the order given. One that fails
 * does not stop the others.
 *
 * @throws Failure with every reason, one a line
 */
export async function operateOnEach(
  context: Context,
  names: readonly string[],
  operation: (name: string) => Promise<unknown>,
  options: EachOptions = {},
): Promise<void> {
  const failures: Failure[] = [];
  for (let at = 0; at < names.length; at += PARALLEL) {
    const batch = names.slice(at, at + PARALLEL);
    const results = await Promise.allSettled(batch.map(operation));
    for (const [index, result] of results.entries()) {
      if (result.status === "fulfilled") {
        print(context, batch[index] ?? "");
        continue;
      }
      const forgiven = options.forgive?.(result.reason);
      if (forgiven !== undefined) {
        if (forgiven !== "") warn(context, forgiven);
        continue;
      }
      if (!(result.reason instanceof Failure)) throw result.reason;
      failures.push(result.reason);
    }
  }
  throwAll(failures);
}

/** One failure for many: their messages, one a line. */
export function throwAll(failures: readonly Failure[]): void {
  if (failures.length === 0) return;
  const remedies = new Set(failures.map(({ remedy }) => remedy).filter((remedy) => remedy !== undefined));
  throw new Failure(failures.map(({ message }) => message).join("\n"), {
    remedy: remedies.size === 0 ? undefined : [...remedies].join("; "),
  });
}
