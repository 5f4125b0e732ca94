import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type KubeObject, listAt, textAt } from "@boxship/api";
import { FakeClock, silentLogger as logger } from "@boxship/base";
import { type ApiClient, type Collection, loadKubeconfig, openHttpClient } from "@boxship/client";
import { startApiServer, type TestApiServer } from "@boxship/testkit";
import { defaultProfile, isNodeChange, type Plugin, reject, Scheduler } from "../index.ts";
import { node, type PodParts, pod } from "../testing/objects.ts";

const NODES: Collection = { group: "", version: "v1", resource: "nodes" };
const PODS: Collection = { group: "", version: "v1", resource: "pods", namespace: "default" };

describe("a scheduler at a server", () => {
  let server: TestApiServer;
  let client: ApiClient;
  before(async () => {
    server = await startApiServer();
    client = openHttpClient((await loadKubeconfig(server.kubeconfig)).connection);
    for (const [name, value] of [["urgent", 1000]] as const) {
      await client.create(
        { group: "scheduling.k8s.io", version: "v1", resource: "priorityclasses" },
        { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name }, value },
      );
    }
  });
  after(async () => {
    await client?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  const addNode = async (object: KubeObject): Promise<void> => {
    const { status, ...rest } = object;
    const { metadata } = await client.create(NODES, rest);
    // As the node's life begins elsewhere: with a taint that says that it is not ready.
    const made = await client.update({ ...NODES, name: metadata.name ?? "" }, { ...rest, metadata });
    await client.update(
      { ...NODES, name: object.metadata.name ?? "" },
      { ...made, status: status ?? {} },
      { subresource: "status" },
    );
  };

  const addPod = async (name: string, parts: PodParts = {}): Promise<void> => {
    const { metadata, ...object } = pod(name, parts);
    await client.create(PODS, { ...object, metadata: { name, labels: metadata.labels ?? {} } });
  };

  /** Waits until a pod is as it should be. */
  const untilPod = async (name: string, holds: (one: KubeObject) => boolean): Promise<KubeObject> => {
    const deadline = performance.now() + 30_000;
    for (;;) {
      const found = await client.get({ ...PODS, name });
      if (holds(found)) return found;
      assert.ok(performance.now() < deadline, JSON.stringify(found, null, 1));
      await delay(20);
    }
  };

  const nodeOf = (one: KubeObject): string => textAt(one, "spec", "nodeName");
  const conditionOf = (one: KubeObject, type: string): string[] => {
    const condition = listAt(one, "status", "conditions").find((each) => textAt(each, "type") === type);
    return ["status", "reason", "message"].map((field) => textAt(condition, field));
  };

  /** Waits for an event about a pod. */
  const eventAbout = async (name: string, reason: string): Promise<string> => {
    const events: Collection = { group: "", version: "v1", resource: "events", namespace: "default" };
    const fieldSelector = `involvedObject.name=${name},reason=${reason}`;
    for await (const event of client.watch(events, { fieldSelector, timeoutSeconds: 30 })) {
      if (event.type === "ADDED") return textAt(event.object, "message");
    }
    return "there is none";
  };

  /** Who tells that a pod has a place. */
  const toldBy = async (name: string): Promise<string> => {
    await eventAbout(name, "Scheduled");
    const fieldSelector = `involvedObject.name=${name},reason=Scheduled`;
    const events: Collection = { group: "", version: "v1", resource: "events", namespace: "default" };
    const [event] = (await client.list(events, { fieldSelector })).items;
    return textAt(event, "source", "component");
  };

  const clear = async (): Promise<void> => {
    for (const { metadata } of (await client.list(PODS)).items) {
      await client.delete({ ...PODS, name: metadata.name ?? "" }, { gracePeriodSeconds: 0 });
    }
    for (const { metadata } of (await client.list(NODES)).items) {
      await client.delete({ ...NODES, name: metadata.name ?? "" });
    }
  };

  test("tries those that wait when labels, nodes and promises go that were in their way", async () => {
    const clock = new FakeClock();
    await using scheduler = new Scheduler({ client, logger, clock });
    await scheduler.ready;
    /** Less than the five minutes after which all are tried. */
    const untilPlaced = async (name: string): Promise<string> => {
      for (let tries = 0; tries < 250; tries++) {
        await clock.advance(1000);
        await delay(20);
        const place = nodeOf(await client.get({ ...PODS, name }));
        if (place !== "") return place;
      }
      return "nowhere";
    };
    const waits = (name: string): Promise<KubeObject> =>
      untilPod(name, (one) => conditionOf(one, "PodScheduled")[1] === "Unschedulable");
    await addNode(node("a", { cpu: "2", labels: { zone: "x" } }));
    await addPod("loud", { labels: { app: "loud" } });
    await untilPod("loud", (one) => nodeOf(one) === "a");
    const away = { labelSelector: { matchLabels: { app: "loud" } }, topologyKey: "kubernetes.io/hostname" };
    const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [away] } };
    await addPod("shy", { spec: { affinity } });
    await waits("shy");
    await client.patch({ ...PODS, name: "loud" }, "merge", { metadata: { labels: { app: "quiet" } } });
    assert.equal(await untilPlaced("shy"), "a");
    await addNode(node("b", { cpu: "2", pods: "0", labels: { zone: "y" } }));
    const even = { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" };
    const spread = {
      labels: { app: "even" },
      spec: { topologySpreadConstraints: [{ ...even, labelSelector: { matchLabels: { app: "even" } } }] },
    };
    await addPod("even-1", spread);
    await untilPod("even-1", (one) => nodeOf(one) === "a");
    await addPod("even-2", spread);
    await waits("even-2");
    await client.delete({ ...NODES, name: "b" });
    assert.equal(await untilPlaced("even-2"), "a");
    await addPod("old", { cpu: "2" });
    await untilPod("old", (one) => nodeOf(one) === "a");
    await addPod("urgent", { cpu: "2", spec: { priorityClassName: "urgent" } });
    await untilPod("urgent", (one) => textAt(one, "status", "nominatedNodeName") === "a");
    await client.delete({ ...PODS, name: "old" }, { gracePeriodSeconds: 0 });
    await addPod("humble", { cpu: "1" });
    await waits("humble");
    await client.delete({ ...PODS, name: "urgent" }, { gracePeriodSeconds: 0 });
    assert.equal(await untilPlaced("humble"), "a");
    await clear();
  });

  test("places pods, says why not, and tries again when a node comes", async () => {
    await addPod("early", { cpu: "1" });
    await using scheduler = new Scheduler({ client, logger });
    await scheduler.ready;
    const without = await untilPod("early", (one) => conditionOf(one, "PodScheduled")[0] === "False");
    assert.deepEqual(conditionOf(without, "PodScheduled"), [
      "False",
      "Unschedulable",
      "no nodes available to schedule pods",
    ]);
    await addNode(node("a", { cpu: "2" }));
    const placed = await untilPod("early", (one) => nodeOf(one) !== "");
    assert.equal(nodeOf(placed), "a");
    assert.equal(conditionOf(placed, "PodScheduled")[0], "True");
    await addPod("large", { cpu: "1500m" });
    const large = await untilPod("large", (one) => conditionOf(one, "PodScheduled")[0] === "False");
    assert.equal(
      conditionOf(large, "PodScheduled")[2],
      "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: " +
        "1 No preemption victims found for incoming pod.",
    );
    await client.delete({ ...PODS, name: "early" }, { gracePeriodSeconds: 0 });
    assert.equal(nodeOf(await untilPod("large", (one) => nodeOf(one) !== "")), "a");
    assert.equal(await eventAbout("large", "Scheduled"), "Successfully assigned default/large to a");
    await clear();
  });

  test("makes room for what is more important, and says to whom", async () => {
    await addNode(node("a", { cpu: "1" }));
    await addNode(node("b", { cpu: "1", labels: { other: "" } }));
    await using scheduler = new Scheduler({ client, logger });
    await scheduler.ready;
    await addPod("low", { cpu: "1", spec: { nodeSelector: { "kubernetes.io/hostname": "a" } } });
    const low = await untilPod("low", (one) => nodeOf(one) === "a");
    const finalizer = ["example.com/slow"];
    await client.patch({ ...PODS, name: "low" }, "merge", { metadata: { finalizers: finalizer } });
    await addPod("high", {
      cpu: "1",
      spec: { priorityClassName: "urgent", nodeSelector: { "kubernetes.io/hostname": "a" } },
    });
    const going = await untilPod("low", (one) => one.metadata.deletionTimestamp !== undefined);
    assert.deepEqual(conditionOf(going, "DisruptionTarget"), [
      "True",
      "PreemptionByScheduler",
      "default-scheduler: preempting to accommodate a higher priority pod",
    ]);
    const promised = await untilPod("high", (one) => textAt(one, "status", "nominatedNodeName") !== "");
    assert.equal(textAt(promised, "status", "nominatedNodeName"), "a");
    await client.patch({ ...PODS, name: "low" }, "merge", { metadata: { finalizers: null } });
    await client.delete({ ...PODS, name: "low" }, { gracePeriodSeconds: 0 }).catch(() => {});
    assert.equal(nodeOf(await untilPod("high", (one) => nodeOf(one) !== "")), "a");
    assert.equal(await eventAbout("low", "Preempted"), `Preempted by pod ${promised.metadata.uid} on node a`);
    assert.notEqual(low.metadata.uid, "");
    await clear();
  });

  test("leaves pods with gates and of other schedulers alone, and knows after a restart what is where", async () => {
    await addNode(node("a", { cpu: "2" }));
    await addPod("gated", { spec: { schedulingGates: [{ name: "example.com/gate" }] } });
    await addPod("others", { spec: { schedulerName: "mine" } });
    {
      await using scheduler = new Scheduler({ client, logger });
      await scheduler.ready;
      await addPod("one", { cpu: "1500m" });
      await untilPod("one", (one) => nodeOf(one) === "a");
      assert.equal(scheduler.waiting.gated, 1);
    }
    await addPod("two", { cpu: "1" });
    await using scheduler = new Scheduler({ client, logger });
    await scheduler.ready;
    await untilPod("two", (one) => conditionOf(one, "PodScheduled")[1] === "Unschedulable");
    await client.patch({ ...PODS, name: "gated" }, "json", [{ op: "remove", path: "/spec/schedulingGates/0" }]);
    await untilPod("gated", (one) => nodeOf(one) === "a");
    assert.equal(nodeOf(await client.get({ ...PODS, name: "others" })), "");
    await clear();
  });

  test("says which volume a claim gets and where one is to be made, and waits for both", async () => {
    const claims: Collection = { group: "", version: "v1", resource: "persistentvolumeclaims", namespace: "default" };
    const volumes: Collection = { group: "", version: "v1", resource: "persistentvolumes" };
    const bound = { metadata: { annotations: { "pv.kubernetes.io/bind-completed": "yes" } } };
    await addNode(node("a"));
    for (const [name, provisioner] of [
      ["by-hand", "kubernetes.io/no-provisioner"],
      ["made", "example.com/disks"],
    ] as const) {
      await client.create(
        { group: "storage.k8s.io", version: "v1", resource: "storageclasses" },
        {
          apiVersion: "storage.k8s.io/v1",
          kind: "StorageClass",
          metadata: { name },
          provisioner,
          volumeBindingMode: "WaitForFirstConsumer",
        },
      );
      await client.create(claims, {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name },
        spec: { storageClassName: name, accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
      });
    }
    await client.create(volumes, {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: "disk" },
      spec: {
        storageClassName: "by-hand",
        capacity: { storage: "1Gi" },
        accessModes: ["ReadWriteOnce"],
        hostPath: { path: "/disk" },
      },
    });
    await using scheduler = new Scheduler({ client, logger });
    await scheduler.ready;
    const used = ["by-hand", "made"].map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
    await addPod("p", { spec: { volumes: used } });
    const told = async (): Promise<boolean> => {
      const volume = await client.get({ ...volumes, name: "disk" });
      const claim = await client.get({ ...claims, name: "made" });
      const selected = claim.metadata.annotations?.["volume.kubernetes.io/selected-node"];
      return textAt(volume, "spec", "claimRef", "name") === "by-hand" && selected === "a";
    };
    const deadline = performance.now() + 30_000;
    while (!(await told())) {
      assert.ok(performance.now() < deadline);
      await delay(20);
    }
    await client.patch({ ...claims, name: "by-hand" }, "merge", { ...bound, spec: { volumeName: "disk" } });
    assert.equal(nodeOf(await client.get({ ...PODS, name: "p" })), "", "the other claim is not bound yet");
    await client.patch({ ...claims, name: "made" }, "merge", { ...bound, spec: { volumeName: "new" } });
    await untilPod("p", (one) => nodeOf(one) === "a");
    await clear();
  });

  test("asks a program's own plugin, which keeps pods out, holds them back, prefers and says what may help", async () => {
    /** Pods with a tier go to nodes of that tier, best to old ones, and not before somebody has said that they may. */
    const tiers: Plugin = {
      name: "Tiers",
      gate: ({ labels }) => (labels["approved"] === "no" ? "nobody has approved it" : undefined),
      filter: ({ labels: { tier } }) =>
        tier === "cursed"
          ? assert.fail("the plugin is broken")
          : tier === undefined
            ? undefined
            : (one) => (one.labels["tier"] === tier ? undefined : reject("another tier")),
      score: ({ labels: { tier } }, _, nodes) =>
        Float64Array.from(nodes, ({ labels }) => (labels["age"] === "old" ? 100 : 0)).map((score) =>
          tier === "odd" ? score + 1 : score,
        ),
      mayHelp: (_, change) => isNodeChange(change, "labels"),
    };
    const profile = {
      schedulerName: "tiers",
      plugins: [...defaultProfile.plugins, tiers],
      weights: { ...defaultProfile.weights, Tiers: 10 },
    };
    await using scheduler = new Scheduler({ client, logger, profiles: [defaultProfile, profile] });
    await scheduler.ready;
    for (const [name, age] of [
      ["new", "new"],
      ["old", "old"],
    ] as const)
      await addNode(node(name, { labels: { age } }));
    const spec = { schedulerName: "tiers" };
    await addPod("any", { spec });
    assert.equal(nodeOf(await untilPod("any", (one) => nodeOf(one) !== "")), "old");
    await addPod("gold", { spec, labels: { tier: "gold" } });
    const refused = await untilPod("gold", (one) => conditionOf(one, "PodScheduled")[0] === "False");
    assert.match(conditionOf(refused, "PodScheduled")[2] ?? "", /^0\/2 nodes are available: 2 another tier\./);
    await client.patch({ ...NODES, name: "new" }, "merge", { metadata: { labels: { tier: "gold" } } });
    assert.equal(nodeOf(await untilPod("gold", (one) => nodeOf(one) !== "")), "new");
    await addPod("cursed", { spec, labels: { tier: "cursed" } });
    const failed = await untilPod("cursed", (one) => conditionOf(one, "PodScheduled")[0] === "False");
    assert.deepEqual(conditionOf(failed, "PodScheduled"), ["False", "SchedulerError", "the plugin is broken"]);
    await client.patch({ ...NODES, name: "old" }, "merge", { metadata: { labels: { tier: "odd" } } });
    await client.patch({ ...NODES, name: "new" }, "merge", { metadata: { labels: { tier: "odd" } } });
    await addPod("odd", { spec, labels: { tier: "odd" } });
    const odd = await untilPod("odd", (one) => conditionOf(one, "PodScheduled")[0] === "False");
    assert.match(conditionOf(odd, "PodScheduled")[2] ?? "", /^plugin "Tiers" returns an invalid score 101/);
    await addPod("held", { spec, labels: { approved: "no" } });
    await addPod("later", { spec });
    await untilPod("later", (one) => nodeOf(one) !== "");
    assert.deepEqual([await toldBy("later"), await toldBy("gold")], ["tiers", "tiers"]);
    assert.deepEqual([nodeOf(await client.get({ ...PODS, name: "held" })), scheduler.waiting.gated], ["", 1]);
    await clear();
  });

  test("two hundred pods at once fill nodes evenly, and none too full", async () => {
    for (const name of ["a", "b", "c", "d"]) await addNode(node(name, { cpu: "5" }));
    await using scheduler = new Scheduler({ client, logger });
    await scheduler.ready;
    await Promise.all(Array.from({ length: 210 }, (_, index) => addPod(`p${index}`, { cpu: "100m" })));
    const deadline = performance.now() + 60_000;
    for (;;) {
      const { items } = await client.list(PODS);
      const placed = items.map(nodeOf).filter((name) => name !== "");
      if (placed.length === 200 && scheduler.waiting.active + scheduler.waiting.backoff === 0) {
        for (const name of ["a", "b", "c", "d"]) assert.equal(placed.filter((one) => one === name).length, 50, name);
        break;
      }
      assert.ok(performance.now() < deadline, `${placed.length} are placed`);
      await delay(50);
    }
    await clear();
  });
});
