import { errorMessage } from "@boxship/base/errors";

/** The message of anything thrown; of what the system refused as `open x: no such file or directory`. */
export function failureText(thrown: unknown): string {
  const message = errorMessage(thrown);
  const { syscall, path } = thrown instanceof Error ? (thrown as NodeJS.ErrnoException) : {};
  const words = /^E[A-Z0-9]+: (.+), /.exec(message)?.[1];
  return syscall === undefined || path === undefined || words === undefined ? message : `${syscall} ${path}: ${words}`;
}
