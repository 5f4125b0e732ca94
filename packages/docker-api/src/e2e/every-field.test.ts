import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Boxship, repositoryRoot, startBoxship } from "@boxship/testkit";
import { dockerRequests, resolveSchema } from "../docs/requests.ts";
import { IMAGE, importBusybox } from "../testing/engine-under-test.ts";

/**
 * What becomes of every field that Docker's API 1.51 has for a new container. One that is not in the tables, such as one
 * of a later version, fails the test: nothing may be ignored in silence.
 *
 * - `spec`: the field is set on one of two containers that are started, and stands in what the runtime was given.
 * - `refused`: it is sent, and the answer names it.
 * - `warned`: it is sent, and the answer warns that it has no effect here.
 * - `elsewhere`: a line of the engine uses it, and a test sees what it does; both are looked up, as text in the file.
 */
type Fate =
  | {
      readonly on?: "plain" | "privileged";
      readonly set: unknown;
      readonly spec: (spec: Spec) => unknown;
      readonly is: unknown;
    }
  | { readonly refused: unknown; readonly message: RegExp }
  | { readonly warned: unknown; readonly message: RegExp }
  | { readonly code: readonly [file: string, text: string]; readonly elsewhere: readonly [file: string, text: string] };

interface Mount {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
}

interface Spec {
  readonly process: {
    readonly args: readonly string[];
    readonly env: readonly string[];
    readonly cwd: string;
    readonly terminal?: boolean;
    readonly consoleSize?: object;
    readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids?: readonly number[] };
    readonly rlimits?: readonly object[];
    readonly oomScoreAdj?: number;
    readonly noNewPrivileges?: boolean;
    readonly capabilities: { readonly bounding: readonly string[] };
  };
  readonly hostname?: string;
  readonly root: { readonly readonly?: boolean };
  readonly mounts: readonly Mount[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux: {
    readonly namespaces: readonly { readonly type: string; readonly path?: string }[];
    readonly cgroupsPath: string;
    readonly sysctl?: Readonly<Record<string, string>>;
    readonly seccomp?: object;
    readonly devices?: readonly { readonly path: string }[];
    readonly maskedPaths?: readonly string[];
    readonly readonlyPaths?: readonly string[];
    readonly resources: {
      readonly devices?: readonly { readonly major?: number }[];
      readonly memory?: Readonly<Record<string, unknown>>;
      readonly cpu?: Readonly<Record<string, unknown>>;
      readonly pids?: object;
      readonly blockIO?: Readonly<Record<string, unknown>>;
    };
  };
}

const at = (destination: string) => (spec: Spec) => spec.mounts.some((mount) => mount.destination === destination);
const memory = (name: string) => (spec: Spec) => spec.linux.resources.memory?.[name];
const cpu = (name: string) => (spec: Spec) => spec.linux.resources.cpu?.[name];
const blockIo = (name: string) => (spec: Spec) =>
  (spec.linux.resources.blockIO?.[name] as readonly object[] | undefined)?.length;
const namespace = (type: string) => (spec: Spec) => spec.linux.namespaces.find((entry) => entry.type === type)?.path;
const hasNamespace = (type: string) => (spec: Spec) => spec.linux.namespaces.some((entry) => entry.type === type);

const E2E = "packages/docker-api/src/e2e";
const ENGINE = "packages/engine/src/container";
const throttles = [{ Path: "DISK", Rate: 1 << 20 }];

/** No kernel has them without the scheduler BFQ; where it is, nothing is to be warned of. */
const WEIGHTS = existsSync("/sys/fs/cgroup/blkio/blkio.bfq.weight")
  ? /^$/
  : /kernel does not support Block I\/O weight/;

