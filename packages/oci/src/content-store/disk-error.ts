import { ResourceExhausted, systemCode } from "@boxship/base/errors";

const FULL = "no space left";

/** Whether that is why something failed, or why it was called off. */
export function isDiskFull(error: unknown): boolean {
  // Between threads the cause loses its code.
  return error instanceof ResourceExhausted && error.message.startsWith(FULL);
}

/** A failed write in terms of the user: the disk is full, or the error as it is. */
export function diskError(error: unknown, subject: string): unknown {
  const code = systemCode(error);
  if (code !== "ENOSPC" && code !== "EDQUOT") return error;
  return new ResourceExhausted(`${FULL} on the device of the content store`, {
    cause: error,
    subject: { kind: "blob", name: subject },
    remedy: "remove images that are not needed, or give the engine's root directory a larger disk",
  });
}
