import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
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
import { REGISTRY } from "@boxship/controllers";
import { followRevisions, openMemoryStore } from "@boxship/store";

/** Watches that break go on from there, or begin anew. */
const KEPT_REVISIONS = 10_000;

export interface SimulatedServerOptions {
  /** What the server says that time it is. */
  readonly clock: Clock;
  readonly naming: Naming;
}

/** The API server of a simulated cluster: the real one, over a store in memory, in this process. */
export interface SimulatedServer extends AsyncDisposable {
  connect(user: User, userAgent: string): ApiClient;
  /** The newest revision of each resource, of all that was written before the call. */
  newest(): Promise<ReadonlyMap<string, number>>;
}

/** What servers of simulated clusters sign with: nothing depends on it, and making it takes longer than some simulations. */
async function makeKeys() {
  const directory = await mkdtemp(join(tmpdir(), "boxship-simulation-keys-"));
  try {
    const [certificates, secrets, signingKeys] = await Promise.all([
      clusterCertificates({ directory: join(directory, "pki"), clock: systemClock }),
      EncryptedValues.open(join(directory, "secrets.key")),
      SigningKeys.open(join(directory, "tokens.keys")),
    ]);
    return { certificates, secrets, signingKeys };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

let keys: ReturnType<typeof makeKeys> | undefined;

export async function startServer({ clock, naming }: SimulatedServerOptions): Promise<SimulatedServer> {
  await using stack = new AsyncDisposableStack();
  keys ??= makeKeys();
  const { certificates, secrets, signingKeys } = await keys;
  const store = stack.use(openMemoryStore({ keep: KEPT_REVISIONS }));
  const revisions = stack.use(await followRevisions(store, REGISTRY));
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
      secrets,
      signingKeys,
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
    newest: () => revisions.newest(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