const CONFIG: Readonly<Record<string, Fate>> = {
  Hostname: { set: "own", spec: ({ hostname }) => hostname, is: "own" },
  Domainname: { set: "dom.ain", spec: ({ linux }) => linux.sysctl?.["kernel.domainname"], is: "dom.ain" },
  User: { set: "12:34", spec: ({ process }) => [process.user.uid, process.user.gid], is: [12, 34] },
  Tty: { set: true, spec: ({ process }) => process.terminal, is: true },
  Env: { set: ["A=b"], spec: ({ process }) => process.env.includes("A=b"), is: true },
  Cmd: { set: ["-c", "sleep 1000"], spec: ({ process }) => process.args.slice(-2), is: ["-c", "sleep 1000"] },
  Entrypoint: { set: ["/bin/sh"], spec: ({ process }) => process.args.includes("/bin/sh"), is: true },
  WorkingDir: { set: "/tmp/own", spec: ({ process }) => process.cwd, is: "/tmp/own" },
  Volumes: { set: { "/anonymous": {} }, spec: at("/anonymous"), is: true },
  Image: {
    code: [`${ENGINE}/container-create.ts`, "request.config.image"],
    elsewhere: [`${E2E}/run.test.ts`, "IMAGE"],
  },
  AttachStdin: { code: [`${ENGINE}/config.ts`, "attachStdin"], elsewhere: [`${E2E}/dockerode.test.ts`, "AttachStdin"] },
  AttachStdout: {
    code: [`${ENGINE}/config.ts`, "attachStdout"],
    elsewhere: [`${E2E}/terminal.test.ts`, "AttachStdout"],
  },
  AttachStderr: {
    code: [`${ENGINE}/config.ts`, "attachStderr"],
    elsewhere: [`${E2E}/dockerode.test.ts`, "AttachStderr"],
  },
  ExposedPorts: { code: [`${ENGINE}/port-bindings.ts`, "exposed"], elsewhere: [`${E2E}/networks.test.ts`, "--expose"] },
  OpenStdin: {
    code: [`${ENGINE}/container-start.ts`, "openStdin"],
    elsewhere: [`${E2E}/terminal.test.ts`, "OpenStdin"],
  },
  StdinOnce: {
    code: [`${ENGINE}/container-start.ts`, "stdinOnce"],
    elsewhere: [`${E2E}/dockerode.test.ts`, "StdinOnce"],
  },
  Healthcheck: {
    code: [`${ENGINE}/health-start.ts`, "healthcheck"],
    elsewhere: [`${E2E}/compose.test.ts`, "healthy"],
  },
  ArgsEscaped: {
    code: ["packages/docker-api/src/routes/container/container-create.ts", "it means something on Windows only"],
    elsewhere: ["packages/docker-api/src/docs/render.test.ts", "docker-api.md"],
  },
  NetworkDisabled: {
    code: [`${ENGINE}/network-mode.ts`, "networkDisabled"],
    elsewhere: [`${E2E}/every-field.test.ts`, "NetworkDisabled: true"],
  },
  MacAddress: {
    code: [`${ENGINE}/network-mode.ts`, "macAddress"],
    elsewhere: [`${E2E}/every-field.test.ts`, "02:42:0a:01:02:03"],
  },
  OnBuild: { code: [`${ENGINE}/container-commit.ts`, "onBuild"], elsewhere: [`${E2E}/commit.test.ts`, "OnBuild"] },
  Labels: {
    code: [`${ENGINE}/effective-config.ts`, "labels"],
    elsewhere: [`${E2E}/host-config.test.ts`, "--label a=b"],
  },
  StopSignal: {
    code: [`${ENGINE}/container-kill.ts`, "stopSignal"],
    elsewhere: [`${E2E}/every-field.test.ts`, 'StopSignal: "SIGUSR1"'],
  },
  StopTimeout: {
    code: [`${ENGINE}/container-stop.ts`, "stopTimeout"],
    elsewhere: [`${E2E}/lifecycle.test.ts`, "--stop-timeout"],
  },
  Shell: {
    code: ["packages/engine/src/image/image-config.ts", "shell"],
    elsewhere: ["packages/build/src/e2e/classic.test.ts", "Shell"],
  },
};

