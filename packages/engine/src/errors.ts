import { Conflict, type ErrorDetails, FailedPrecondition } from "@boxship/base";

/** A container's process could not be started. `exitCode` is what a shell would say: 126, 127, or 128 for the rest. */
export class StartFailed extends FailedPrecondition {
  readonly exitCode: number;

  constructor(message: string, exitCode: number, details: ErrorDetails = {}) {
    super(message, details);
    this.exitCode = exitCode;
  }
}

/** An exec is started for the second time. Clients that attach first and start then (Compose) read past it in the stream. */
export class ExecUsed extends Conflict {
  constructor(id: string, ended: boolean) {
    super(`error: exec command ${id} ${ended ? "has already run" : "is already running"}`, {
      subject: { kind: "exec", name: id },
    });
  }
}
