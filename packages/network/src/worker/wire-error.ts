import { BoxshipError, type ErrorCode, type ErrorSubject, errorClasses, errorMessage, Internal } from "@boxship/base";
import { SyscallError } from "@boxship/kernel";

/** An error on its way between threads: structured cloning keeps no classes. */
export type WireError =
  | { readonly kind: "boxship"; readonly code: ErrorCode; readonly message: string; readonly details: WireDetails }
  | { readonly kind: "syscall"; readonly errno: number; readonly syscall: string; readonly message: string }
  | { readonly kind: "other"; readonly message: string };

interface WireDetails {
  readonly subject?: ErrorSubject;
  readonly remedy?: string;
}

export function toWire(error: unknown): WireError {
  if (error instanceof BoxshipError) {
    const { code, message, subject, remedy } = error;
    const details = { ...(subject === undefined ? {} : { subject }), ...(remedy === undefined ? {} : { remedy }) };
    return { kind: "boxship", code, message, details };
  }
  if (error instanceof SyscallError) {
    return { kind: "syscall", errno: error.errno, syscall: error.syscall, message: error.message };
  }
  return { kind: "other", message: errorMessage(error) };
}

export function fromWire(wire: WireError): Error {
  if (wire.kind === "boxship") return new errorClasses[wire.code](wire.message, wire.details);
  if (wire.kind === "other") return new Internal(wire.message);
  const error = new SyscallError(wire.errno, wire.syscall);
  error.message = wire.message;
  return error;
}
