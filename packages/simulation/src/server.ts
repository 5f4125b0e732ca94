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
import { type Clock, silentLogger, systemClock, type Timer } from "@boxship/base";
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

/** What the server puts off for so long is done before anybody goes on: counting quotas anew. */
const SOON_MS = 50;

/** What is done soon, whenever somebody waits for that: not when the machine's time has come, which is another one each time. */
class Soon {
  readonly #waiting = new Set<() => void>();

  add(callback: () => void): Timer {
    const one = (): void => callback();
    this.#waiting.add(one);
    return { ref: () => {}, [Symbol.dispose]: () => void this.#waiting.delete(one) };
  }

  async settle(): Promise<void> {
    while (this.#waiting.size > 0) {
      for (const one of [...this.#waiting]) {
        this.#waiting.delete(one);
        one();
      }
      // A store in memory answers before this does.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
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
  const soon = new Soon();
  // It tells the simulated time; what it does now and then it does in its own.
  const told: Clock = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimeout: (ms, callback) => (ms <= SOON_MS ? soon.add(callback) : systemClock.setTimeout(ms, callback)),
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
    async newest() {
      await soon.settle();
      return await revisions.newest();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
