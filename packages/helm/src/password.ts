import { InvalidArgument } from "@boxship/base/errors";
import type { Surroundings } from "./command.ts";

interface PasswordFlags {
  readonly username: string;
  readonly password: string;
}

/** The password that stands on standard input, for `--password-stdin`. */
export async function passwordOf({ io }: Surroundings, { username, password }: PasswordFlags): Promise<string> {
  if (password !== "") throw new InvalidArgument("--password and --password-stdin are mutually exclusive");
  if (username === "") throw new InvalidArgument("--password-stdin needs --username");
  const chunks: Buffer[] = [];
  for await (const chunk of io.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}
