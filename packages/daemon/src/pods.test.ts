import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ContainerState, type Cri, connectCri, SandboxState } from "@boxship/cri";
import { startBoxship } from "@boxship/testkit";

const METADATA = { name: "web", uid: "1", namespace: "default" };

async function look(cri: Cri, podSandboxId: string, containerId: string) {
  const [pod, container] = await Promise.all([
    cri.podSandboxStatus({ podSandboxId }),
    cri.containerStatus({ containerId, verbose: true }),
  ]);
  const { network, state } = pod.status ?? {};
  return { ip: network?.ip, state, container: container.status?.state, pid: container.info["info"] };
}

test("pods outlive the daemon, and nothing of them stays when they are removed", async () => {
  await using engine = await startBoxship();
  const { client, runDir } = engine;
  await using cri = connectCri(`${runDir}/cri.sock`);
  await client.call("POST", "/boxship/images/bootstrap?kind=busybox");
  const config = { metadata: METADATA, hostname: "web", portMappings: [{ containerPort: 80, hostPort: 0 }] };
  const { podSandboxId } = await cri.runPodSandbox({ config });
  const main = { metadata: { name: "main" }, image: { image: "busybox" }, command: ["sleep", "1000"] };
  const { containerId } = await cri.createContainer({ podSandboxId, config: main, sandboxConfig: config });
  await cri.startContainer({ containerId });
  const before = await look(cri, podSandboxId, containerId);
  assert.equal(before.state, SandboxState.Ready);
  assert.equal(before.container, ContainerState.Running);

  await engine.crash();
  await engine.start();
  // Its doors open one after another.
  while ((await cri.version({}).catch(() => undefined)) === undefined) await delay(20);
  assert.deepEqual(await look(cri, podSandboxId, containerId), before);
  const { stdout } = await cri.execSync({ containerId, cmd: ["ip", "-4", "addr", "show", "eth0"] });
  assert.ok(Buffer.from(stdout).toString().includes(`inet ${before.ip}/`));
  // Whoever looks through Docker's door sees what runs.
  const [seen] = await client.json<{ Names: string[] }[]>("GET", "/containers/json");
  assert.deepEqual(seen?.Names, ["/k8s_main_web_default_1_0"]);

  await cri.removePodSandbox({ podSandboxId });
  assert.deepEqual((await cri.listPodSandbox({})).items, []);
  assert.deepEqual((await cri.listContainers({})).containers, []);
});
