import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createLogger, findProgram, systemClock } from "@boxship/base";
import { Engine } from "@boxship/engine";
import { clientSession, Empty, GrpcClient, type Init, type Method, method } from "@boxship/grpc";
import { type FoundCriu, findCriu, runProgram, type TempDir, tempDir } from "@boxship/testkit";
import type { Cri } from "./contract.ts";
import { criSuite } from "./cri.suite.ts";
import { connectCri } from "./cri-client.ts";
import { CriDoor } from "./cri-door.ts";
import { criHandlers } from "./engine-cri.ts";
import { inProcessCri } from "./in-process.ts";
import { STREAMED_METHODS } from "./methods.ts";
import { StreamingServer } from "./streaming/streaming-server.ts";

const stack = new AsyncDisposableStack();
const name = `bx${String(process.pid).padStart(6, "0").slice(-6)}`;
let cri: { readonly inProcess: Cri; readonly socket: Cri };
let logs: string;
let socket: string;
let files: TempDir;
let criu: FoundCriu;

before(async () => {
  const directory = stack.use(tempDir(`cri-${name}`));
  // For root of pods that have users of their own.
  chmodSync(directory.path, 0o711);
  mkdirSync(directory.join("root"), { mode: 0o711 });
  logs = directory.join("logs");
  files = directory;
  criu = await findCriu(directory.join("criu"));
  process.env["PATH"] = criu.PATH;
  const logger = createLogger({ level: "error" });
  const runDir = directory.join("run");
  const engine = stack.use(
    await Engine.open({ root: directory.join("root"), runDir, name, clock: systemClock, logger }),
  );
  stack.defer(() => engine.reset());
  await engine.images.bootstrap("busybox", () => {});
  const handlers = criHandlers(engine, stack.use(new StreamingServer(systemClock, logger)));
  const door = stack.use(new CriDoor(handlers, logger));
  socket = directory.join("cri.sock");
  door.server.listen(socket);
  await once(door.server, "listening");
  cri = { inProcess: inProcessCri(handlers), socket: stack.use(connectCri(socket)) };
});

after(() => stack.disposeAsync());

const cgroupParent = `/${name}/pods/burstable`;
criSuite("in the engine's process", () => ({ cri: cri.inProcess, image: "busybox", logs: `${logs}/a`, cgroupParent }));
criSuite("at the engine's socket", () => ({ cri: cri.socket, image: "busybox", logs: `${logs}/b`, cgroupParent }));

test("lists are told in parts, too, and what is not known is refused by name", async () => {
  const connection = connect(socket);
  const session = clientSession(connection);
  session.on("error", () => {});
  try {
    const client = new GrpcClient(session);
    const parts = async <Request extends object, Part>(list: Method<Request, Part>) => {
      using call = client.call(list);
      await call.send({} as Init<Request>);
      call.endRequests();
      return await Array.fromAsync(call.responses);
    };
    const { images, podSandboxes, containers, containerStats, podSandboxMetrics, podSandboxStats } = STREAMED_METHODS;
    const told = await parts(images);
    const listed = await cri.socket.listImages({});
    assert.deepEqual(
      told.flatMap((part) => part.images.map(({ id }) => id)),
      listed.images.map(({ id }) => id),
    );
    const { podSandboxId } = await cri.socket.runPodSandbox({ config: { metadata: { name: "told", uid: "told" } } });
    const pods = await parts(podSandboxes);
    assert.ok(pods.some((part) => part.podSandboxes.some(({ id }) => id === podSandboxId)));
    const metrics = (await parts(podSandboxMetrics)).flatMap((part) => part.podSandboxMetrics);
    assert.ok(metrics.some((one) => one.podSandboxId === podSandboxId));
    const stats = (await parts(podSandboxStats)).flatMap((part) => part.podSandboxStats);
    assert.ok(stats.some(({ attributes }) => attributes?.id === podSandboxId));
    await cri.socket.removePodSandbox({ podSandboxId });
    assert.deepEqual(await parts(containers), []);
    assert.deepEqual(await parts(containerStats), []);
    const unknown = method("runtime.v1.RuntimeService", "CheckpointPod", Empty, Empty);
    await assert.rejects(client.unary(unknown, {}), { code: "Unsupported", message: /CheckpointPod/ });
  } finally {
    session.destroy();
  }
});

