import { errorMessage } from "@boxship/base";

/** What a command ends with that is said as it is, behind `error: ` unless it begins so. */
export class Refusal extends Error {}

/** Wrong words on the command line: what is said, and where help is to be had. */
export class UsageRefusal extends Refusal {
  constructor(message: string, path: string) {
    super(`${message}\nSee '${path} -h' for help and examples`);
  }
}

/** Text that ends a command and gets no word before it. */
export class PlainRefusal extends Error {
  readonly status: number;

  constructor(message: string, status = 1) {
    super(message);
    this.status = status;
  }
}

/** One that has something to say on standard output, too. */
export class ToldRefusal extends Refusal {
  readonly output: string;

  constructor(message: string, output: string) {
    super(message);
    this.output = output;
  }
}

/** Streams of a container broke off before they had ended. */
export class ConnectionLost extends Refusal {}

/** Several failures of one command. */
export class Refusals extends Error {
  readonly errors: readonly unknown[];

  constructor(errors: readonly unknown[]) {
    super("several failures");
    this.errors = errors;
  }
}

/**
 * Runs for each, goes on after failures, and throws what failed: one as it is, several together.
 *
 * @param before what could not even begin; told last, as one
 */
export async function forEach<T>(
  items: Iterable<T>,
  work: (item: T) => Promise<void>,
  before: readonly unknown[] = [],
): Promise<void> {
  const errors: unknown[] = [];
  for (const item of items) {
    try {
      await work(item);
    } catch (error) {
      if (error instanceof Refusals) errors.push(...error.errors);
      else errors.push(error);
    }
  }
  if (before.length > 1) errors.push(new Refusal(`[${before.map(errorMessage).join(", ")}]`));
  else errors.push(...before);
  throwAll(errors);
}

export function throwAll(errors: readonly unknown[]): void {
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new Refusals(errors);
}
