import * as go from "@boxship/base/duration";
import { InvalidArgument } from "@boxship/base/errors";
import { FlagError } from "../failure.ts";

/**
 * The duration of a flag in nanoseconds.
 *
 * @throws FlagError with Go's text
 */
export function parseDuration(text: string): number {
  try {
    return go.parseDuration(text);
  } catch (error) {
    throw error instanceof InvalidArgument ? new FlagError(error.message) : error;
  }
}
