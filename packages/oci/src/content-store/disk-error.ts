import { ResourceExhausted, systemCode } from "@boxship/base/errors";

function isFull(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOSPC" || code === "EDQUOT";
}

/** Whether that is why something failed, or why it was called off. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof ResourceExhausted && isFull(error.cause);
}

/** A failed write in terms of the user: the disk is full, or the error as it is. */
export function diskError(error: unknown, subject: string): unknown {
  if (!isFull(error)) return error;
  return new ResourceExhausted("no space left on the device of the content store", {
    cause: error,
    subject: { kind: "blob", name: subject },
    remedy: "remove images that are not needed, or give the engine's root directory a larger disk",
  });
}
