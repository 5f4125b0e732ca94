import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type JsonObject, type KubeObject, timestamp } from "@boxship/api";
import { replicaSetController } from "../replicaset/replica-set-controller.ts";
import { AUTOSCALERS, REPLICA_SETS } from "../shared/resources.ts";
import { fakeNodes } from "../testing/fake-nodes.ts";
import { type Metrics, startMetricsServer } from "../testing/metrics-server.ts";
import { type Step, scenario } from "../testing/scenario.ts";
import { startWorld, type World } from "../testing/world.ts";
import type { Autoscaler } from "../types/autoscaler.ts";
import type { Pod } from "../types/pod.ts";
import type { ReplicaSet } from "../types/workloads.ts";
import { autoscalerController } from "./autoscaler-controller.ts";

let world: World;
let metrics: Metrics;
const stack = new AsyncDisposableStack();
before(async () => {
  world = stack.use(
    await startWorld({
      definitions: [replicaSetController, fakeNodes(), autoscalerController],
      untold: ["nodes", "replicaset-controller"],
    }),
  );
  ({ metrics } = stack.use(await startMetricsServer(world.client)));
});
after(() => stack.disposeAsync());

const golden = (name: string, steps: readonly Step[]): Promise<void> => scenario(world, import.meta.url, name, steps);

const set = (name: string, replicas: number, requests: JsonObject = { cpu: "100m" }): Promise<KubeObject> =>
  world.create({
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name, namespace: "default" },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: "c", image: "web:1", resources: { requests } }] },
      },
    },
  });

const scale = (name: string, spec: JsonObject, kind = "ReplicaSet"): Promise<KubeObject> =>
  world.create({
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name, namespace: "default" },
    spec: { scaleTargetRef: { apiVersion: "apps/v1", kind, name }, maxReplicas: 10, ...spec },
  });

const remove = (name: string): Promise<unknown> => world.client.delete({ ...AUTOSCALERS, namespace: "default", name });

async function replicasOf(name: string): Promise<number | undefined> {
  return (await world.client.get<ReplicaSet>({ ...REPLICA_SETS, namespace: "default", name })).spec?.replicas;
}

const condition = async (name: string, type: string): Promise<readonly (string | undefined)[]> => {
  const { status } = await world.client.get<Autoscaler>({ ...AUTOSCALERS, namespace: "default", name });
  const found = status?.conditions?.find((one) => one.type === type);
  return [found?.status, found?.reason];
};

const pods = async (query: URLSearchParams): Promise<readonly Pod[]> => {
  const [, app] = (query.get("labelSelector") ?? "").split("=");
  return (await world.list<Pod>("v1", "pods")).filter(({ metadata }) => metadata.labels?.["app"] === app);
};

/** Each pod of a set uses so much: as it is known when it is asked. */
async function uses(app: string, usage: JsonObject, but: readonly number[] = []): Promise<void> {
  const known = await pods(new URLSearchParams({ labelSelector: `app=${app}` }));
  const measured = { timestamp: timestamp(world.clock.now()), window: "15s", containers: [{ name: "c", usage }] };
  metrics.set("/apis/metrics.k8s.io/v1beta1/namespaces/default/pods", () =>
    known.flatMap(({ metadata: { name } }, index) =>
      but.includes(index) ? [] : [{ metadata: { name }, ...measured }],
    ),
  );
}

const cpu = (averageUtilization: number): JsonObject => ({
  type: "Resource",
  resource: { name: "cpu", target: { type: "Utilization", averageUtilization } },
});

