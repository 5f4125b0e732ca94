import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createLogger, FakeClock, Internal } from "@boxship/base";
import { ContainerState, type Cri, SandboxState } from "@boxship/cri";
import { tempDir } from "@boxship/testkit";
import type { NodeContext } from "../agent/node-context.ts";
import { LABEL } from "../labels.ts";
import type { HandlerSpec, Pod } from "../types.ts";
import { PodWorker } from "./pod-worker.ts";

const POD = {
  metadata: { name: "web", namespace: "default", uid: "uid" },
  spec: { restartPolicy: "Always", containers: [{ name: "main", image: "img" }] },
} as unknown as Pod;

const withHook = (postStart: HandlerSpec): Pod => ({
  ...POD,
  spec: { ...POD.spec, containers: POD.spec.containers.map((one) => ({ ...one, lifecycle: { postStart } })) },
});

interface Made {
  readonly id: string;
  readonly attempt: number;
  readonly at: number;
}

/** An engine that has a pod's sandbox, and a fault: what it makes cannot be started, or its hook fails. */
function faulty(clock: FakeClock, looked: () => void, hooked: boolean) {
  const tried: number[] = [];
  const made = new Map<string, Made>();
  const labels = { [LABEL.podUid]: "uid", [LABEL.containerName]: "main" };
  const cri = {
    listPodSandbox: async () => {
      looked();
      return { items: [{ id: "sandbox" }] };
    },
    podSandboxStatus: async () => ({ status: { id: "sandbox", state: SandboxState.Ready, metadata: { attempt: 0 } } }),
    listContainers: async () => ({ containers: [...made.keys()].map((id) => ({ id, podSandboxId: "sandbox" })) }),
    containerStatus: async ({ containerId }: { containerId: string }) => {
      const { id, attempt, at } = made.get(containerId) as Made;
      const time = BigInt(at) * 1_000_000n;
      const times = { createdAt: time, startedAt: 0n, finishedAt: time };
      const ended = { state: ContainerState.Exited, exitCode: 128, reason: "StartError", message: "no such command" };
      const none = { labels, annotations: {}, mounts: [], logPath: "", imageRef: "img", image: { image: "img" } };
      return { status: { id, metadata: { name: "main", attempt }, ...times, ...ended, ...none } };
    },
    createContainer: async ({ config }: { config: { metadata: { attempt: number } } }) => {
      tried.push(clock.now());
      const id = `c${made.size}`;
      made.set(id, { id, attempt: config.metadata.attempt, at: clock.now() });
      return { containerId: id };
    },
    startContainer: async () => {
      if (!hooked) throw new Internal("no such command");
    },
    execSync: async () => ({ exitCode: 4, stdout: Buffer.alloc(0), stderr: Buffer.from("no") }),
    stopContainer: async () => {},
    removeContainer: async ({ containerId }: { containerId: string }) => void made.delete(containerId),
  };
  return { tried, cri: cri as unknown as Cri };
}

async function run(seconds: number, hook?: HandlerSpec) {
  await using files = tempDir("pod-worker");
  const looks = { open: false, ended: 0 };
  const clock = new (class extends FakeClock {
    override setTimeout(ms: number, callback: () => void) {
      looks.ended++;
      looks.open = false;
      return super.setTimeout(ms, callback);
    }
  })(1_000_000);
  const { tried, cri } = faulty(clock, () => (looks.open = true), hook !== undefined);
  const told: string[] = [];
  let reason = "";
  const context = {
    cri,
    clock,
    engine: "boxship",
    logger: createLogger({ level: "error" }),
    events: { record: (_pod: unknown, type: string, why: string) => void told.push(`${type} ${why}`) },
    client: {
      patch: async (_ref: unknown, _type: unknown, patch: unknown) => {
        reason = /"waiting":\{[^}]*"reason":"(\w+)"/.exec(JSON.stringify(patch))?.[1] ?? reason;
        return { metadata: {} };
      },
    },
    settings: { logs: files.join("logs"), seccomp: "", cgroupParent: "/none", resolvConf: "/dev/null", maxPids: -1 },
    volumes: { prepare: async () => new Map(), directoryOf: () => files.path },
    users: { of: () => undefined },
    objects: { get: async () => undefined },
    images: { get: async () => ({ id: "img", ref: "img" }), waitOf: () => 0 },
    services: () => [],
    pods: () => [],
    hostIP: "192.0.2.1",
    hostIPs: ["192.0.2.1"],
    allocatable: {},
    nodeMemory: 1 << 30,
  } as unknown as NodeContext;
  const worker = new PodWorker(context, hook === undefined ? POD : withHook(hook));
  // Files are read by real threads: a look is over when it has set its timer.
  const settle = async (before: number) => {
    while (looks.ended === before || looks.open) await setImmediate();
  };
  await settle(0);
  for (let second = 0; second < seconds; second++) {
    const before = looks.ended;
    await clock.advance(1000);
    // Whatever happens on the node wakes it.
    worker.wake();
    await settle(before);
  }
  worker.stop();
  await worker.finished;
  return { tried: tried.map((at) => (at - 1_000_000) / 1000), told, reason };
}

test("a container that cannot be started is tried again like one that ends: after 10 s, 20 s, 40 s, up to 5 minutes", async () => {
  const { tried, told, reason } = await run(1000);
  const waits = tried.slice(2).map((at, index) => at - (tried[index + 1] as number));
  assert.deepEqual(waits, [10, 20, 40, 80, 160, 300, 300], tried.join(" "));
  assert.equal(reason, "CrashLoopBackOff");
  assert.ok(told.includes("Warning BackOff") && told.includes("Warning Failed"));
});

test("a container whose hook fails after its start is ended, and waits for that reason; events do not say what it printed", async () => {
  const { tried, told, reason } = await run(0, { exec: { command: ["false"] } });
  assert.equal(tried.length, 1);
  assert.equal(reason, "PostStartHookError");
  assert.deepEqual(told, ["Normal Created", "Normal Started", "Warning FailedPostStartHook", "Normal Killing"]);
});
