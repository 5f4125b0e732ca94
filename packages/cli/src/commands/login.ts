import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { text as readText } from "node:stream/consumers";
import { defineCommand } from "../command.ts";
import { type Context, print, warn } from "../context.ts";
import { DEFAULT_SERVER, findAuth, type RegistryAuth, storeAuth } from "../credentials/registry-auth.ts";
import { Failure } from "../failure.ts";
import { bool, text } from "../flags/flag.ts";

interface Credentials {
  readonly username: string;
  readonly password: string;
}

interface LoginFlags {
  readonly username: string;
  readonly password: string;
  readonly "password-stdin": boolean;
}

export const command = defineCommand({
  usage: "[OPTIONS] [SERVER]",
  summary: "Authenticate to a registry",
  flags: {
    password: text("Password or Personal Access Token (PAT)", { short: "p" }),
    "password-stdin": bool("Take the Password or Personal Access Token (PAT) from stdin"),
    username: text("Username", { short: "u" }),
  },
  operands: { max: 1 },
  async run(context, { flags, operands: [given] }) {
    const server = serverAddress(given);
    const config = await context.config();
    const stored = flags.username === "" && flags.password === "" ? await findAuth(config, server) : undefined;
    if (stored !== undefined && !flags["password-stdin"]) {
      warn(context, `Authenticating with existing credentials... [Username: ${stored.username ?? "<token>"}]`);
    }
    const known = stored !== undefined && !flags["password-stdin"];
    const auth: RegistryAuth = known ? stored : { ...(await askCredentials(context, flags)), serveraddress: server };
    const answer = await context.api.json<{ readonly IdentityToken?: string; readonly Status?: string }>(
      "POST",
      "/auth",
      {
        body: auth,
      },
    );
    const token = answer.IdentityToken;
    const { helper, changed } = await storeAuth(config, {
      ...auth,
      ...(token && { password: "", identitytoken: token }),
    });
    if (helper === undefined && changed) {
      warn(
        context,
        `\nWARNING! Your credentials are stored unencrypted in '${config.path}'.\nConfigure a credential helper to remove this warning.\n`,
      );
    }
    if (answer.Status) print(context, answer.Status);
  },
});

/** The key under which a server's credentials are kept. */
export function serverAddress(given: string | undefined): string {
  const server = (given ?? "").replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  return ["", "docker.io", "index.docker.io", "registry-1.docker.io"].includes(server) ? DEFAULT_SERVER : server;
}

async function askCredentials(context: Context, flags: LoginFlags): Promise<Credentials> {
  if (flags.password !== "") {
    warn(context, "WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
    if (flags["password-stdin"])
      throw new Failure("conflicting options: cannot specify both --password and --password-stdin");
  }
  if (flags["password-stdin"]) {
    if (flags.username === "") throw new Failure("the --password-stdin option requires --username to be set");
    const password = (await readText(context.stdin)).replace(/\r?\n$/, "");
    return checked({ username: flags.username, password });
  }
  if ((flags.username === "" || flags.password === "") && !context.stdin.isTTY) {
    throw new Failure("Error: Cannot perform an interactive login from a non TTY device", {
      remedy: "give --username and --password-stdin",
    });
  }
  const username = flags.username || (await ask(context, "Username: ", false));
  return checked({ username, password: flags.password || (await ask(context, "Password: ", true)) });
}

function checked(credentials: Credentials): Credentials {
  if (credentials.username.trim() === "") throw new Failure("Error: Non-null Username Required");
  if (credentials.password === "") throw new Failure("Error: Password Required");
  return { ...credentials, username: credentials.username.trim() };
}

/** Asks on the terminal; a secret is not echoed. */
export async function ask(context: Context, prompt: string, secret: boolean): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  context.stdout.write(prompt);
  const lines = createInterface({ input: context.stdin, output: secret ? silent : context.stdout, terminal: true });
  try {
    return await lines.question("");
  } finally {
    lines.close();
    if (secret) context.stdout.write("\n");
  }
}
