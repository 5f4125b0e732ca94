import { InvalidArgument, Unsupported } from "@boxship/base/errors";
import { defineCommand, type Logins, type Surroundings } from "../command.ts";
import { bool, str } from "../flags.ts";
import { passwordOf } from "../password.ts";
import { accessOf } from "../repository/fetch-bounded.ts";
import { checkLogin } from "../repository/oci-charts.ts";

function loginsOf({ io }: Surroundings): Logins {
  if (io.logins === undefined) throw new Unsupported("there is no place where logins are kept");
  return io.logins;
}

/** The host of what may be written as an address. */
function hostOf(text: string): string {
  const host = text.replace(/^(oci|https?):\/\//, "").replace(/\/+$/, "");
  if (!/^[\w.-]+(:\d+)?$|^\[[\da-f:]+\](:\d+)?$/i.test(host)) {
    throw new InvalidArgument(`${JSON.stringify(text)} is no registry: name its host`);
  }
  return host;
}

export const login = defineCommand({
  usage: "HOST [flags]",
  summary: "Log in to a registry",
  operands: { min: 1, max: 1 },
  flags: {
    "ca-file": str(),
    "cert-file": str(),
    insecure: bool(),
    "key-file": str(),
    password: str("", { short: "p" }),
    "password-stdin": bool(),
    "plain-http": bool(),
    username: str("", { short: "u" }),
  },
  async run(surroundings, { flags, operands }) {
    const host = hostOf(operands[0] ?? "");
    const logins = loginsOf(surroundings);
    const password = flags["password-stdin"] ? await passwordOf(surroundings, flags) : flags.password;
    if (flags.username === "" || password === "") {
      throw new InvalidArgument("a login needs a user and a password", {
        remedy: "give --username and --password-stdin",
      });
    }
    if (!flags["password-stdin"]) {
      surroundings.warn("WARNING: Using --password via the CLI is insecure. Use --password-stdin.");
    }
    const access = accessOf({ ...flags, "pass-credentials": false, "insecure-skip-tls-verify": flags.insecure });
    const { env } = surroundings.io;
    await checkLogin(host, { ...access, password, plainHttp: flags["plain-http"], env });
    await logins.store(host, flags.username, password);
    surroundings.warn("Login Succeeded");
  },
});

export const logout = defineCommand({
  usage: "HOST [flags]",
  summary: "Log out from a registry",
  operands: { min: 1, max: 1 },
  flags: {},
  async run(surroundings, { operands }) {
    const host = hostOf(operands[0] ?? "");
    await loginsOf(surroundings).erase(host);
    surroundings.warn(`Removing login credentials for ${host}`);
  },
});