test("subnets that pods cannot have are refused, and pods keep those that they had", async () => {
  const { socket: at } = cri;
  const change = (podCidr: string) => at.updateRuntimeConfig({ runtimeConfig: { networkConfig: { podCidr } } });
  const told = async () => (await at.status({ verbose: true })).info["podNetworks"];
  await change("10.209.7.0/24");
  for (const [bad, code, message] of [
    ["banana", "InvalidArgument", /banana/],
    ["10.209.8.0/99", "InvalidArgument", /99/],
    ["10.209.8.0/24,banana", "InvalidArgument", /banana/],
    ["127.0.0.0/8", "Conflict", /127\.0\.0\.0/],
  ] as const) {
    await assert.rejects(change(bad), { code, message }, bad);
    assert.equal(await told(), JSON.stringify(["10.209.7.0/24"]), bad);
  }
  await change("10.209.0.0/16");
  assert.equal(await told(), JSON.stringify(["10.209.0.0/16"]), "around the one before");
});

test("what cannot be is refused by the name of its field, and with the code that other engines give", async () => {
  const { socket: at } = cri;
  const metadata = { name: "p", namespace: "n", uid: "odd", attempt: 0 };
  const refused = async (task: Promise<unknown>, code: string, message: RegExp) => {
    await assert.rejects(task, { code, message });
  };
  const none = "f".repeat(64);
  const run = (config: object) => at.runPodSandbox({ config: { metadata, ...config } });
  const modes = (namespaceOptions: object) => run({ linux: { securityContext: { namespaceOptions } } });
  await refused(run({ hostname: "x".repeat(65) }), "InvalidArgument", /host name has more than 64 characters/);
  await refused(modes({ network: 77 }), "InvalidArgument", /77 is no value of namespace_options\.network/);
  await refused(modes({ ipc: 3 }), "InvalidArgument", /3 is no value of namespace_options\.ipc/);
  await refused(modes({ pid: -4 }), "InvalidArgument", /-4 is no value of namespace_options\.pid/);
  const port = { containerPort: 80, hostPort: 80 };
  await refused(run({ portMappings: [{ ...port, protocol: 9 }] }), "InvalidArgument", /9 is no value of protocol/);
  await refused(
    run({ portMappings: [{ containerPort: -1, hostPort: 99999 }] }),
    "InvalidArgument",
    /outside 1 to 65535/,
  );
  await refused(run({ annotations: { a: "x".repeat(20 << 20) } }), "ResourceExhausted", /larger than 16777216/);
  // A label of a megabyte is none of ours to refuse.
  const labels = { long: "x".repeat(1 << 20) };
  const { podSandboxId } = await run({ labels });
  const { items } = await at.listPodSandbox({ filter: { id: podSandboxId, labelSelector: labels } });
  assert.equal(items.length, 1);

  const create = (config: object) =>
    at.createContainer({ podSandboxId, config: { metadata: { name: "c" }, image: { image: "busybox" }, ...config } });
  const secured = (securityContext: object) => create({ linux: { securityContext } });
  const limited = (resources: object) => create({ linux: { resources } });
  const mounted = (mount: object) => create({ mounts: [{ hostPath: "/tmp", containerPath: "/m", ...mount }] });
  await refused(create({ stopSignal: 9999 }), "InvalidArgument", /stop_signal 9999/);
  await refused(secured({ runAsUser: { value: -1 } }), "InvalidArgument", /run_as_user -1/);
  const group = { runAsUser: { value: 1 }, runAsGroup: { value: 2 ** 32 } };
  await refused(secured(group), "InvalidArgument", /run_as_group 4294967296/);
  await refused(secured({ supplementalGroups: [-7] }), "InvalidArgument", /supplemental_groups -7/);
  await refused(
    secured({ supplementalGroupsPolicy: 2 }),
    "InvalidArgument",
    /2 is no value of supplemental_groups_policy/,
  );
  await refused(secured({ seccomp: { profileType: 5 } }), "InvalidArgument", /5 is no value of seccomp\.profile_type/);
  await refused(
    secured({ apparmor: { profileType: 5 } }),
    "InvalidArgument",
    /5 is no value of apparmor\.profile_type/,
  );
  await refused(mounted({ propagation: 5 }), "InvalidArgument", /5 is no value of propagation of \/m/);
  await refused(mounted({ recursiveReadOnly: true }), "InvalidArgument", /recursive_read_only needs readonly/);
  const mounts = Array.from({ length: 10_001 }, () => ({ hostPath: "/tmp", containerPath: "/m" }));
  await refused(create({ mounts }), "InvalidArgument", /mounts: more than 10000 are not taken/);
  await refused(create({ devices: mounts }), "InvalidArgument", /devices: more than 10000 are not taken/);
  await refused(mounted({ hostPath: "tmp" }), "InvalidArgument", /must be absolute/);
  await refused(limited({ oomScoreAdj: 99_999 }), "InvalidArgument", /99999/);
  await refused(limited({ cpusetCpus: "banana" }), "InvalidArgument", /banana/);
  await refused(create({ image: { image: "none:1" } }), "NotFound", /none:1/);
  const long = { key: "LONG", value: Buffer.alloc(3 << 20, "x") };
  await refused(create({ envs: [long] }), "InvalidArgument", /envs: LONG has 3145733 bytes/);
  await refused(create({ envs: [{ key: "" }] }), "InvalidArgument", /environment variable/);

  const containerId = none;
  for (const task of [
    at.containerStatus({ containerId }),
    at.startContainer({ containerId }),
    at.containerStats({ containerId }),
    at.reopenContainerLog({ containerId }),
    at.execSync({ containerId, cmd: ["true"] }),
    at.exec({ containerId, cmd: ["true"], stdout: true }),
    at.updateContainerResources({ containerId, linux: {} }),
    at.podSandboxStatus({ podSandboxId: none }),
    at.podSandboxStats({ podSandboxId: none }),
    at.checkpointContainer({ containerId, location: "/tmp/none.tar" }),
    at.portForward({ podSandboxId: none }),
  ]) {
    await refused(task, "NotFound", new RegExp(none));
  }
  await refused(at.podSandboxStatus({ podSandboxId: "" }), "NotFound", /no such pod: its id is empty/);
  await at.stopContainer({ containerId, timeout: -5 });
  await at.removeContainer({ containerId });
  await at.removePodSandbox({ podSandboxId: none });
  await refused(at.portForward({ podSandboxId, port: [80, 70_000] }), "InvalidArgument", /70000 is no port/);
  await at.removePodSandbox({ podSandboxId });
});

