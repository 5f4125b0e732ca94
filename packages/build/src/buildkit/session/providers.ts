import type { Duplex } from "node:stream";
import { FailedPrecondition, NotFound, Unsupported } from "@boxship/base";
import type { RegistryCredentials } from "@boxship/engine";
import { Auth, Secrets, Ssh } from "../wire/session.ts";
import { CallStream } from "./call-stream.ts";
import type { ClientSession } from "./client-session.ts";

/** How long a client may take to find credentials: it may ask its user, or a helper. */
const CREDENTIALS_MS = 60_000;
const SECRET_MS = 30_000;

/** Under this name clients look for what is written as `docker.io`. */
const DOCKER_HUB = "registry-1.docker.io";

/** The value of a secret that the client has; undefined when it has none of that name. */
export async function sessionSecret(
  session: ClientSession,
  id: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  if (!session.supports(Secrets.getSecret)) return undefined;
  try {
    const { data } = await session.client.unary(Secrets.getSecret, { id }, { signal, timeout: SECRET_MS });
    return Buffer.from(data);
  } catch (error) {
    if (error instanceof NotFound || error instanceof Unsupported) return undefined;
    throw error;
  }
}

/** What the client logs in with; undefined when it has nothing for that registry. */
export async function sessionCredentials(
  session: ClientSession,
  registry: string,
): Promise<RegistryCredentials | undefined> {
  if (!session.supports(Auth.credentials)) return undefined;
  const host = registry === "docker.io" ? DOCKER_HUB : registry;
  const { username, secret } = await session.client.unary(Auth.credentials, { host }, { timeout: CREDENTIALS_MS });
  if (secret === "") return undefined;
  return username === "" ? { identityToken: secret } : { username, password: secret };
}

/** A new connection to an agent of the client; undefined when it forwards none of that name. */
export async function sessionAgent(
  session: ClientSession,
  id: string,
  signal: AbortSignal,
): Promise<Duplex | undefined> {
  if (!session.supports(Ssh.forwardAgent)) return undefined;
  try {
    await session.client.unary(Ssh.checkAgent, { id }, { signal, timeout: SECRET_MS });
  } catch (error) {
    // "unset ssh forward key" comes without a code of its own.
    if (error instanceof NotFound || error instanceof Unsupported || error instanceof FailedPrecondition)
      return undefined;
    throw error;
  }
  const call = session.client.call(Ssh.forwardAgent, { signal, metadata: { "buildkit.ssh.id": [id] } });
  const stream = new CallStream(call);
  stream.on("error", () => {});
  return stream;
}
