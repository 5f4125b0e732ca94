import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { silentLogger } from "@boxship/base";
import { loadKubeconfig, openHttpClient } from "@boxship/client";
import { kubectl, kubernetesProgram, startApiServer, tempDir } from "@boxship/testkit";
import { runControllers } from "../frame/run-controllers.ts";
import { DEFINITIONS } from "../index.ts";
import { NODES } from "../shared/resources.ts";
import { fakeNodes } from "../testing/fake-nodes.ts";

/** The controllers as a cluster runs them, on the real clock, with nodes on which nothing runs. */
describe("kubectl", { skip: kubernetesProgram("kubectl") === undefined && "kubectl cannot be had here" }, () => {
  const stack = new AsyncDisposableStack();
  let run: NonNullable<ReturnType<typeof kubectl>>;
  before(async () => {
    const server = stack.use(await startApiServer());
    const client = stack.use(openHttpClient((await loadKubeconfig(server.kubeconfig)).connection));
    const definitions = [...DEFINITIONS, fakeNodes({ startsAfter: 0, runsFor: 0, beats: true })];
    await stack.use(runControllers({ client, definitions, logger: silentLogger })).ready;
    for (const name of ["node-1", "node-2", "node-3"]) {
      await client.create(NODES, { apiVersion: "v1", kind: "Node", metadata: { name } });
      const ready = { type: "Ready", status: "True", reason: "Faked", message: "" };
      await client.patch({ ...NODES, name }, "merge", { status: { conditions: [ready] } }, { subresource: "status" });
    }
    run = kubectl(server.kubeconfig, stack.use(tempDir("kubectl")).path) as typeof run;
  });
  after(() => stack.disposeAsync());

  /** What it prints; it must succeed. */
  async function k(line: string, input?: string): Promise<string> {
    const ran = await run(line.split(" "), input === undefined ? {} : { input });
    assert.equal(ran.status, 0, `kubectl ${line}\n${ran.stderr}${ran.stdout}`);
    return ran.stdout;
  }

  /** What it complains of; it must fail. */
  async function failing(line: string): Promise<string> {
    const ran = await run(line.split(" "));
    assert.equal(ran.status, 1, `kubectl ${line}\n${ran.stdout}`);
    return ran.stderr;
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
    await k("autoscale deployment web --min=2 --max=4 --cpu=60%");
    await k("wait --for=jsonpath={.status.availableReplicas}=2 deployment/web --timeout=60s");
    assert.match(await k("get hpa web"), /\nweb +Deployment\/web +cpu: <unknown>\/60% +2 +4 +/);
    assert.match(
      await k("describe hpa web"),
      /SuccessfulRescale +.*New size: 2; reason: Current number of replicas below/,
    );
    await k("delete hpa web");
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

  test("jobs and cron jobs: create, wait, from a cron job, suspend", async () => {
    await k("create job once --image=exit-0");
    await k("wait --for=condition=complete job/once --timeout=60s");
    assert.match(await k("get job once"), /\nonce +Complete +1\/1 +/);
    assert.match(await k("describe job once"), /Completed +.*job-controller +Job completed/);
    await k("create cronjob tick --image=exit-0 --schedule=@yearly");
    assert.equal(
      await failing(`patch cronjob tick --patch={"spec":{"schedule":"60\\u0020*\\u0020*\\u0020*\\u0020*"}}`),
      'The CronJob "tick" is invalid: spec.schedule: Invalid value: "60 * * * *": end of range (60) above maximum (59): 60\n',
    );
    assert.equal(
      await failing(`patch job once --patch={"spec":{"completionMode":"Indexed"}}`),
      'The Job "once" is invalid: spec.completionMode: Invalid value: "Indexed": field is immutable\n',
    );
    await k("create job now --from=cronjob/tick");
    await k("wait --for=condition=complete job/now --timeout=60s");
    await k("delete job once now --timeout=60s");
    await k("delete cronjob tick");
    assert.equal(await k("get jobs,pods -o name"), "");
  });

  test("stateful and daemon sets: rollout status, history, undo", async () => {
    const spec = (kind: string, more: string): string => `
apiVersion: apps/v1
kind: ${kind}
metadata: { name: set }
spec:
  selector: { matchLabels: { app: set } }
  template: { metadata: { labels: { app: set } }, spec: { containers: [{ name: c, image: "one" }] } }
${more}`;
    for (const [kind, more] of [
      ["StatefulSet", "  serviceName: set\n  replicas: 2\n"],
      ["DaemonSet", ""],
    ] as const) {
      const name = `${kind.toLowerCase()}/set`;
      const image = (): Promise<string> => k(`get ${name} -o jsonpath={.spec.template.spec.containers[0].image}`);
      await k("apply -f -", spec(kind, more));
      await k(`rollout status ${name} --timeout=60s`);
      await k(`set image ${name} c=two`);
      await k(`rollout status ${name} --timeout=60s`);
      assert.match(await k(`rollout history ${name}`), /REVISION +CHANGE-CAUSE\n1 +<none>\n2 +<none>\n/);
      assert.match(await k(`rollout history ${name} --revision=1`), /Image:\tone/);
      await k(`rollout undo ${name}`);
      await k(`rollout status ${name} --timeout=60s`);
      assert.equal(await image(), "one");
      assert.match(
        await failing(`patch ${name} --patch={"spec":{"selector":{"matchLabels":{"more":"x"}}}}`),
        /^The \w+Set "set" is invalid: \n\* spec\.template\.metadata\.labels: .* does not match template `labels`\n\* spec(: Forbidden: updates to statefulset spec .* are forbidden|\.selector: .*: field is immutable)\n$/,
      );
      assert.match(await k(`rollout history ${name}`), /\n2 +<none>\n3 +<none>\n/);
      await k(`delete ${name} --cascade=foreground --timeout=60s`);
    }
    assert.equal(await k("get pods,controllerrevisions -o name"), "");
  });

  test("services have endpoints; drain respects budgets", async () => {
    await k("create deployment safe --image=one --replicas=3");
    await k("expose deployment safe --port=80");
    await k("create poddisruptionbudget safe --selector=app=safe --max-unavailable=1");
    await k("rollout status deployment/safe --timeout=60s");
    await k("wait --for=jsonpath={.status.disruptionsAllowed}=1 pdb/safe --timeout=60s");
    const addresses = await k("get endpoints safe -o jsonpath={.subsets[*].addresses[*].ip}");
    assert.equal(addresses.split(" ").length, 3);
    assert.match(await k("get endpointslices -l kubernetes.io/service-name=safe"), /\nsafe-\w+ +IPv4 +80 +10\./);
    assert.match(await k("get pdb safe"), /\nsafe +N\/A +1 +1 +/);
    assert.match(await k("drain node-1 --timeout=60s"), /pod\/safe-\S+ evicted\nnode\/node-1 drained\n$/);
    await k("uncordon node-1");
    await k("rollout status deployment/safe --timeout=60s");
    await k("delete deployment/safe service/safe pdb/safe --cascade=foreground --timeout=60s");
    await k("wait --for=delete endpoints/safe --timeout=60s");
  });
});
