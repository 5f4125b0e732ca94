import { join } from "node:path";
import {
  clusterCertificates,
  EncryptedValues,
  type Naming,
  openApiServer,
  SigningKeys,
  type User,
} from "@boxship/apiserver";
import { type Clock, silentLogger, systemClock } from "@boxship/base";
import { type ApiClient, openHttpClient } from "@boxship/client";
import { openSqliteStore } from "@boxship/store";

export interface SimulatedServerOptions {
  /** Holds the state while it runs. */
  readonly directory: string;
  /** What the server says that time it is. */
  readonly clock: Clock;
  readonly naming: Naming;
}

/** The API server of a simulated cluster: the real one, over SQLite, in this process. */
export interface SimulatedServer extends AsyncDisposable {
  connect(user: User, userAgent: string): ApiClient;
  /** The newest revision of each resource, of all that was written before the call. */
  newest(): Promise<ReadonlyMap<string, number>>;
}

const RANGE = { start: "/registry/", end: "/registry0" };

export async function startServer({ directory, clock, naming }: SimulatedServerOptions): Promise<SimulatedServer> {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await openSqliteStore({ path: join(directory, "state.db") }));
  const newest = new Map<string, number>();
  const watch = stack.use(store.watch(RANGE));
  await watch.ready;
  const waiting = new Set<{ readonly revision: number; readonly resolve: () => void }>();
  let seen = 0;
  const tell = (): void => {
    for (const one of waiting) {
      if (one.revision > seen) continue;
      waiting.delete(one);
      one.resolve();
    }
  };
  const watching = (async () => {
    for await (const { revision, events } of watch) {
      for (const event of events) {
        const [, , group = "", resource = ""] = (event.kind === "put" ? event.item.key : event.key).split("/");
        newest.set(group === "core" ? resource : `${resource}.${group}`, revision);
      }
      seen = revision;
      tell();
    }
  })();
  stack.defer(() => watching);
  stack.defer(() => watch[Symbol.asyncDispose]());
  const certificates = await clusterCertificates({
    directory: join(directory, "pki"),
    clock: systemClock,
    serviceAddress: "10.96.0.1",
  });
  // It tells the simulated time; what it does now and then it does in its own.
  const told: Clock = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimeout: (ms, callback) => systemClock.setTimeout(ms, callback),
  };
  const api = stack.use(
    await openApiServer({
      store,
      certificates,
      secrets: await EncryptedValues.open(join(directory, "secrets.key")),
      signingKeys: await SigningKeys.open(join(directory, "tokens.keys")),
      serviceAddress: "10.96.0.1",
      port: 6443,
      clock: told,
      naming,
      logger: silentLogger,
    }),
  );
  stack.defer(() => {
    api.stop();
    api.closeConnections();
  });
  const owned = stack.move();
  return {
    connect: (user, userAgent) =>
      openHttpClient({ server: "http://in-process", createConnection: () => api.connect(user), userAgent }),
    async newest() {
      const { revision } = await store.range(RANGE, { limit: 1 });
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.add({ revision, resolve });
      tell();
      await promise;
      return newest;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
