import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CAPABILITY_NAMES } from "@boxship/kernel";
import { buildSpec } from "./build-spec.ts";
import { deviceNumbers, parseDeviceRule } from "./devices.ts";
import { type HostFacts, parseKernelRelease, parseLimits, readHostFacts } from "./host.ts";
import type { SpecRequest } from "./request.ts";
import { serializeOci } from "./serialize.ts";

const host: HostFacts = {
  architecture: "amd64",
  kernel: { major: 6, minor: 1 },
  capabilities: new Set(CAPABILITY_NAMES),
  rlimits: new Map([["RLIMIT_NOFILE", { soft: 1024, hard: 20_000 }]]),
  mayExceedLimits: false,
  oomScoreAdj: 0,
  cpus: 2,
  memoryNodes: "0",
  maxOpenFiles: 2 ** 20,
  cgroup: {
    version: "hybrid",
    controllers: new Set(["cpu", "cpuset", "memory", "pids", "blkio", "devices", "freezer"]),
    swap: true,
    swappiness: true,
    oomKillDisable: true,
    blkioWeight: false,
    cpuRealtime: false,
  },
  userNamespace: false,
  highestGroup: 4_294_967_294,
  apparmor: false,
  selinux: false,
};

const request: SpecRequest = {
  args: ["true"],
  env: ["PATH=/bin"],
  cwd: "/",
  user: { uid: 0, gid: 0 },
  rootfs: "/rootfs",
  cgroupsPath: "/boxship/one",
};

/** As the daemon finds the host when it is root in a user namespace only. */
const withoutRoot: HostFacts = {
  ...host,
  userNamespace: true,
  highestGroup: 65_536,
  cgroup: {
    version: "none",
    controllers: new Set(),
    swap: false,
    swappiness: false,
    oomKillDisable: false,
    blkioWeight: false,
    cpuRealtime: false,
  },
};

const build = (changes: Partial<SpecRequest> = {}, facts: HostFacts = host) =>
  buildSpec({ ...request, ...changes }, facts);

