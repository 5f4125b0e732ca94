import { equal } from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { runProgram, tempDir } from "@boxship/testkit";

/** GnuPG with keys of its own. */
export async function openGpgHome() {
  await using starting = new AsyncDisposableStack();
  const folder = starting.use(tempDir("gpg"));
  mkdirSync(folder.join("home"), { mode: 0o700 });
  const home = ["--homedir", folder.join("home")];
  // Its agent goes with it.
  starting.defer(async () => void (await runProgram(["gpgconf", ...home, "--kill", "all"])));
  const stack = starting.move();
  const run = (...words: readonly string[]) =>
    runProgram(["gpg", ...home, "--batch", "--yes", "--no-tty", "--pinentry-mode", "loopback", ...words]);
  const done = async (...words: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await run(...words);
    equal(status, 0, `gpg ${words.join(" ")}: ${stderr}`);
    return stdout;
  };
  /** @returns the fingerprint */
  const makeKey = async (
    name: string,
    kind: string,
    { passphrase = "", expires = "never", at = "" } = {},
  ): Promise<string> => {
    const time = at === "" ? [] : ["--faked-system-time", at];
    const words = ["--status-fd", "1", "--passphrase", passphrase, "--quick-gen-key", `${name} <${name}@example.com>`];
    const told = await done(...time, ...words, kind, "sign", expires);
    return /KEY_CREATED P ([\dA-F]{40})/.exec(told)?.[1] ?? "";
  };
  /** Writes a keyring. @returns its path */
  const exported = async (
    file: string,
    secret: boolean,
    names: readonly string[],
    passphrase = "",
  ): Promise<string> => {
    const kind = secret ? ["--passphrase", passphrase, "--export-secret-keys"] : ["--export"];
    await done("--output", folder.join(file), ...kind, ...names);
    return folder.join(file);
  };
  return { folder, run, done, makeKey, exported, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

export type GpgHome = Awaited<ReturnType<typeof openGpgHome>>;
