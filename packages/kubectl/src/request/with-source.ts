import { failureOf } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { statusAt } from "../error-text.ts";
import { Refusal } from "../failure.ts";

/** Says in a failure what was being done with which file. */
export async function withSource<T>(doing: string, source: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw sourced(doing, source, error);
  }
}

export function sourced(doing: string, source: string, error: unknown): unknown {
  const status = statusAt(error);
  const where = `error when ${doing} ${JSON.stringify(source)}`;
  if (status !== undefined) return failureOf({ ...status, message: `${where}: ${status.message ?? ""}` });
  return error instanceof Refusal ? new Refusal(`${where}: ${errorMessage(error)}`) : error;
}