describe("a container's config.json", () => {
  test("has Docker's defaults", () => {
    const { spec, warnings } = build({ hostname: "box" });
    assert.deepEqual(warnings, []);
    assert.equal(spec.hostname, "box");
    assert.deepEqual(
      spec.mounts.map(({ destination }) => destination),
      ["/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm"],
    );
    assert.deepEqual(
      spec.linux.namespaces.map(({ type }) => type),
      ["mount", "network", "uts", "pid", "ipc"],
    );
    assert.equal(spec.process.capabilities?.bounding.length, 14);
    assert.deepEqual(spec.process.capabilities?.inheritable ?? [], []);
    assert.equal(spec.linux.seccomp?.defaultAction, "SCMP_ACT_ERRNO");
    assert.ok(spec.linux.maskedPaths?.includes("/proc/kcore"));
    assert.deepEqual(spec.linux.readonlyPaths, [
      "/proc/bus",
      "/proc/fs",
      "/proc/irq",
      "/proc/sys",
      "/proc/sysrq-trigger",
    ]);
    assert.equal(spec.linux.sysctl?.["net.ipv4.ip_unprivileged_port_start"], "0");
    assert.equal(spec.linux.resources?.devices?.[0]?.allow, false);
  });

  test("privileged takes all of it away", () => {
    const { spec } = build({ privileged: true });
    assert.equal(spec.process.capabilities?.bounding.length, 41);
    assert.equal(spec.linux.seccomp, undefined);
    assert.deepEqual(spec.linux.maskedPaths, []);
    assert.ok(spec.linux.devices?.some(({ path }) => path === "/dev/null"));
    assert.deepEqual(spec.linux.resources?.devices, [{ allow: true, access: "rwm" }]);
    assert.ok(!spec.mounts.some(({ options }) => options?.includes("ro")));
  });

  test("a private cgroup namespace on cgroup v2", () => {
    const { spec } = build({}, { ...host, cgroup: { ...host.cgroup, version: "v2" } });
    assert.ok(spec.linux.namespaces.some(({ type }) => type === "cgroup"));
  });

  test("shared and joined namespaces", () => {
    const { spec } = build({
      hostname: "box",
      namespaces: { network: { path: "/run/netns/a" }, ipc: "host", pid: "host", uts: "host", cgroup: "private" },
    });
    assert.deepEqual(spec.linux.namespaces, [
      { type: "mount" },
      { type: "network", path: "/run/netns/a" },
      { type: "cgroup" },
    ]);
    assert.equal(spec.hostname, undefined);
    assert.equal(spec.linux.sysctl, undefined);
    assert.equal(spec.mounts.find(({ destination }) => destination === "/dev/shm")?.source, "/dev/shm");
  });

  test("a mount replaces the default on its place, parents come first", () => {
    const { spec } = build({
      mounts: [
        { destination: "/a/b/c", type: "bind", source: "/x", options: ["rbind"] },
        { destination: "/a//b/", type: "bind", source: "/y", options: ["rbind", "rshared"] },
        { destination: "/dev/shm", type: "bind", source: "/z", options: ["rbind"] },
      ],
    });
    assert.deepEqual(
      spec.mounts.slice(-3).map(({ destination }) => destination),
      ["/a/b", "/dev/shm", "/a/b/c"],
    );
    assert.equal(spec.mounts.filter(({ destination }) => destination === "/dev/shm").length, 1);
    assert.equal(spec.linux.rootfsPropagation, "shared");
    assert.throws(() => build({ mounts: [{ destination: "a" }] }), /mount path must be absolute/);
    assert.throws(() => build({ mounts: [{ destination: "/a" }, { destination: "/a/" }] }), {
      message: "duplicate mount point: /a",
    });
  });

  test("limits beyond the host's are lowered and named", () => {
    const { spec, warnings } = build({
      rlimits: [
        { type: "nofile", soft: 50_000, hard: -1 },
        { type: "RLIMIT_CORE", soft: 0, hard: -1 },
      ],
      oomScoreAdj: -500,
    });
    assert.deepEqual(spec.process.rlimits, [
      { type: "RLIMIT_NOFILE", soft: 20_000, hard: 20_000 },
      { type: "RLIMIT_CORE", soft: 0, hard: -1 },
    ]);
    assert.equal(spec.process.oomScoreAdj, 0);
    assert.equal(warnings.length, 2);
    assert.match(warnings[0] ?? "", /ulimit nofile was lowered from unlimited to 20000/);
    assert.match(serializeOci(spec), /"hard":18446744073709551615/);
    assert.throws(() => build({ rlimits: [{ type: "nope", soft: 1, hard: 1 }] }), /invalid ulimit type: nope/);
    assert.throws(() => build({ rlimits: [{ type: "nofile", soft: 2, hard: 1 }] }), /soft limit must be less/);
  });

  test("resources, with what the host lacks as warnings", () => {
    const { spec, warnings } = build({
      resources: { memory: 64 << 20, nanoCpus: 1.5e9, pids: 10, cpusetCpus: "0-1", blkioWeight: 100 },
    });
    assert.deepEqual(spec.linux.resources?.memory, { limit: 64 << 20, swap: 128 << 20 });
    assert.deepEqual(spec.linux.resources?.cpu, { quota: 150_000, period: 100_000, cpus: "0-1" });
    assert.deepEqual(spec.linux.resources?.pids, { limit: 10 });
    assert.equal(spec.linux.resources?.blockIO, undefined);
    assert.deepEqual(warnings, [
      "your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.",
    ]);
  });

  for (const [resources, message] of [
    [{ memory: 1024 }, /minimum memory limit allowed is 6MB/],
    [{ memorySwap: 1 << 30 }, /should always set the Memory limit/],
    [{ memory: 1 << 30, memorySwap: 1 << 29 }, /minimum memoryswap limit should be larger/],
    [{ nanoCpus: 3e9 }, /as there are only 2 CPUs available/],
    [{ nanoCpus: 1e9, cpuQuota: 1000 }, /Nano CPUs and CPU Quota cannot both be set/],
    [{ cpuPeriod: 1 }, /CPU cfs period can not be less than 1ms/],
    [{ cpusetCpus: "0-7" }, /requested CPUs are not available/],
    [{ cpusetCpus: "x" }, /invalid value x for cpuset cpus/],
    [{ deviceCgroupRules: ["x"] }, /invalid device cgroup rule format: 'x'/],
    [{ blkioReadBps: [{ path: "/dev/null", rate: 1 }] }, /not a block device/],
  ] as const) {
    test(`refuses ${JSON.stringify(resources)}`, () => {
      assert.throws(() => build({ resources }), message);
    });
  }

  test("kernel parameters of namespaces that are not the container's are refused", () => {
    const sysctl = (name: string, namespaces: SpecRequest["namespaces"] = {}) =>
      build({ sysctls: { [name]: "1" }, namespaces });
    assert.equal(sysctl("kernel.shmmax").spec.linux.sysctl?.["kernel.shmmax"], "1");
    assert.equal(sysctl("net/ipv4/ip_forward").spec.linux.sysctl?.["net.ipv4.ip_forward"], "1");
    assert.throws(() => sysctl("vm.swappiness"), {
      message: 'sysctl "vm.swappiness" is not in a separate kernel namespace',
    });
    assert.throws(() => sysctl("net.ipv4.ip_forward", { network: "host" }), {
      message: 'sysctl "net.ipv4.ip_forward" not allowed in host network namespace',
    });
    assert.throws(() => sysctl("kernel.shmmax", { ipc: "host" }), /not allowed in host ipc namespace/);
  });

  test("devices are looked up on the host", () => {
    const { spec } = build({ devices: [{ hostPath: "/dev/full", containerPath: "/dev/mine", permissions: "r" }] });
    assert.deepEqual(spec.linux.devices?.[0], {
      path: "/dev/mine",
      type: "c",
      major: 1,
      minor: 7,
      fileMode: 0o666,
      uid: 0,
      gid: 0,
    });
    assert.deepEqual(spec.linux.resources?.devices?.at(-1), {
      allow: true,
      type: "c",
      major: 1,
      minor: 7,
      access: "r",
    });
    assert.throws(() => build({ devices: [{ hostPath: "/dev/boxship-none" }] }), {
      message:
        'error gathering device information while adding custom device "/dev/boxship-none": no such file or directory',
    });
    assert.throws(() => build({ devices: [{ hostPath: "/etc/passwd" }] }), /not a device node/);
  });

  test("what the host does not have is refused by name", () => {
    assert.throws(() => build({ init: true }), /no static catatonit, tini or dumb-init/);
    assert.throws(() => build({ apparmor: "mine" }), /apparmor profile mine: this host's kernel has no AppArmor/);
    assert.throws(() => build({ selinux: { processLabel: "a:b:c" } }), /has no SELinux/);
    assert.equal(build({ apparmor: "unconfined" }).spec.process.apparmorProfile, undefined);
  });

  test("an init runs in front of the command", () => {
    const { spec } = build({ init: true }, { ...host, initBinary: "/usr/bin/tini-static" });
    assert.deepEqual(spec.process.args, ["/sbin/docker-init", "--", "true"]);
    assert.equal(spec.mounts.at(-1)?.source, "/usr/bin/tini-static");
  });
});

describe("facts of the host", () => {
  test("are read here", () => {
    const facts = readHostFacts();
    assert.ok(facts.cpus >= 1);
    assert.ok(facts.capabilities.has("CAP_CHOWN"));
    assert.ok(facts.rlimits.has("RLIMIT_NOFILE"));
    assert.ok(facts.cgroup.controllers.has("memory"));
  });

  test("limits and releases", () => {
    const limits = parseLimits(
      "Limit                     Soft Limit           Hard Limit           Units     \n" +
        "Max open files            1024                 unlimited            files     \n",
    );
    assert.deepEqual(limits.get("RLIMIT_NOFILE"), { soft: 1024, hard: Number.POSITIVE_INFINITY });
    assert.deepEqual(parseKernelRelease("6.18.44-fc"), { major: 6, minor: 18 });
  });

  test("device numbers and rules", () => {
    assert.deepEqual(deviceNumbers(0x0103), { major: 1, minor: 3 });
    assert.deepEqual(deviceNumbers(0x12300145), { major: 1, minor: 0x12345 });
    assert.deepEqual(parseDeviceRule("c 10:* rw"), { allow: true, type: "c", major: 10, access: "rw" });
  });
});

describe("without root", () => {
  test("limits that need control groups are discarded with Docker's warnings", () => {
    const warnings = (resources: SpecRequest["resources"]) =>
      build({ ...(resources && { resources }) }, withoutRoot).warnings;
    assert.deepEqual(warnings({ memory: 64 << 20, nanoCpus: 1e9, pids: 10, deviceCgroupRules: ["c 1:3 rwm"] }), [
      "your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.",
      "your kernel does not support CPU CFS quota or the cgroup is not mounted. Quota discarded.",
      "your kernel does not support CPU CFS period or the cgroup is not mounted. Period discarded.",
      "your kernel does not support pids limit or the cgroup is not mounted. PIDs limit discarded.",
      "your kernel does not support rules of the device cgroup or the cgroup is not mounted. Rules discarded.",
    ]);
    assert.deepEqual(warnings({ memory: 0, pids: -1 }), []);
    assert.deepEqual(build({ resources: { memory: 64 << 20 } }, withoutRoot).spec.linux.resources, {});
  });

  test("with delegated control groups limits apply, but for rules of devices", () => {
    const controllers = new Set(["memory", "pids", "freezer"]);
    const delegated = { ...withoutRoot.cgroup, version: "v2" as const, controllers };
    const { spec, warnings } = build(
      { resources: { memory: 64 << 20, pids: 10, cpuShares: 5 } },
      { ...withoutRoot, cgroup: delegated },
    );
    assert.deepEqual(spec.linux.resources, { memory: { limit: 64 << 20 }, pids: { limit: 10 } });
    assert.deepEqual(warnings, [
      "your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.",
    ]);
    assert.ok(spec.mounts.some(({ destination }) => destination === "/sys/fs/cgroup"));
    assert.ok(spec.linux.namespaces.some(({ type }) => type === "cgroup"));
  });

  test("no cgroup tree is shown, and ping is for the groups that exist", () => {
    const { spec } = build({}, withoutRoot);
    assert.ok(!spec.mounts.some(({ destination }) => destination === "/sys/fs/cgroup"));
    assert.equal(spec.linux.sysctl?.["net.ipv4.ping_group_range"], "0 65536");
  });

  test("devices are mounted, and so is the proc of the machine's processes", () => {
    const devices = [{ hostPath: "/dev/null", containerPath: "/dev/nothing" }];
    const { spec } = build({ devices, namespaces: { pid: "host" } }, withoutRoot);
    const mount = (place: string) => spec.mounts.find(({ destination }) => destination === place);
    assert.equal(mount("/dev/nothing")?.source, "/dev/null");
    assert.equal(spec.linux.devices, undefined);
    assert.deepEqual([mount("/proc")?.type, mount("/proc")?.source], ["bind", "/proc"]);
    assert.equal(build({ devices }).spec.linux.devices?.length, 1);
  });
});
