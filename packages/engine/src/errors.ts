import { type ErrorDetails, FailedPrecondition } from "@boxship/base";

/** A container's process could not be started. `exitCode` is what a shell would say: 126, 127, or 128 for the rest. */
export class StartFailed extends FailedPrecondition {
  readonly exitCode: number;

  constructor(message: string, exitCode: number, details: ErrorDetails = {}) {
    super(message, details);
    this.exitCode = exitCode;
  }
}
