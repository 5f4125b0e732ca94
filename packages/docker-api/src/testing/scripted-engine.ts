import { PassThrough } from "node:stream";
import { NotFound } from "@boxship/base";
import type {
  ContainerView,
  EngineApi,
  EngineEvent,
  EngineInfo,
  ImageView,
  OutputFrame,
  StreamSession,
} from "@boxship/engine";

/**
 * An engine for tests of the protocol only: it keeps what a test puts into it, and whatever a test does not give is
 * refused. Behaviour of containers is tested against the real engine.
 */
export interface ScriptedEngine extends EngineApi {
  emit(event: EngineEvent): void;
}

type Script = { readonly [K in keyof EngineApi]?: Partial<EngineApi[K]> };

const SECTIONS = ["containers", "execs", "images", "networks", "volumes", "events", "system"] as const;

export function scriptedEngine(script: Script = {}): ScriptedEngine {
  const listeners = new Set<(event: EngineEvent) => void>();
  const past: EngineEvent[] = [];
  const defaults: Script = {
    system: { info: () => Promise.resolve(INFO), layersSize: () => Promise.resolve(0) },
    events: {
      subscribe: (listener) => {
        listeners.add(listener);
        return { [Symbol.dispose]: () => void listeners.delete(listener) };
      },
      recent: () => [...past],
    },
    images: { list: () => Promise.resolve([]) },
    containers: { list: () => Promise.resolve([]), get: (ref) => Promise.reject(noSuchContainer(ref)) },
    networks: { list: () => Promise.resolve([]) },
    volumes: { list: () => Promise.resolve([]) },
  };
  const sections = Object.fromEntries(
    SECTIONS.map((name) => [name, strict(name, { ...defaults[name], ...script[name] })]),
  ) as unknown as EngineApi;
  return {
    ...sections,
    emit: (event) => {
      past.push(event);
      for (const listener of listeners) listener(event);
    },
  };
}

/** A call that no test expected is an error that names it. */
function strict(section: string, methods: object): object {
  return new Proxy(methods, {
    get: (target, name) => {
      if (Reflect.has(target, name)) return Reflect.get(target, name) as unknown;
      return () => Promise.reject(new Error(`${section}.${String(name)} is not scripted`));
    },
  });
}

export function noSuchContainer(name: string): NotFound {
  return new NotFound(`container ${name} does not exist`, { subject: { kind: "container", name } });
}

export const INFO: EngineInfo = {
  id: "engine-id",
  name: "test",
  root: "/var/lib/boxship",
  version: "0.0.0-test",
  containers: { total: 2, running: 1, paused: 0, stopped: 1 },
  images: 1,
  storageDriver: "overlay2",
  storageStatus: [["Backing Filesystem", "extfs"]],
  runtimes: [{ name: "runc", path: "/usr/sbin/runc", version: "1.1.5" }],
  defaultRuntime: "runc",
  monitorVersion: "2.1.6",
  cgroupVersion: 1,
  cgroups: true,
  limits: { memory: true, swap: true, cpu: true, cpuset: true, pids: true },
  kernelVersion: "6.1.0",
  operatingSystem: "Debian GNU/Linux 12 (bookworm)",
  osVersion: "12",
  architecture: "x86_64",
  cpus: 2,
  memory: 1 << 30,
  hostname: "host",
  ipv4Forwarding: true,
  securityOptions: ["name=seccomp,profile=default"],
  cdiDirectories: [],
  discoveredDevices: [],
  addressPools: [{ base: "172.17.0.0/12", size: 24 }],
  insecureRegistries: ["127.0.0.0/8", "localhost:5000"],
  mirrors: [],
  warnings: [],
};

export const CONTAINER_ID = "0123456789abcdef".repeat(4);

/** A running container; `change` says what is different. */
export function containerView(change: Partial<ContainerView> = {}): ContainerView {
  return {
    version: 1,
    id: CONTAINER_ID,
    name: "web",
    created: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    imageId: `sha256:${"a".repeat(64)}`,
    platform: { os: "linux", architecture: "amd64" },
    config: { image: "bb:1", cmd: ["sleep", "1000"] },
    effective: {
      image: "bb:1",
      hostname: "0123456789ab",
      domainname: "",
      user: "",
      env: ["A=b"],
      cmd: ["sleep", "1000"],
      entrypoint: [],
      workingDir: "",
      labels: { x: "y" },
      exposedPorts: ["80/tcp"],
      volumes: [],
    },
    hostConfig: {},
    mounts: [],
    endpoints: [],
    ports: [],
    state: { status: "running", pid: 4242, startedAt: Date.UTC(2026, 0, 2, 3, 4, 6) },
    restartCount: 0,
    stoppedByUser: false,
    imageName: "bb:1",
    execIds: [],
    logPath: "/logs/x",
    resolvConfPath: "/c/resolv.conf",
    hostnamePath: "/c/hostname",
    hostsPath: "/c/hosts",
    sandboxId: "s1",
    sandboxPath: "/run/netns/s1",
    graph: { name: "overlay2", data: { MergedDir: "/m" } },
    ...change,
  };
}

export function imageView(change: Partial<ImageView> = {}): ImageView {
  return {
    id: `sha256:${"a".repeat(64)}`,
    repoTags: ["bb:1"],
    repoDigests: [],
    manifest: {
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest: `sha256:${"b".repeat(64)}`,
      size: 500,
    },
    created: "2026-01-02T03:04:05Z",
    architecture: "amd64",
    os: "linux",
    size: 1_982_363,
    diffIds: [`sha256:${"d".repeat(64)}`],
    config: { cmd: ["sh"], env: ["A=b"], exposedPorts: ["80/tcp"], volumes: ["/data"], labels: { x: "y" } },
    history: [],
    containers: 0,
    graph: { name: "overlay2", data: {} },
    ...change,
  };
}

/** What the process end of a {@link scriptedSession} sees. */
export interface ProcessEnd {
  readonly stdin: PassThrough;
  /** Resolves once the session was let go of. */
  readonly closed: Promise<void>;
}

/** A session whose output is made by `output`, from what it is sent. */
export function scriptedSession(
  output: (process: ProcessEnd) => AsyncIterable<OutputFrame> | Iterable<OutputFrame>,
  tty = false,
): ProcessEnd & { readonly session: StreamSession } {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const stdin = new PassThrough();
  const process = { stdin, closed };
  const frames = async function* () {
    yield* output(process);
  };
  return { ...process, session: { tty, stdin, output: frames(), close: resolve } };
}
