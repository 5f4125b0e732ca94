import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { type KubeObject, parseApiVersion } from "@boxship/api";
import { clusterCertificates, EncryptedValues, kubeconfig, openApiServer, SigningKeys } from "@boxship/apiserver";
import { type Clock, errorMessage, FakeClock, silentLogger, systemClock } from "@boxship/base";
import { type ApiClient, loadKubeconfig, type ObjectRef, openHttpClient } from "@boxship/client";
import { followRevisions, openEtcdStore, openSqliteStore, type Store } from "@boxship/store";
import { startEtcd, tempDir } from "@boxship/testkit";
import type { ControllerDefinition } from "../contract.ts";
import { REGISTRY } from "../frame/registry-keys.ts";
import { advance, SteppedControllers } from "../frame/stepped-controllers.ts";
import { History, RecordingClient } from "./history.ts";

/** A Monday, 2024-01-01T00:00:00Z. */
const START = 1_704_067_200_000;

/** Controllers at the real API server, on a clock that only {@link World.advance} moves, one key at a time. */
export interface World extends AsyncDisposable {
  readonly client: ApiClient;
  readonly clock: FakeClock;
  readonly history: History;
  readonly kubeconfig: string;
  readonly home: string;
  /** PEM: who servers behind the API's believe what they are told of users. */
  readonly frontProxyAuthority: string;
  /** Works until nothing is left to do at this time. */
  settle(): Promise<void>;
  /** Moves the clock, and settles at each time at which something is due. */
  advance(seconds: number): Promise<void>;
  create(object: KubeObject): Promise<KubeObject>;
  /** All that is kept, by its name in a path, e.g. `pods`. */
  list<T extends KubeObject>(apiVersion: string, resource: string, namespace?: string): Promise<readonly T[]>;
}

export interface WorldOptions {
  readonly definitions: readonly ControllerDefinition[];
  /** Of those, whose writes the history does not tell. @default none */
  readonly untold?: readonly string[];
  /** Where the state is. @default SQLite, or what `BOXSHIP_CONTROLLERS_STORE` says: soaks run all suites over etcd */
  readonly store?: "etcd" | "sqlite";
}

const STORE = process.env["BOXSHIP_CONTROLLERS_STORE"] === "etcd" ? "etcd" : "sqlite";

async function openStore(stack: AsyncDisposableStack, kind: "etcd" | "sqlite", path: string): Promise<Store> {
  if (kind === "sqlite") return stack.use(await openSqliteStore({ path }));
  const { endpoints } = stack.use(await startEtcd({ release: "current" }));
  return stack.use(await openEtcdStore({ endpoints }));
}

export async function startWorld({ definitions, untold = [], store = STORE }: WorldOptions): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(tempDir("controllers"));
  const clock = new FakeClock(START);
  const state = await openStore(stack, store, directory.join("state.db"));
  const server = await serve(stack, directory, clock, state);
  const client = stack.use(openHttpClient((await loadKubeconfig(server.kubeconfig)).connection));
  const history = new History(() => clock.now());
  const controllers = stack.use(
    new SteppedControllers({
      client,
      definitions,
      clock,
      newest: () => server.newest(),
      dress(definition, observed, informers) {
        const told = !untold.includes(definition.name);
        return {
          client: told ? new RecordingClient(observed, informers, history, definition.name) : observed,
          // Real ones are made where kubectl looks at them.
          events: told ? history.events(definition.name) : { record: () => {} },
        };
      },
      failed: (name, { key, error }) => history.wrote(name, `${key} failed: ${errorMessage(error)}`),
    }),
  );
  await controllers.start();
  const settle = async (): Promise<void> => void (await controllers.settle());
  const owned = stack.move();
  return {
    client,
    clock,
    history,
    kubeconfig: server.kubeconfig,
    home: directory.join("home"),
    frontProxyAuthority: server.frontProxyAuthority,
    settle,
    advance: (seconds) => advance(clock, seconds * 1000, settle),
    async create(object) {
      return await client.create(collectionOf(object), object);
    },
    async list<T extends KubeObject>(apiVersion: string, resource: string, namespace = "default") {
      const { group = "", version = "" } = parseApiVersion(apiVersion) ?? {};
      return (await client.list<T>({ group, version, resource, namespace })).items;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Where an object of a built-in kind belongs; its kind's plural ends as most do. */
export function collectionOf({ apiVersion, kind, metadata }: KubeObject): Omit<ObjectRef, "name"> {
  const { group = "", version = "" } = parseApiVersion(apiVersion) ?? {};
  const lower = kind.toLowerCase();
  const resource = lower.endsWith("s")
    ? lower === "endpoints"
      ? lower
      : `${lower}es`
    : lower.replace(/y$/, "ie").concat("s");
  return { group, version, resource, ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }) };
}

interface Server {
  readonly kubeconfig: string;
  readonly frontProxyAuthority: string;
  /** The newest revision of each resource, of all that was written before the call. */
  newest(): Promise<ReadonlyMap<string, number>>;
}

async function serve(
  stack: AsyncDisposableStack,
  directory: ReturnType<typeof tempDir>,
  clock: FakeClock,
  store: Store,
): Promise<Server> {
  const certificates = await clusterCertificates({
    directory: directory.join("pki"),
    clock: systemClock,
  });
  // The server tells the time of the world; what it does now and then is none of the world's.
  const serverClock: Clock = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimeout: (ms, callback) => systemClock.setTimeout(ms, callback),
  };
  const revisions = stack.use(await followRevisions(store, REGISTRY));
  const api = stack.use(
    await openApiServer({
      store,
      certificates,
      secrets: await EncryptedValues.open(directory.join("secrets.key")),
      signingKeys: await SigningKeys.open(directory.join("tokens.keys")),
      port: 6443,
      clock: serverClock,
      logger: silentLogger,
    }),
  );
  stack.defer(async () => {
    api.stop();
    api.closeConnections();
    api.server.close();
    if (api.server.listening) await once(api.server, "close");
  });
  api.server.listen(0, "127.0.0.1");
  await once(api.server, "listening");
  const url = `https://127.0.0.1:${(api.server.address() as AddressInfo).port}`;
  const file = directory.join("kubeconfig");
  await writeFile(file, kubeconfig({ name: "test", server: url, certificates }), { mode: 0o600 });
  return {
    kubeconfig: file,
    frontProxyAuthority: certificates.frontProxy.authority,
    newest: () => revisions.newest(),
  };
}