describe("a HorizontalPodAutoscaler", () => {
  test("has more pods at once, no faster than twice as many, and fewer when it was quiet for five minutes", async () => {
    await set("web", 2);
    await world.advance(60);
    await golden("cpu", [
      ["both pods use twice what they ask for", () => uses("web", { cpu: "200m" })],
      ["half of it is wanted", () => scale("web", { metrics: [cpu(50)] })],
      ["they are ready, and use as much", () => world.advance(14).then(() => uses("web", { cpu: "200m" }))],
      ["the next look", () => world.advance(1)],
      ["it is quiet", () => world.advance(10).then(() => uses("web", { cpu: "10m" }))],
      ["four minutes", () => world.advance(240)],
      ["one more", () => world.advance(75)],
    ]);
    assert.equal(await replicasOf("web"), 2);
    await remove("web");
  });

  test("does as its rules say: so many in so long, not below, nothing within the tolerance", async () => {
    await set("ruled", 2, { cpu: "100m", memory: "100Mi" });
    const metric = {
      type: "Resource",
      resource: { name: "memory", target: { type: "AverageValue", averageValue: "10Mi" } },
    };
    const scaleUp = {
      policies: [{ type: "Pods", value: 1, periodSeconds: 60 }],
      stabilizationWindowSeconds: 30,
      tolerance: "0.5",
    };
    await world.advance(5);
    await golden("rules", [
      ["a third more than wanted", () => uses("ruled", { memory: "13Mi" })],
      [
        "one pod a minute, after half a minute, from a half more on; never fewer",
        () => scale("ruled", { metrics: [metric], behavior: { scaleUp, scaleDown: { selectPolicy: "Disabled" } } }),
      ],
      ["twice as much as wanted", () => uses("ruled", { memory: "20Mi" })],
      ["20 s", () => world.advance(20)],
      ["20 s more", () => world.advance(20)],
      ["half a minute", () => world.advance(30)],
      ["another", () => world.advance(30)],
      ["next to nothing", () => uses("ruled", { memory: "1Mi" })],
      ["ten minutes", () => world.advance(600)],
    ]);
    await remove("ruled");
  });

  test("goes by numbers of pods, of objects, and from elsewhere: the most of them", async () => {
    await set("many", 2);
    await world.advance(5);
    const named = await pods(new URLSearchParams({ labelSelector: "app=many" }));
    const custom = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default";
    const value = { timestamp: timestamp(world.clock.now()) };
    metrics.set(`${custom}/pods/*/requests`, () =>
      named.map(({ metadata: { name } }) => ({ describedObject: { name }, value: "1500m", ...value })),
    );
    metrics.set(`${custom}/replicasets.apps/many/depth`, () => [{ value: "9", ...value }]);
    const asked: string[] = [];
    metrics.set("/apis/external.metrics.k8s.io/v1beta1/namespaces/default/queue", (query) => {
      asked.push(query.get("labelSelector") ?? "");
      return [
        { value: "20", ...value },
        { value: "10", ...value },
      ];
    });
    const describedObject = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "many" };
    const selector = {
      matchLabels: { topic: "a" },
      matchExpressions: [{ key: "zone", operator: "In", values: ["x", "y"] }],
    };
    await golden("sources", [
      [
        "1.5 requests each, one wanted; a depth of 9, of 6 for all; 30 in queues, 10 for each",
        () =>
          scale("many", {
            metrics: [
              {
                type: "Pods",
                pods: { metric: { name: "requests" }, target: { type: "AverageValue", averageValue: "1" } },
              },
              {
                type: "Object",
                object: { describedObject, metric: { name: "depth" }, target: { type: "Value", value: "6" } },
              },
              {
                type: "External",
                external: { metric: { name: "queue", selector }, target: { type: "AverageValue", averageValue: "10" } },
              },
            ],
          }),
      ],
    ]);
    assert.deepEqual(asked, ["topic=a,zone in (x,y)"]);
    assert.equal(await replicasOf("many"), 3);
    await remove("many");
  });

  test("counts pods that it knows nothing of as if they stood in its way", async () => {
    await set("gaps", 4);
    await world.advance(60);
    await uses("gaps", { cpu: "100m" }, [0, 1]);
    await scale("gaps", { metrics: [cpu(80)] });
    await world.settle();
    assert.equal(await replicasOf("gaps"), 4, "two of four use more than they should, and two perhaps nothing");
    await uses("gaps", { cpu: "10m" }, [0, 1]);
    await world.advance(400);
    assert.equal(await replicasOf("gaps"), 3, "two use little, and two perhaps all");
    await remove("gaps");
  });

  test("keeps what it has when a metric fails, unless another wants more", async () => {
    await set("half", 2);
    await world.advance(60);
    const missing = {
      type: "External",
      external: { metric: { name: "nowhere" }, target: { type: "Value", value: "1" } },
    };
    await uses("half", { cpu: "1m" });
    await golden("failing", [
      ["one metric says fewer, one says nothing", () => scale("half", { metrics: [cpu(50), missing] })],
      ["one says more", () => uses("half", { cpu: "100m" }).then(() => world.advance(15))],
    ]);
    assert.equal(await replicasOf("half"), 4);
    await remove("half");
  });

  test("says what is wrong: no target, no kind, no requests, nobody who measures", async () => {
    await set("free", 1, {});
    await world.advance(60);
    await uses("free", { cpu: "1" });
    await scale("free", { metrics: [cpu(50)] });
    await world.settle();
    const { status } = await world.client.get<Autoscaler>({ ...AUTOSCALERS, namespace: "default", name: "free" });
    const words = /count: failed to get cpu utilization: missing request for cpu in container c of Pod free-/;
    assert.match(status?.conditions?.find(({ type }) => type === "ScalingActive")?.message ?? "", words);
    await remove("free");
    await golden("wrong", [
      ["a set that is not there", () => scale("none", {})],
      ["a kind that is not there", () => scale("odd", {}, "Odd")],
      [
        "nobody measures",
        async () => {
          metrics.clear();
          await scale("free", { metrics: [cpu(50)] });
        },
      ],
    ]);
    for (const name of ["none", "odd", "free"]) await remove(name);
  });

  test("keeps within its bounds whatever is measured, and lets be what has no pods", async () => {
    await set("bounds", 7);
    await scale("bounds", { maxReplicas: 5, minReplicas: 3, metrics: [cpu(50)] });
    await world.settle();
    assert.equal(await replicasOf("bounds"), 5);
    const ref = { ...REPLICA_SETS, namespace: "default", name: "bounds" };
    await world.client.patch(ref, "merge", { spec: { replicas: 1 } });
    await world.advance(15);
    assert.equal(await replicasOf("bounds"), 3);
    await world.client.patch(ref, "merge", { spec: { replicas: 0 } });
    await world.advance(15);
    assert.equal(await replicasOf("bounds"), 0);
    assert.deepEqual(await condition("bounds", "ScalingActive"), ["False", "ScalingDisabled"]);
    await remove("bounds");
  });

  test("does nothing beside another one of the same pods, and says so, until that is gone", async () => {
    await set("both", 2);
    await world.advance(60);
    await uses("both", { cpu: "200m" });
    await scale("both", { metrics: [cpu(50)], minReplicas: 2, maxReplicas: 2 });
    await scale("other", {
      metrics: [cpu(50)],
      scaleTargetRef: { apiVersion: "apps/v1", kind: "ReplicaSet", name: "both" },
    });
    const known = world.history.lines.length;
    await world.advance(60);
    assert.deepEqual(await condition("other", "ScalingActive"), ["False", "AmbiguousSelector"]);
    assert.deepEqual(await condition("both", "ScalingActive"), ["False", "AmbiguousSelector"]);
    assert.equal(await replicasOf("both"), 2);
    const said = world.history.lines.slice(known).join("\n");
    assert.ok(
      said.includes("pods by selector app=both are controlled by multiple HPAs: [{both default} {other default}]"),
      said,
    );
    await remove("both");
    await world.advance(30);
    assert.equal((await condition("other", "ScalingActive"))[0], "True");
    assert.ok(Number(await replicasOf("both")) > 2);
    await remove("other");
  });
});
