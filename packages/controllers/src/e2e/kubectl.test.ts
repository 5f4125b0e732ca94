import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { silentLogger } from "@boxship/base";
import { loadKubeconfig, openHttpClient } from "@boxship/client";
import { kubectl, kubernetesProgram, startApiServer, tempDir } from "@boxship/testkit";
import { runControllers } from "../frame/run-controllers.ts";
import { DEFINITIONS } from "../index.ts";
import { fakeNodes } from "../testing/fake-nodes.ts";

/** The controllers as a cluster runs them, on the real clock, with nodes on which nothing runs. */
describe("kubectl", { skip: kubernetesProgram("kubectl") === undefined && "kubectl cannot be had here" }, () => {
  const stack = new AsyncDisposableStack();
  let run: NonNullable<ReturnType<typeof kubectl>>;
  before(async () => {
    const server = stack.use(await startApiServer());
    const client = stack.use(openHttpClient((await loadKubeconfig(server.kubeconfig)).connection));
    const definitions = [...DEFINITIONS, fakeNodes({ startsAfter: 0 })];
    await stack.use(runControllers({ client, definitions, logger: silentLogger })).ready;
    run = kubectl(server.kubeconfig, stack.use(tempDir("kubectl")).path) as typeof run;
  });
  after(() => stack.disposeAsync());

  /** What it prints; it must succeed. */
  async function k(line: string, input?: string): Promise<string> {
    const ran = await run(line.split(" "), input === undefined ? {} : { input });
    assert.equal(ran.status, 0, `kubectl ${line}\n${ran.stderr}${ran.stdout}`);
    return ran.stdout;
  }

  test("rollout status, history, undo, pause, resume, restart; scale; delete in three ways", async () => {
    await k("create deployment web --image=web:1 --replicas=3");
    assert.match(await k("rollout status deployment/web --timeout=60s"), /deployment "web" successfully rolled out\n$/);
    assert.match(await k("get deployment web"), /\nweb +3\/3 +3 +3 +/);
    await k("set image deployment/web web=web:2");
    assert.match(await k("rollout status deployment/web --timeout=60s"), /successfully rolled out\n$/);
    await k("annotate deployment/web kubernetes.io/change-cause=second");
    assert.match(await k("rollout history deployment/web"), /REVISION +CHANGE-CAUSE\n1 +<none>\n2 +\S+\n/);
    assert.match(await k("rollout history deployment/web --revision=1"), /Image:\tweb:1/);
    await k("rollout undo deployment/web");
    await k("rollout status deployment/web --timeout=60s");
    assert.equal(await k("get deployment web -o jsonpath={.spec.template.spec.containers[0].image}"), "web:1");
    assert.match(await k("rollout history deployment/web"), /\n2 +\S+\n3 +/);
    await k("rollout pause deployment/web");
    await k("set image deployment/web web=web:3");
    await k("wait --for=condition=Progressing=Unknown deployment/web --timeout=60s");
    await k("rollout resume deployment/web");
    await k("rollout status deployment/web --timeout=60s");
    await k("rollout restart deployment/web");
    await k("rollout status deployment/web --timeout=60s");
    await k("scale deployment/web --replicas=5");
    await k("wait --for=jsonpath={.status.availableReplicas}=5 deployment/web --timeout=60s");
    await k("scale deployment/web --replicas=1");
    await k("wait --for=jsonpath={.status.replicas}=1 deployment/web --timeout=60s");
    const described = await k("describe deployment web");
    assert.match(described, /\n +Available +True +MinimumReplicasAvailable\n/);
    assert.match(described, /\n +Progressing +True +NewReplicaSetAvailable\n/);
    assert.match(described, /ScalingReplicaSet +.*deployment-controller +Scaled up replica set web-\S+ from 0 to 3/);
    await k("delete deployment web --cascade=foreground --timeout=60s");
    assert.equal(await k("get rs,pods -o name"), "");
    await k("create deployment stays --image=web:1");
    await k("rollout status deployment/stays --timeout=60s");
    await k("delete deployment stays --cascade=orphan --timeout=60s");
    assert.match(await k("get rs -o name"), /^replicaset.apps\/stays-\w+\n$/);
    await k("delete rs -l app=stays --timeout=60s");
    await k("wait --for=delete pod -l app=stays --timeout=60s");
  });
});