const HOST_CONFIG: Readonly<Record<string, Fate>> = {
  Binds: { set: ["/etc:/bound:ro"], spec: at("/bound"), is: true },
  Mounts: { set: [{ Type: "tmpfs", Target: "/mounted" }], spec: at("/mounted"), is: true },
  Tmpfs: { set: { "/scratch": "size=1m" }, spec: at("/scratch"), is: true },
  ConsoleSize: { set: [30, 100], spec: ({ process }) => process.consoleSize, is: { height: 30, width: 100 } },
  Annotations: { set: { a: "b" }, spec: ({ annotations }) => annotations?.["a"], is: "b" },
  CapAdd: {
    set: ["SYS_TIME"],
    spec: ({ process }) => process.capabilities.bounding.includes("CAP_SYS_TIME"),
    is: true,
  },
  CapDrop: { set: ["CHOWN"], spec: ({ process }) => process.capabilities.bounding.includes("CAP_CHOWN"), is: false },
  CgroupnsMode: { set: "private", spec: hasNamespace("cgroup"), is: true },
  GroupAdd: { set: ["7"], spec: ({ process }) => process.user.additionalGids?.includes(7), is: true },
  IpcMode: { on: "privileged", set: "host", spec: hasNamespace("ipc"), is: false },
  OomScoreAdj: { set: 500, spec: ({ process }) => process.oomScoreAdj, is: 500 },
  PidMode: { on: "privileged", set: "host", spec: hasNamespace("pid"), is: false },
  Privileged: { on: "privileged", set: true, spec: ({ linux }) => linux.seccomp, is: undefined },
  ReadonlyRootfs: { set: true, spec: ({ root }) => root.readonly, is: true },
  SecurityOpt: { set: ["no-new-privileges"], spec: ({ process }) => process.noNewPrivileges, is: true },
  UTSMode: { on: "privileged", set: "host", spec: hasNamespace("uts"), is: false },
  ShmSize: {
    set: 3 << 20,
    spec: ({ mounts }) => mounts.some(({ destination, source }) => destination === "/dev/shm" && source !== undefined),
    is: true,
  },
  Sysctls: { set: { "kernel.shmmax": "12345" }, spec: ({ linux }) => linux.sysctl?.["kernel.shmmax"], is: "12345" },
  MaskedPaths: { set: ["/proc/own"], spec: ({ linux }) => linux.maskedPaths, is: ["/proc/own"] },
  ReadonlyPaths: { set: ["/proc/other"], spec: ({ linux }) => linux.readonlyPaths, is: ["/proc/other"] },
  CpuShares: { set: 300, spec: cpu("shares"), is: 300 },
  CpuPeriod: { set: 50_000, spec: cpu("period"), is: 50_000 },
  CpuQuota: { set: 20_000, spec: cpu("quota"), is: 20_000 },
  NanoCpus: {
    on: "privileged",
    set: 500_000_000,
    spec: ({ linux }) => Number(linux.resources.cpu?.["quota"]) / Number(linux.resources.cpu?.["period"]),
    is: 0.5,
  },
  CpusetCpus: { set: "0", spec: cpu("cpus"), is: "0" },
  CpusetMems: { set: "0", spec: cpu("mems"), is: "0" },
  Memory: { set: 64 << 20, spec: memory("limit"), is: 64 << 20 },
  MemoryReservation: { set: 32 << 20, spec: memory("reservation"), is: 32 << 20 },
  MemorySwap: { set: 96 << 20, spec: memory("swap"), is: 96 << 20 },
  MemorySwappiness: { set: 7, spec: memory("swappiness"), is: 7 },
  OomKillDisable: { set: true, spec: memory("disableOOMKiller"), is: true },
  PidsLimit: { set: 40, spec: ({ linux }) => linux.resources.pids, is: { limit: 40 } },
  BlkioDeviceReadBps: { set: throttles, spec: blockIo("throttleReadBpsDevice"), is: 1 },
  BlkioDeviceWriteBps: { set: throttles, spec: blockIo("throttleWriteBpsDevice"), is: 1 },
  BlkioDeviceReadIOps: { set: throttles, spec: blockIo("throttleReadIOPSDevice"), is: 1 },
  BlkioDeviceWriteIOps: { set: throttles, spec: blockIo("throttleWriteIOPSDevice"), is: 1 },
  CgroupParent: { set: "/INSTANCE/own", spec: ({ linux }) => linux.cgroupsPath.split("/").at(-2), is: "own" },
  Devices: {
    set: [{ PathOnHost: "/dev/null", PathInContainer: "/dev/own", CgroupPermissions: "r" }],
    spec: ({ linux }) => linux.devices?.some(({ path }) => path === "/dev/own"),
    is: true,
  },
  DeviceCgroupRules: {
    set: ["c 42:* rmw"],
    spec: ({ linux }) => linux.resources.devices?.some(({ major }) => major === 42),
    is: true,
  },
  Ulimits: {
    set: [{ Name: "nofile", Soft: 100, Hard: 200 }],
    spec: ({ process }) => process.rlimits,
    is: [{ type: "RLIMIT_NOFILE", soft: 100, hard: 200 }],
  },
  Init: { set: true, spec: ({ process }) => process.args[0], is: "/sbin/docker-init" },
  NetworkMode: { on: "privileged", set: "host", spec: namespace("network"), is: undefined },
  BlkioWeight: { warned: 300, message: WEIGHTS },
  BlkioWeightDevice: { warned: [{ Path: "DISK", Weight: 300 }], message: WEIGHTS },
  CpuRealtimePeriod: {
    code: ["packages/runtime/src/spec/resources-validate.ts", "cpuRealtimePeriod"],
    elsewhere: [`${E2E}/host-config.test.ts`, "--cpu-rt-period"],
  },
  CpuRealtimeRuntime: {
    code: ["packages/runtime/src/spec/resources-validate.ts", "cpuRealtimeRuntime"],
    elsewhere: [`${E2E}/host-config.test.ts`, "--cpu-rt-runtime"],
  },
  DeviceRequests: {
    code: [`${ENGINE}/start-spec.ts`, "deviceRequests"],
    elsewhere: [`${E2E}/host-config.test.ts`, "Container Device Interface"],
  },
  StorageOpt: {
    code: [`${ENGINE}/check-host-config.ts`, "storageOpt"],
    elsewhere: [`${E2E}/host-config.test.ts`, "size=20m"],
  },
  UsernsMode: {
    code: [`${ENGINE}/check-host-config.ts`, "usernsMode"],
    elsewhere: [`${E2E}/host-config.test.ts`, "--userns"],
  },
  Runtime: {
    code: [`${ENGINE}/check-host-config.ts`, "hostConfig.runtime"],
    elsewhere: [`${E2E}/stuck.test.ts`, "--runtime"],
  },
  ContainerIDFile: {
    code: [`${ENGINE}/config.ts`, "containerIdFile"],
    elsewhere: ["packages/docker-api/src/wire/golden.test.ts", "inspect"],
  },
  LogConfig: {
    code: ["packages/engine/src/log/log-plan.ts", "logConfig"],
    elsewhere: [`${E2E}/log-drivers.test.ts`, "LogConfig"],
  },
  PortBindings: {
    code: [`${ENGINE}/port-bindings.ts`, "portBindings"],
    elsewhere: ["packages/daemon/src/services.test.ts", "PortBindings"],
  },
  PublishAllPorts: {
    code: [`${ENGINE}/port-bindings.ts`, "publishAllPorts"],
    elsewhere: [`${E2E}/every-field.test.ts`, "PublishAllPorts: true"],
  },
  RestartPolicy: {
    code: [`${ENGINE}/restart-policy.ts`, "RestartPolicy"],
    elsewhere: ["packages/daemon/src/restart.test.ts", "RestartPolicy"],
  },
  AutoRemove: { code: [`${ENGINE}/container-exit.ts`, "autoRemove"], elsewhere: [`${E2E}/run.test.ts`, "--rm"] },
  VolumeDriver: {
    code: [`${ENGINE}/check-host-config.ts`, "volumeDriver"],
    elsewhere: [`${E2E}/host-config.test.ts`, "--volume-driver"],
  },
  VolumesFrom: {
    code: [`${ENGINE}/mounts-resolve.ts`, "volumesFrom"],
    elsewhere: [`${E2E}/access.test.ts`, "--volumes-from"],
  },
  Dns: { code: [`${ENGINE}/start-network.ts`, "dns"], elsewhere: [`${E2E}/host-config.test.ts`, "--dns 9.9.9.9"] },
  DnsOptions: {
    code: [`${ENGINE}/start-network.ts`, "dnsOptions"],
    elsewhere: [`${E2E}/host-config.test.ts`, "--dns-option"],
  },
  DnsSearch: {
    code: [`${ENGINE}/start-network.ts`, "dnsSearch"],
    elsewhere: [`${E2E}/host-config.test.ts`, "--dns-search"],
  },
  ExtraHosts: {
    code: [`${ENGINE}/start-network.ts`, "extraHosts"],
    elsewhere: [`${E2E}/host-config.test.ts`, "--add-host"],
  },
  Links: { code: [`${ENGINE}/link-environment.ts`, "links"], elsewhere: [`${E2E}/networks.test.ts`, "--link"] },
  Cgroup: { refused: "container:x", message: /HostConfig\.Cgroup is not supported/ },
  Isolation: { refused: "hyperv", message: /HostConfig\.Isolation is not supported/ },
  CpuCount: { refused: 2, message: /HostConfig\.CpuCount is not supported/ },
  CpuPercent: { refused: 50, message: /HostConfig\.CpuPercent is not supported/ },
  IOMaximumIOps: { refused: 1, message: /HostConfig\.IOMaximumIOps is not supported/ },
  IOMaximumBandwidth: { refused: 1, message: /HostConfig\.IOMaximumBandwidth is not supported/ },
  KernelMemoryTCP: { warned: 1 << 20, message: /HostConfig\.KernelMemoryTCP is not supported/ },
};

