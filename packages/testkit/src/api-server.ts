import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { Duplex } from "node:stream";
import type { ApiServer } from "@boxship/apiserver";
import type { Logger } from "@boxship/base";
import type { Store } from "@boxship/store";
import { tempDir } from "./temp-dir.ts";

export interface ApiServerOptions {
  /** Stays the caller's. @default one of its own in SQLite */
  readonly store?: Store;
  /** @default 10.96.0.0/16 */
  readonly serviceNetworks?: readonly string[];
  readonly logger?: Logger;
}

/** The Kubernetes API of this checkout, in the test's own process, on a loopback port. */
export interface TestApiServer extends AsyncDisposable {
  readonly url: string;
  /** Of an administrator. */
  readonly kubeconfig: string;
  /** A connection of an administrator from within the process. */
  connect(): Duplex;
  /** Ends all connections, as a network that is cut. */
  cutConnections(): void;
  /** Ends the server; its state and its address stay. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { readonly port: number };
  server.close();
  await once(server, "close");
  return port;
}

export async function startApiServer(options: ApiServerOptions = {}): Promise<TestApiServer> {
  // Only now: most tests import the test kit and start no API server, and its modules are many.
  const { clusterCertificates, EncryptedValues, kubeconfig, openApiServer, SigningKeys } = await import(
    "@boxship/apiserver"
  );
  const { silentLogger, systemClock } = await import("@boxship/base");
  const { openSqliteStore } = await import("@boxship/store");
  const { logger = silentLogger, serviceNetworks } = options;
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(tempDir("apiserver"));
  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  const certificates = await clusterCertificates({
    directory: directory.join("pki"),
    clock: systemClock,
  });
  const secrets = await EncryptedValues.open(directory.join("secrets.key"));
  const signingKeys = await SigningKeys.open(directory.join("tokens.keys"));
  const store = options.store ?? stack.use(await openSqliteStore({ path: directory.join("state.db") }));
  const file = directory.join("kubeconfig");
  await writeFile(file, kubeconfig({ name: "test", server: url, certificates }), { mode: 0o600 });
  const sessions = new Set<{ destroy(): void }>();
  let running: AsyncDisposableStack | undefined;
  let current: Pick<ApiServer, "connect"> | undefined;

  const start = async (): Promise<void> => {
    await using starting = new AsyncDisposableStack();
    const networks = serviceNetworks === undefined ? {} : { serviceNetworks };
    const settings = { store, certificates, secrets, signingKeys, port, logger, ...networks };
    const opened = starting.use(await openApiServer(settings));
    const { server } = opened;
    current = opened;
    server.on("session", (session) => {
      sessions.add(session);
      session.once("close", () => sessions.delete(session));
    });
    starting.defer(async () => {
      for (const session of sessions) session.destroy();
      server.close();
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    running = starting.move();
  };
  const stop = async (): Promise<void> => {
    await running?.disposeAsync();
    running = undefined;
  };
  stack.defer(stop);
  await start();
  const owned = stack.move();
  return {
    url,
    kubeconfig: file,
    connect() {
      if (current === undefined) throw new Error("the server has not been started");
      return current.connect({ name: "kubernetes-admin", groups: ["system:masters", "system:authenticated"] });
    },
    cutConnections() {
      for (const session of sessions) session.destroy();
    },
    stop,
    start,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
