export { FlagError } from "@boxship/base/parse-flags";

/** How a command ends without success: what is printed on standard error, and the exit status. */
export class Failure extends Error {
  /** Exit status of the program. */
  readonly status: number;
  /** What the user can do; printed on a line of its own. */
  readonly remedy: string | undefined;

  constructor(message: string, options: { status?: number; remedy?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Failure";
    this.status = options.status ?? 1;
    this.remedy = options.remedy;
  }
}

/** Ends the program with a status and no word: a container's own exit status. */
export class Exit extends Failure {
  constructor(status: number) {
    super("", { status });
    this.name = "Exit";
  }
}
