import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { systemCode } from "@boxship/base/errors";
import { Failure } from "../failure.ts";

/** What a helper keeps of one registry. */
export interface HelperCredentials {
  readonly Username: string;
  /** A password, or a token where the user name is `<token>`. */
  readonly Secret: string;
}

/** Runs `docker-credential-NAME ACTION` with a text on its standard input. */
async function runHelper(name: string, action: string, input: string): Promise<string> {
  const program = `docker-credential-${name}`;
  const child = spawn(program, [action], { stdio: ["pipe", "pipe", "ignore"] });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("close", (code) => resolve(code ?? 1));
    child.once("error", reject);
  });
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  try {
    const [output, status] = await Promise.all([text(child.stdout), ended]);
    if (status === 0) return output;
    throw new Failure(`${program} ${action}: ${output.trim() || `exit status ${status}`}`);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    throw new Failure(`error getting credentials: ${program} is not in $PATH`, {
      cause: error,
      remedy: "install the credential helper, or remove it from config.json",
    });
  }
}

/** What a helper says when it has nothing for a server. */
const NOT_FOUND = /credentials not found/i;

/** Credentials of a server; undefined when the helper has none. */
export async function helperGet(name: string, server: string): Promise<HelperCredentials | undefined> {
  try {
    return JSON.parse(await runHelper(name, "get", server)) as HelperCredentials;
  } catch (error) {
    if (error instanceof Failure && NOT_FOUND.test(error.message)) return undefined;
    throw error;
  }
}

export async function helperStore(name: string, server: string, credentials: HelperCredentials): Promise<void> {
  await runHelper(name, "store", JSON.stringify({ ServerURL: server, ...credentials }));
}

export async function helperErase(name: string, server: string): Promise<void> {
  try {
    await runHelper(name, "erase", server);
  } catch (error) {
    if (!(error instanceof Failure && NOT_FOUND.test(error.message))) throw error;
  }
}