test("what is below a read-only mount is as writable as its mount says, by each runtime", async () => {
  const { inProcess: at } = cri;
  const source = files.join("outer");
  mkdirSync(`${source}/inner`, { recursive: true });
  const ran = await runProgram(["mount", "-t", "tmpfs", "tmpfs", `${source}/inner`]);
  assert.equal(ran.status, 0, ran.stderr);
  try {
    const { runtimeHandlers } = await at.status({});
    for (const { name: runtimeHandler, features } of runtimeHandlers) {
      assert.equal(features?.recursiveReadOnlyMounts, true, runtimeHandler);
      const config = { metadata: { name: "below", namespace: "n", uid: `below-${runtimeHandler}`, attempt: 0 } };
      const { podSandboxId } = await at.runPodSandbox({ config, runtimeHandler });
      const mount = (containerPath: string, recursiveReadOnly: boolean) => ({
        hostPath: source,
        containerPath,
        readonly: true,
        recursiveReadOnly,
      });
      const container = {
        metadata: { name: "c", attempt: 0 },
        image: { image: "busybox" },
        command: ["sleep", "1000"],
        mounts: [mount("/half", false), mount("/whole", true)],
      };
      const { containerId } = await at.createContainer({ podSandboxId, config: container, sandboxConfig: config });
      await at.startContainer({ containerId });
      const places = ["/half/inner/file", "/half/file", "/whole/inner/file", "/whole/file"];
      const cmd = ["sh", "-c", places.map((path) => `touch ${path}`).join("; ")];
      const { stderr } = await at.execSync({ containerId, cmd, timeout: 60 });
      const refusals = [
        ...Buffer.from(stderr)
          .toString()
          .matchAll(/touch: (\S+): Read-only file system/g),
      ];
      assert.deepEqual(
        refusals.map(([, path]) => path),
        ["/half/file", "/whole/inner/file", "/whole/file"],
        runtimeHandler,
      );
      const { status } = await at.containerStatus({ containerId });
      assert.deepEqual(status?.user?.linux, { uid: 0, gid: 0, supplementalGroups: [0] });
      await at.removePodSandbox({ podSandboxId });
    }
  } finally {
    await runProgram(["umount", `${source}/inner`]);
  }
});

