import { text as readText } from "node:stream/consumers";
import { InvalidArgument } from "@boxship/base/errors";
import { print } from "../context.ts";
import { eraseAuth, findAuth, storeAuth } from "../credentials/registry-auth.ts";
import { Failure } from "../failure.ts";
import { bool, text } from "../flags/flag.ts";
import { parseFlags } from "../flags/parse-flags.ts";
import { authFilePath, loadAuthFile } from "./auth-file.ts";
import { imageFlags } from "./flags.ts";
import type { SkopeoSession } from "./session.ts";
import { registryClient } from "./surroundings.ts";

const loginFlags = {
  authfile: imageFlags.authfile,
  "cert-dir": imageFlags["cert-dir"],
  "get-login": bool("Return the current login user for the registry"),
  password: text("Password for registry", { short: "p" }),
  "password-stdin": bool("Take the password from stdin"),
  "tls-verify": imageFlags["tls-verify"],
  username: text("Username for registry", { short: "u" }),
  verbose: bool("Write more detailed information to stdout", { short: "v" }),
} as const;

const none = parseFlags(imageFlags, []).values;

/** The key of a registry in the file: its host, or a repository of it. */
function keyOf(server: string): string {
  const bare = server.replace(/^https?:\/\//, "").replace(/\/+$/, "");
  if (bare === "") throw new InvalidArgument("please provide a registry to log in to");
  return bare;
}

export async function login(session: SkopeoSession, args: readonly string[]): Promise<void> {
  const { values: flags, operands } = parseFlags(loginFlags, args);
  const [server, ...others] = operands;
  if (server === undefined || others.length > 0)
    throw new InvalidArgument("login accepts only one registry to login to");
  const { context } = session;
  const key = keyOf(server);
  const file = await loadAuthFile(authFilePath(context.env, flags.authfile));
  if (flags["get-login"]) {
    const known = await findAuth(file, key);
    if (known?.username === undefined) throw new Failure(`not logged into ${key}`);
    print(context, known.username);
    return;
  }
  const { username, password } = await credentials(session, flags);
  const [host = key] = key.split("/");
  const access = { ...none, "cert-dir": flags["cert-dir"], "tls-verify": flags["tls-verify"], username, password };
  await using client = registryClient(context.env, access, host);
  await client.ping({ domain: host, path: "ping" });
  await storeAuth(file, { username, password, serveraddress: key });
  if (flags.verbose) print(context, `Used: ${file.path}`);
  print(context, "Login Succeeded!");
}

interface LoginFlags {
  readonly username: string;
  readonly password: string;
  readonly "password-stdin": boolean;
}

async function credentials(session: SkopeoSession, flags: LoginFlags): Promise<{ username: string; password: string }> {
  const { username, password } = flags;
  if (flags["password-stdin"]) {
    if (password !== "") throw new InvalidArgument("Can't specify both --password-stdin and --password");
    if (username === "") throw new InvalidArgument("Must provide --username with --password-stdin");
    return { username, password: (await readText(session.context.stdin)).replace(/\r?\n$/, "") };
  }
  if (username === "" || password === "") {
    const { ask } = await import("../commands/login.ts");
    if (!session.context.stdin.isTTY) {
      throw new Failure("cannot prompt for a password without a terminal", {
        remedy: "give --username and --password-stdin",
      });
    }
    const user = username || (await ask(session.context, "Username: ", false));
    return { username: user.trim(), password: password || (await ask(session.context, "Password: ", true)) };
  }
  return { username, password };
}

const logoutFlags = {
  all: bool("Remove the cached credentials for all registries in the auth file", { short: "a" }),
  authfile: imageFlags.authfile,
  "tls-verify": imageFlags["tls-verify"],
} as const;

export async function logout(session: SkopeoSession, args: readonly string[]): Promise<void> {
  const { values: flags, operands } = parseFlags(logoutFlags, args);
  const { context } = session;
  const file = await loadAuthFile(authFilePath(context.env, flags.authfile));
  if (flags.all) {
    if (operands.length > 0) throw new InvalidArgument("--all takes no arguments");
    for (const key of Object.keys(file.content.auths ?? {})) {
      await eraseAuth(await loadAuthFile(file.path), key);
    }
    print(context, "Removed login credentials for all registries");
    return;
  }
  const [server, ...others] = operands;
  if (server === undefined || others.length > 0)
    throw new InvalidArgument("logout accepts only one registry to logout from");
  const key = keyOf(server);
  if (!(await eraseAuth(file, key))) throw new Failure(`not logged into ${key}`);
  print(context, `Removed login credentials for ${key}`);
}
