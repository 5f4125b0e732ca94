import assert from "node:assert/strict";
import { chownSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { InvalidArgument, NotFound } from "@boxship/base";
import type { Init } from "@boxship/grpc";
import type { Cri } from "./contract.ts";
import type { ContainerConfig, PodSandboxConfig } from "./messages/config.ts";
import { ContainerEvent, ContainerState, NamespaceMode, SandboxState, SupplementalGroups } from "./messages/values.ts";

export interface SuiteWorld {
  readonly cri: Cri;
  /** An image with busybox that is there. */
  readonly image: string;
  /** A directory of the test's own. */
  readonly logs: string;
  readonly cgroupParent: string;
}

const OPTIONS = { network: NamespaceMode.Pod, pid: NamespaceMode.Container, ipc: NamespaceMode.Pod };
let counter = 0;

/** Whether a process holds a process namespace. */
function isHolder(pid: string, namespace: string): boolean {
  try {
    if (!/^\d+$/.test(pid) || !readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("boxship-pod\0")) return false;
    return readlinkSync(`/proc/${pid}/ns/pid`) === namespace;
  } catch {
    return false;
  }
}

/** What every engine behind the CRI promises. */
export function criSuite(name: string, open: () => SuiteWorld): void {
  const podConfig = (change: Init<PodSandboxConfig> = {}): Init<PodSandboxConfig> => ({
    metadata: { name: `web-${++counter}`, uid: `uid-${counter}`, namespace: "default", attempt: 0 },
    hostname: "web-host",
    logDirectory: `${open().logs}/${counter}`,
    labels: { app: "web", run: String(counter) },
    annotations: { note: "kept" },
    dnsConfig: { servers: ["192.0.2.53"], searches: ["svc.example"], options: ["ndots:5"] },
    linux: { cgroupParent: open().cgroupParent, securityContext: { namespaceOptions: OPTIONS } },
    ...change,
  });
  const container = (command: readonly string[], change: Init<ContainerConfig> = {}): Init<ContainerConfig> => ({
    metadata: { name: "main", attempt: 0 },
    image: { image: open().image },
    command: [...command],
    labels: { tier: "front" },
    annotations: { hash: "12" },
    logPath: "main/0.log",
    linux: { securityContext: { namespaceOptions: OPTIONS } },
    ...change,
  });
  const run = async (config: Init<ContainerConfig>, pod = podConfig()) => {
    const { cri } = open();
    const { podSandboxId } = await cri.runPodSandbox({ config: pod });
    const { containerId } = await cri.createContainer({ podSandboxId, config, sandboxConfig: pod });
    await cri.startContainer({ containerId });
    return { podSandboxId, containerId };
  };
  const statusOf = async (containerId: string) => {
    const { status } = await open().cri.containerStatus({ containerId });
    assert.ok(status);
    return status;
  };
  const ended = async (containerId: string) => {
    const late = AbortSignal.timeout(60_000);
    for await (const event of open().cri.getContainerEvents({}, { signal: late })) {
      if (event.containerId === containerId && event.containerEventType === ContainerEvent.Stopped) break;
    }
    return statusOf(containerId);
  };
  const sh = async (containerId: string, script: string) => {
    const { stdout, exitCode } = await open().cri.execSync({ containerId, cmd: ["sh", "-c", script] });
    assert.equal(exitCode, 0);
    return Buffer.from(stdout).toString();
  };

  describe(name, () => {
    test("a pod holds network, IPC, names and files for its containers, without a process", async () => {
      const { cri } = open();
      const config = podConfig();
      const { podSandboxId, containerId } = await run(container(["sleep", "1000"]), config);
      const second = container(["sleep", "1000"], { metadata: { name: "second" }, logPath: "second/0.log" });
      const { containerId: other } = await cri.createContainer({ podSandboxId, config: second, sandboxConfig: config });
      await cri.startContainer({ containerId: other });
      await cri.updatePodSandboxResources({ podSandboxId, resources: { cpuShares: 77 } });
      const { status, info } = await cri.podSandboxStatus({ podSandboxId, verbose: true });
      assert.match(info["info"] ?? "", /"cpuShares":77/);
      assert.equal(status?.state, SandboxState.Ready);
      assert.deepEqual({ ...status.labels }, config.labels);
      assert.deepEqual({ ...status.annotations }, { note: "kept" });
      const address = status.network?.ip ?? "";
      assert.match(address, /^\d+\.\d+\.\d+\.\d+$/);
      assert.match(await sh(other, "ip -4 addr show eth0"), new RegExp(`inet ${address.replaceAll(".", "\\.")}/`));
      const namespaces = "readlink /proc/self/ns/net; readlink /proc/self/ns/ipc";
      assert.equal(await sh(containerId, namespaces), await sh(other, namespaces));
      await sh(containerId, "echo shared > /dev/shm/note");
      assert.equal(await sh(other, "cat /dev/shm/note"), "shared\n");
      assert.equal(await sh(other, "hostname; cat /etc/hostname"), "web-host\nweb-host\n");
      assert.equal(
        await sh(other, "cat /etc/resolv.conf"),
        "search svc.example\nnameserver 192.0.2.53\noptions ndots:5\n",
      );
      assert.match(await sh(other, "cat /etc/hosts"), new RegExp(`${address}\\s+web-host`));
      // Its own processes and nobody else's: the first one is what the container was made for.
      assert.equal((await sh(other, "cat /proc/1/comm")).trim(), "sleep");
      assert.notEqual(
        await sh(other, "readlink /proc/self/ns/pid"),
        await sh(containerId, "readlink /proc/self/ns/pid"),
      );
      await cri.removePodSandbox({ podSandboxId });
      await cri.removePodSandbox({ podSandboxId });
      await assert.rejects(cri.podSandboxStatus({ podSandboxId }), NotFound);
      await assert.rejects(cri.containerStatus({ containerId }), NotFound);
    });

    test("a container's life is told by its status, its log and events", async () => {
      const { cri, logs } = open();
      const pod = podConfig();
      const { podSandboxId } = await cri.runPodSandbox({ config: pod });
      const config = container(["sh", "-c", "echo out; echo err >&2; exit 3"]);
      const { containerId } = await cri.createContainer({ podSandboxId, config, sandboxConfig: pod });
      const created = await statusOf(containerId);
      assert.equal(created.state, ContainerState.Created);
      assert.deepEqual({ ...created.labels }, { tier: "front" });
      const end = ended(containerId);
      await cri.startContainer({ containerId });
      const status = await end;
      assert.equal(status.state, ContainerState.Exited);
      assert.equal(status.exitCode, 3);
      assert.equal(status.reason, "Error");
      assert.ok(status.finishedAt >= status.startedAt && status.startedAt > 0n);
      const log = await readFile(status.logPath, "utf8");
      assert.ok(status.logPath.startsWith(logs));
      assert.match(log, /^\d{4}-\d\d-\d\dT\S+ stdout F out$/m);
      assert.match(log, /^\d{4}-\d\d-\d\dT\S+ stderr F err$/m);
      const listed = await cri.listContainers({ filter: { podSandboxId, labelSelector: { tier: "front" } } });
      assert.deepEqual(
        listed.containers.map(({ id, state }) => [id, state]),
        [[containerId, ContainerState.Exited]],
      );
      const none = await cri.listContainers({ filter: { podSandboxId, labelSelector: { tier: "back" } } });
      assert.deepEqual(none.containers, []);
      await cri.removeContainer({ containerId });
      await cri.removeContainer({ containerId });
      await cri.removePodSandbox({ podSandboxId });
    });

    test("who a container is is told, and commands in it have the image's groups or not", async () => {
      const { cri } = open();
      const pod = podConfig();
      const { podSandboxId } = await cri.runPodSandbox({ config: pod });
      const groupsOf = async (called: string, supplementalGroupsPolicy: number) => {
        const securityContext = {
          namespaceOptions: OPTIONS,
          runAsUser: { value: 0 },
          runAsGroup: { value: 3000 },
          supplementalGroups: [4000],
          supplementalGroupsPolicy,
        };
        const command = ["sh", "-c", "echo extra:x:77:root >> /etc/group; sleep 1000"];
        const config = container(command, { metadata: { name: called }, linux: { securityContext } });
        const { containerId } = await cri.createContainer({ podSandboxId, config, sandboxConfig: pod });
        await cri.startContainer({ containerId });
        const { user } = await statusOf(containerId);
        assert.deepEqual(user?.linux, { uid: 0, gid: 3000, supplementalGroups: [3000, 4000] });
        const say = async (cmd: string) => {
          const { stdout } = await cri.execSync({ containerId, cmd: ["sh", "-c", cmd], timeout: 60 });
          return Buffer.from(stdout).toString().trim();
        };
        await say("until grep -q extra /etc/group; do sleep 0.01; done");
        return (await say("id -G"))
          .split(" ")
          .map(Number)
          .sort((a, b) => a - b);
      };
      assert.deepEqual(await groupsOf("strict", SupplementalGroups.Strict), [3000, 4000]);
      assert.deepEqual(await groupsOf("merged", SupplementalGroups.Merge), [77, 3000, 4000]);
      await cri.removePodSandbox({ podSandboxId });
    });

    test("stopping is graceful, and ends what a pod runs; what is asked again is done", async () => {
      const { cri } = open();
      const { podSandboxId, containerId } = await run(
        container(["sh", "-c", "trap 'exit 7' TERM; touch /dev/shm/ready; while :; do sleep 0.05; done"]),
      );
      await sh(containerId, "until [ -e /dev/shm/ready ]; do sleep 0.02; done");
      await cri.stopContainer({ containerId, timeout: 30 });
      assert.equal((await statusOf(containerId)).exitCode, 7);
      await cri.stopContainer({ containerId, timeout: 30 });
      await cri.stopPodSandbox({ podSandboxId });
      await cri.stopPodSandbox({ podSandboxId });
      const { status } = await cri.podSandboxStatus({ podSandboxId });
      assert.equal(status?.state, SandboxState.NotReady);
      assert.equal(status.network?.ip, "");
      const config = container(["true"], { metadata: { name: "late" } });
      await assert.rejects(cri.createContainer({ podSandboxId, config }), /not ready/);
      const ready = await cri.listPodSandbox({ filter: { id: podSandboxId, state: { state: SandboxState.Ready } } });
      assert.deepEqual(ready.items, []);
      await cri.removePodSandbox({ podSandboxId });
    });

    test("commands run in a container; one that takes too long is killed", async () => {
      const { cri } = open();
      const { podSandboxId, containerId } = await run(container(["sleep", "1000"]));
      const done = await cri.execSync({ containerId, cmd: ["sh", "-c", "echo a; echo b >&2; exit 4"], timeout: 30 });
      assert.equal(done.exitCode, 4);
      assert.equal(Buffer.from(done.stdout).toString(), "a\n");
      assert.equal(Buffer.from(done.stderr).toString(), "b\n");
      await assert.rejects(cri.execSync({ containerId, cmd: ["sleep", "900"], timeout: 1 }), /timed out/);
      // Those whose callers go are ended, also where that is while they are started.
      const cut = async (milliseconds: number) => {
        const signal = AbortSignal.timeout(milliseconds);
        await cri.execSync({ containerId, cmd: ["sleep", "901"] }, { signal }).catch(() => {});
      };
      await Promise.all([1, 5, 10, 20, 30, 50, 80, 120].map(cut));
      const left = "ps | grep 'sleep 90[1]' || true";
      for (let tries = 0; ; tries++) {
        const { stdout } = await cri.execSync({ containerId, cmd: ["sh", "-c", left] });
        if (Buffer.from(stdout).toString() === "") break;
        assert.ok(tries < 100, Buffer.from(stdout).toString());
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const { stats } = await cri.containerStats({ containerId });
      assert.ok((stats?.cpu?.usageCoreNanoSeconds?.value ?? 0) > 0);
      assert.ok((stats?.memory?.workingSetBytes?.value ?? 0) > 0);
      const { stats: whole } = await cri.podSandboxStats({ podSandboxId });
      assert.equal(whole?.linux?.network?.defaultInterface?.name, "eth0");
      assert.ok((whole?.linux?.process?.processCount?.value ?? 0) > 0);
      const { descriptors } = await cri.listMetricDescriptors({});
      const { podMetrics } = await cri.listPodSandboxMetrics({});
      const told = podMetrics.find((one) => one.podSandboxId === podSandboxId);
      const ofContainer = told?.containerMetrics.find((one) => one.containerId === containerId)?.metrics ?? [];
      const samples = new Map(
        [...(told?.metrics ?? []), ...ofContainer].map((metric) => {
          const keys = descriptors.find((one) => one.name === metric.name)?.labelKeys ?? [];
          assert.equal(metric.labelValues.length, keys.length, metric.name);
          assert.ok(metric.timestamp > 0n && Number.isSafeInteger(metric.value?.value), metric.name);
          const labels = Object.fromEntries(keys.map((key, at) => [key, metric.labelValues[at]]));
          return [metric.name, { value: metric.value?.value ?? 0, labels }];
        }),
      );
      for (const metric of ["container_memory_working_set_bytes", "container_processes"]) {
        assert.ok((samples.get(metric)?.value ?? 0) > 0, metric);
      }
      const received = samples.get("container_network_receive_bytes_total")?.labels ?? {};
      assert.deepEqual([received["interface"], received["id"]], ["eth0", podSandboxId]);
      assert.equal(samples.get("container_processes")?.labels["name"], containerId);
      await cri.removePodSandbox({ podSandboxId });
    });

    test("containers of a pod share their processes, and nothing stays of those that lose their parent", async () => {
      const { cri } = open();
      const linux = { securityContext: { namespaceOptions: { ...OPTIONS, pid: NamespaceMode.Pod } } };
      const pod = podConfig({ linux: { ...linux, cgroupParent: open().cgroupParent } });
      const first = await run(container(["sleep", "4321"], { linux }), pod);
      const { podSandboxId } = first;
      const config = container(["sleep", "1234"], { linux, metadata: { name: "other", attempt: 0 } });
      const { containerId } = await cri.createContainer({ podSandboxId, config, sandboxConfig: pod });
      await cri.startContainer({ containerId });
      const shell = async (script: string) => {
        const { stdout } = await cri.execSync({ containerId, cmd: ["sh", "-c", script], timeout: 30 });
        return Buffer.from(stdout).toString().replaceAll("\0", " ").trim();
      };
      assert.match(await shell("cat /proc/[0-9]*/cmdline"), /^boxship-pod .*sleep 4321 .*sleep 1234 /);
      await shell("(sleep 0.1 &); sleep 0.3");
      assert.ok(!/ Z /.test(await shell("cat /proc/[0-9]*/stat")));
      const status = (id: string) => cri.podSandboxStatus({ podSandboxId: id });
      const namespace = await shell("readlink /proc/self/ns/pid");
      const over = async (id: string) => {
        for (let tries = 0; (await statusOf(id)).state === ContainerState.Running; tries++) {
          assert.ok(tries < 1500);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      };
      await shell("kill -9 $(grep -ls 43[2]1 /proc/[0-9]*/cmdline | cut -d/ -f3)");
      await over(first.containerId);
      assert.equal((await statusOf(containerId)).state, ContainerState.Running);
      assert.equal((await status(podSandboxId)).status?.state, SandboxState.Ready);
      const holder = readdirSync("/proc").find((pid) => isHolder(pid, namespace));
      assert.ok(holder !== undefined);
      process.kill(Number(holder), "SIGKILL");
      await over(containerId);
      // The holder is the last one of them to go.
      for (let tries = 0; (await status(podSandboxId)).status?.state !== SandboxState.NotReady; tries++) {
        assert.ok(tries < 1500);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await cri.removePodSandbox({ podSandboxId });
    });

    test("root of a pod with users of its own is nobody on the machine, and files have the pod's ids", async () => {
      const { cri } = open();
      const first = 2_000_000_000 + ++counter * 65_536;
      const ids = [{ hostId: first, containerId: 0, length: 65_536 }];
      const usernsOptions = { mode: NamespaceMode.Pod, uids: ids, gids: ids };
      const linux = { securityContext: { namespaceOptions: { ...OPTIONS, pid: NamespaceMode.Pod, usernsOptions } } };
      const pod = podConfig({ linux: { ...linux, cgroupParent: open().cgroupParent } });
      const place = `${open().logs}/users-${counter}`;
      mkdirSync(`${place}/below`, { recursive: true });
      writeFileSync(`${place}/secret`, "told\n", { mode: 0o600 });
      writeFileSync(`${place}/theirs`, "");
      chownSync(`${place}/theirs`, 5, 6);
      const mapped = { hostPath: place, containerPath: "/mapped", uidMappings: ids, gidMappings: ids };
      const file = { ...mapped, hostPath: `${place}/secret`, containerPath: "/file" };
      const mounts = [mapped, file, { hostPath: place, containerPath: "/plain", readonly: true }];
      const config = container(["sh", "-c", "touch /mapped/made /own; exec sleep 1000"], { mounts, linux });
      const { podSandboxId, containerId } = await run(config, pod);
      const { info } = await cri.containerStatus({ containerId, verbose: true });
      const { pid } = JSON.parse(info["info"] ?? "{}") as { pid: number };
      assert.deepEqual(readFileSync(`/proc/${pid}/uid_map`, "utf8").trim().split(/\s+/).map(Number), [
        0,
        first,
        65_536,
      ]);
      assert.match(readFileSync(`/proc/${pid}/status`, "utf8"), new RegExp(`^Uid:\t${first}\t${first}\t`, "m"));
      const shown =
        "id -u; cat /mapped/secret /file; stat -c '%n %u:%g' /mapped/theirs /mapped/made /own /plain/theirs /etc/hosts /dev/shm";
      assert.equal(
        await sh(containerId, shown),
        "0\ntold\ntold\n/mapped/theirs 5:6\n/mapped/made 0:0\n/own 0:0\n/plain/theirs 65534:65534\n/etc/hosts 0:0\n/dev/shm 0:0\n",
      );
      assert.deepEqual([statSync(`${place}/made`).uid, statSync(`${place}/made`).gid], [0, 0]);
      // What is shared belongs to the pod's namespace: it may serve at low ports, and joins what the first one has.
      await sh(containerId, "echo shared > /dev/shm/note; httpd -p 80 -h /mapped; test -r /sys/class/net/eth0/mtu");
      const other = container(["sleep", "1000"], { metadata: { name: "other", attempt: 0 }, linux });
      const second = await cri.createContainer({ podSandboxId, config: other, sandboxConfig: pod });
      await cri.startContainer(second);
      const joined = "cat /dev/shm/note; wget -qO- http://127.0.0.1/theirs; ps | grep -c '[s]leep 1000'; kill 1";
      assert.equal(await sh(second.containerId, joined), "shared\n2\n");
      await cri.removePodSandbox({ podSandboxId });
      assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(podSandboxId));
    });

    test("what cannot be done is refused by name", async () => {
      const { cri } = open();
      const pod = podConfig();
      const { podSandboxId } = await cri.runPodSandbox({ config: pod });
      await assert.rejects(cri.runPodSandbox({}), InvalidArgument);
      await assert.rejects(cri.createContainer({ podSandboxId, config: {} }), InvalidArgument);
      for (const id of ["", "no-such-pod"]) {
        await assert.rejects(cri.updatePodSandboxResources({ podSandboxId: id }), NotFound);
        await assert.rejects(cri.portForward({ podSandboxId: id }), NotFound);
        await cri.stopPodSandbox({ podSandboxId: id });
      }
      const shared = { linux: { securityContext: { namespaceOptions: { ...OPTIONS, pid: NamespaceMode.Pod } } } };
      await assert.rejects(
        cri.createContainer({ podSandboxId, config: container(["true"], shared), sandboxConfig: pod }),
        (error) => error instanceof InvalidArgument && /process namespace/.test(error.message),
      );
      const missing = container(["true"], { image: { image: "no.such/image:1" } });
      await assert.rejects(cri.createContainer({ podSandboxId, config: missing, sandboxConfig: pod }), /image/i);
      const bad = container(["/no/such/program"], { metadata: { name: "bad" } });
      const { containerId } = await cri.createContainer({ podSandboxId, config: bad, sandboxConfig: pod });
      await assert.rejects(cri.startContainer({ containerId }), /no such file/i);
      const status = await statusOf(containerId);
      assert.equal(status.state, ContainerState.Exited);
      assert.deepEqual([status.reason, status.exitCode], ["StartError", 128]);
      await cri.removePodSandbox({ podSandboxId });
    });

    test("images are the engine's", async () => {
      const { cri, image } = open();
      const { image: found } = await cri.imageStatus({ image: { image } });
      assert.match(found?.id ?? "", /^sha256:/);
      assert.ok((found?.size ?? 0) > 0);
      assert.equal((await cri.imageStatus({ image: { image: "no.such/image:1" } })).image, undefined);
      const { images } = await cri.listImages({});
      assert.ok(images.some(({ id }) => id === found?.id));
      const { imageFilesystems } = await cri.imageFsInfo({});
      assert.ok((imageFilesystems[0]?.usedBytes?.value ?? 0) > 0);
      const { runtimeName, runtimeApiVersion } = await cri.version({});
      assert.deepEqual([runtimeName, runtimeApiVersion], ["boxship", "v1"]);
      const { status } = await cri.status({});
      assert.deepEqual(
        status?.conditions.map(({ type, status: fine }) => [type, fine]),
        [
          ["RuntimeReady", true],
          ["NetworkReady", true],
        ],
      );
    });
  });
}
