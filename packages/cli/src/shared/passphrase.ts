import { ask } from "../commands/login.ts";
import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";

const VARIABLE = "COSIGN_PASSWORD";

/** The passphrase of a private key: from the environment, or asked for. */
export async function passphrase(context: Context): Promise<string> {
  const given = context.env[VARIABLE];
  if (given !== undefined) return given;
  if (context.stdin.isTTY) return ask(context, "Enter password for private key: ", true);
  throw new Failure("the private key has a passphrase, and there is no terminal to ask for it", {
    remedy: `set ${VARIABLE}; it may be empty`,
  });
}

/** A passphrase for a new key, asked for twice. */
export async function newPassphrase(context: Context): Promise<string> {
  const first = await passphrase(context);
  if (context.env[VARIABLE] !== undefined) return first;
  if ((await ask(context, "Enter password for private key again: ", true)) === first) return first;
  throw new Failure("the passwords do not match");
}