/** A disk of this host, whole. */
function someDisk(): string {
  const lines = readFileSync("/proc/partitions", "utf8").split("\n");
  const name = lines
    .map((line) => line.trim().split(/\s+/)[3] ?? "")
    .find((entry) => /^(?:vd|sd|xvd|nvme|loop|dm-)/.test(entry));
  return `/dev/${name}`;
}

const known = (table: Readonly<Record<string, Fate>>) => Object.keys(table).toSorted();

describe("every field of a new container has a known fate", { timeout: 240_000 }, () => {
  let engine: Boxship;
  const specs = new Map<string, Spec>();
  const create = (body: object) =>
    engine.client.json<{ Id: string; Warnings: readonly string[] }>("POST", "/containers/create", body);
  const start = async (body: object): Promise<string> => {
    const { Id } = await create({ Image: IMAGE, Cmd: ["sleep", "1000"], ...body });
    await engine.client.json("POST", `/containers/${Id}/start`);
    return Id;
  };
  const setOn = (table: Readonly<Record<string, Fate>>, on: "plain" | "privileged") =>
    Object.fromEntries(
      Object.entries(table).flatMap(([name, fate]) =>
        "set" in fate && (fate.on ?? "plain") === on ? [[name, fate.set] as const] : [],
      ),
    );

  before(async () => {
    engine = await startBoxship();
    await importBusybox(engine.socketPath);
    const disk = someDisk();
    for (const on of ["plain", "privileged"] as const) {
      const body = { ...setOn(CONFIG, on), HostConfig: { NetworkMode: "none", ...setOn(HOST_CONFIG, on) } };
      const id = await start(
        JSON.parse(JSON.stringify(body).replaceAll("DISK", disk).replace("INSTANCE", engine.name)) as object,
      );
      const file = `${engine.runDir}/runtime/containers/${id}/config.json`;
      specs.set(on, JSON.parse(readFileSync(file, "utf8")) as Spec);
    }
  });
  after(() => engine[Symbol.asyncDispose]());

  test("the tables name what the API has, and no more", () => {
    const requests = dockerRequests();
    const [body] = requests.paths["/containers/create"]?.["post"]?.filter((parameter) => parameter.in === "body") ?? [];
    const { properties = {} } = resolveSchema(body?.schema ?? {}, requests);
    const { HostConfig, NetworkingConfig, ...config } = properties;
    assert.ok(NetworkingConfig !== undefined);
    assert.deepEqual(known(CONFIG), Object.keys(config).toSorted());
    const host = resolveSchema(HostConfig ?? {}, requests).properties ?? {};
    assert.deepEqual(known(HOST_CONFIG), Object.keys(host).toSorted());
  });

  for (const [name, fate] of [...Object.entries(CONFIG), ...Object.entries(HOST_CONFIG)]) {
    test(name, async () => {
      if ("set" in fate) {
        const spec = specs.get(fate.on ?? "plain");
        assert.ok(spec !== undefined);
        assert.deepEqual(fate.spec(spec), fate.is);
      } else if ("refused" in fate) {
        const answer = await engine.client.call("POST", "/containers/create", {
          body: { Image: IMAGE, HostConfig: { [name]: fate.refused } },
        });
        assert.equal(answer.status, 501, answer.text);
        assert.match(answer.text, fate.message);
      } else if ("warned" in fate) {
        const body = JSON.stringify({ Image: IMAGE, Cmd: ["true"], HostConfig: { [name]: fate.warned } });
        const { Warnings } = await create(JSON.parse(body.replaceAll("DISK", someDisk())) as object);
        assert.match(Warnings.join("\n"), fate.message);
      } else {
        for (const [file, text] of [fate.code, fate.elsewhere]) {
          const path = resolve(repositoryRoot, file);
          assert.ok(existsSync(path) && readFileSync(path, "utf8").includes(text), `${file} has no ${text} any more`);
        }
      }
    });
  }

  test("a hardware address, no network at all, and a port of the host for each that is exposed", async () => {
    const inspect = async (id: string) =>
      engine.client.json<{
        NetworkSettings: { Networks: Record<string, { MacAddress: string }>; Ports: Record<string, unknown[]> };
      }>("GET", `/containers/${id}/json`);
    const own = await inspect(
      await start({
        MacAddress: "02:42:0a:01:02:03",
        ExposedPorts: { "81/tcp": {} },
        HostConfig: { PublishAllPorts: true },
      }),
    );
    assert.equal(own.NetworkSettings.Networks["bridge"]?.MacAddress, "02:42:0a:01:02:03");
    assert.ok((own.NetworkSettings.Ports["81/tcp"]?.length ?? 0) > 0);
    const none = await inspect(await start({ NetworkDisabled: true }));
    assert.deepEqual(none.NetworkSettings.Networks, {});
  });

  test("the signal that stops", async () => {
    const id = await start({
      Cmd: ["sh", "-c", "trap 'exit 5' USR1; echo ready; while :; do sleep 0.05; done"],
      StopSignal: "SIGUSR1",
    });
    const logs = () => engine.client.call("GET", `/containers/${id}/logs?stdout=1`);
    while (!(await logs()).text.includes("ready")) await delay(20);
    await engine.client.json("POST", `/containers/${id}/stop`);
    const { State } = await engine.client.json<{ State: { ExitCode: number } }>("GET", `/containers/${id}/json`);
    assert.equal(State.ExitCode, 5);
  });
});