test("a container is written to an archive as other engines write it, and goes on", async (t) => {
  if (criu.reason !== undefined) return t.skip(criu.reason);
  const { socket: at } = cri;
  const metadata = { name: "held", namespace: "n", uid: "held", attempt: 0 };
  const sandboxConfig = { metadata, logDirectory: `${logs}/held` };
  const { podSandboxId } = await at.runPodSandbox({ config: sandboxConfig, runtimeHandler: "runc" });
  const make = async (of: string, command: string[]) => {
    const config = {
      metadata: { name: of },
      image: { image: "busybox" },
      command,
      logPath: `${of}.log`,
      labels: { aB: "c" },
    };
    return (await at.createContainer({ podSandboxId, config, sandboxConfig })).containerId;
  };
  const loop = "rm /etc/group; i=0; while :; do i=$((i+1)); echo $i > /count; echo said $i; sleep 0.1; done";
  const containerId = await make("main", ["sh", "-c", loop]);
  mkdirSync(files.join("archives"));
  const location = files.join("archives/one.tar");
  const refused = async (request: object, code: string, message: RegExp) => {
    await assert.rejects(at.checkpointContainer({ containerId, location, ...request }), { code, message });
  };
  await refused({}, "FailedPrecondition", /is created: only running ones/);
  await at.startContainer({ containerId });
  await refused({ location: "one.tar" }, "InvalidArgument", /"one.tar" is not an absolute path/);
  await refused({ location: "" }, "InvalidArgument", /is not an absolute path/);
  await refused({ location: files.join("none/one.tar") }, "InvalidArgument", /its directory does not exist/);
  await refused({ location: files.join("archives") }, "InvalidArgument", /it is a directory/);
  await refused({ timeout: -1 }, "InvalidArgument", /timeout -1 is negative/);
  const bin = process.env["PATH"];
  process.env["PATH"] = files.join("nothing");
  try {
    if (findProgram("criu") === undefined) await refused({}, "Unsupported", /CRIU is not installed.*install CRIU/);
  } finally {
    process.env["PATH"] = bin;
  }
  assert.deepEqual(readdirSync(files.join("archives")), []);
  const read = async (path: string) =>
    Buffer.from((await at.execSync({ containerId, cmd: ["cat", path] })).stdout).toString();
  const { status: earlier } = await at.containerStatus({ containerId });
  writeFileSync(location, "was there", { mode: 0o644 });
  await at.checkpointContainer({ containerId, location, timeout: 100 });
  const { status } = await at.containerStatus({ containerId });
  assert.deepEqual([status?.state, status?.startedAt], [earlier?.state, earlier?.startedAt]);
  const counted = Number(await read("/count"));
  while (Number(await read("/count")) <= counted) await delay(50);
  assert.equal(statSync(location).mode & 0o7777, 0o600);
  assert.deepEqual(readdirSync(files.join("archives")), ["one.tar"]);
  const unpacked = files.join("unpacked");
  mkdirSync(unpacked);
  assert.equal((await runProgram(["tar", "-xf", location, "-C", unpacked])).status, 0);
  const names = readdirSync(unpacked);
  const text = (member: string) => readFileSync(`${unpacked}/${member}`, "utf8");
  for (const member of [
    "config.dump",
    "spec.dump",
    "status.dump",
    "status",
    "stats-dump",
    "dump.log",
    "container.log",
  ]) {
    assert.ok(names.includes(member), `${member} of ${names.join(" ")}`);
  }
  const images = readdirSync(`${unpacked}/checkpoint`);
  assert.ok(images.includes("inventory.img") && images.some((image) => image.startsWith("pages-")), images.join(" "));
  const json = (member: string) => JSON.parse(text(member)) as Record<string, unknown>;
  const dumped = json("config.dump");
  assert.deepEqual([dumped["id"], dumped["name"], dumped["runtime"]], [containerId, "main", "runc"]);
  assert.match(String(dumped["rootfsImageName"]), /busybox/);
  const { annotations } = json("spec.dump") as { annotations: Record<string, string> };
  assert.equal(annotations["io.kubernetes.cri.sandbox-uid"], "held");
  const { created_at: createdAt, labels, image_ref: imageRef } = json("status.dump");
  assert.ok(Number(createdAt) > 0 && typeof imageRef === "string");
  assert.deepEqual(labels, { aB: "c" });
  assert.match(text("container.log"), /stdout F said 1$/m);
  const { stdout } = await runProgram(["tar", "-tf", `${unpacked}/rootfs-diff.tar`]);
  // CRIU itself has made something in /tmp for a moment.
  assert.deepEqual(
    stdout
      .trim()
      .split("\n")
      .filter((path) => path !== "tmp/"),
    ["count", "etc/", "etc/.wh.group"],
  );
  await at.removePodSandbox({ podSandboxId });
});
