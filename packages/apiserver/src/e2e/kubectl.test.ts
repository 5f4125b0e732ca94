import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { kubectl, kubernetesProgram } from "@boxship/testkit";
import { type ApiUnderTest, startApi } from "../testing/api-under-test.ts";

const program = kubernetesProgram("kubectl");

const DEPLOYMENT = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { app: web } }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
      - name: web
        image: nginx:1
        ports: [{ containerPort: 80 }]
        env: [{ name: A, value: "1" }]
`;

const CRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: things.example.com }
spec:
  group: example.com
  scope: Namespaced
  names: { plural: things, kind: Thing, shortNames: [th] }
  versions:
  - name: v1
    served: true
    storage: true
    subresources: { status: {}, scale: { specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas } }
    additionalPrinterColumns: [{ name: Size, type: integer, jsonPath: .spec.size }]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: { type: integer, minimum: 1 }
              color: { type: string, default: red, enum: [red, blue] }
              replicas: { type: integer }
          status: { type: object, properties: { replicas: { type: integer } } }
`;

describe("kubectl", { skip: program === undefined && "kubectl cannot be had here" }, () => {
  let api: ApiUnderTest;
  let run: NonNullable<ReturnType<typeof kubectl>>;
  before(async () => {
    api = await startApi();
    run = kubectl(api.kubeconfig, api.directory.join("home")) as typeof run;
  });
  after(() => api?.[Symbol.asyncDispose]());

  /** What it prints; it must succeed. */
  async function k(line: string, input?: string): Promise<string> {
    const ran = await run(line.split(" "), input === undefined ? {} : { input });
    assert.equal(ran.status, 0, `kubectl ${line}\n${ran.stderr}${ran.stdout}`);
    return ran.stdout;
  }

  async function refused(line: string, input?: string): Promise<string> {
    const ran = await run(line.split(" "), input === undefined ? {} : { input });
    assert.notEqual(ran.status, 0, `kubectl ${line} succeeded:\n${ran.stdout}`);
    return ran.stderr;
  }

  test("create, get in every form, label, annotate, edit, patch, replace, delete", async () => {
    await k("create configmap one --from-literal=a=1");
    await k("create secret generic hidden --from-literal=password=x");
    await k("create serviceaccount robot");
    assert.match(await k("get configmap one -o yaml"), /^apiVersion: v1\ndata:\n {2}a: "1"\nkind: ConfigMap\n/);
    assert.equal(await k("get cm one -o jsonpath={.data.a}"), "1");
    assert.equal(await k("get cm one -o go-template={{.data.a}}"), "1");
    assert.equal(await k("get cm one -o name"), "configmap/one\n");
    assert.equal(await k("get cm one -o custom-columns=N:.metadata.name --no-headers"), "one\n");
    assert.match(await k("get cm one"), /^NAME +DATA +AGE\none +1 +\S+\n$/);
    assert.match(
      await k("get secret hidden --show-labels"),
      /^NAME +TYPE +DATA +AGE +LABELS\nhidden +Opaque +1 +\S+ +<none>\n$/,
    );
    await k("label cm one tier=back");
    await k("annotate cm one why=because");
    assert.equal(await k("get cm -l tier=back -o name"), "configmap/one\n");
    assert.equal(await k("get cm -A --field-selector metadata.name=one -o name"), "configmap/one\n");
    await run(["edit", "cm", "one"], { env: { KUBE_EDITOR: "sed -i s/because/edited/" } });
    assert.equal(await k("get cm one -o jsonpath={.metadata.annotations.why}"), "edited");
    await run(["patch", "cm", "one", "--type=merge", "-p", '{"data":{"b":"2"}}']);
    await run(["patch", "cm", "one", "--type=json", "-p", '[{"op":"remove","path":"/data/a"}]']);
    assert.equal(await k("get cm one -o jsonpath={.data}"), '{"b":"2"}');
    const whole = await k("get cm one -o json");
    await k("replace -f -", whole.replace('"b": "2"', '"b": "3"'));
    assert.match(await refused("replace -f -", whole.replace('"b": "2"', '"b": "4"')), /the object has been modified/);
    assert.equal(await k("delete cm one"), 'configmap "one" deleted from default namespace\n');
    assert.match(await refused("get cm one"), /Error from server \(NotFound\): configmaps "one" not found/);
  });

  test("apply on the client's side and on the server's, diff, scale, explain, wait", async () => {
    assert.equal(await k("apply -f -", DEPLOYMENT), "deployment.apps/web created\n");
    assert.equal(await k("apply -f -", DEPLOYMENT), "deployment.apps/web unchanged\n");
    assert.equal(await k("diff -f -", DEPLOYMENT), "");
    const more = DEPLOYMENT.replace("replicas: 2", "replicas: 3");
    const diff = await run(["diff", "-f", "-"], { input: more });
    assert.deepEqual([diff.status, /\+ {2}replicas: 3/.test(diff.stdout)], [1, true]);
    assert.equal(await k("apply -f -", more), "deployment.apps/web configured\n");
    await k("scale deployment web --replicas=5");
    assert.match(await k("get deploy web"), /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0\/5 +0 +0 +\S+\n$/);
    await k("set image deployment/web web=nginx:2");
    assert.equal(await k("get deploy web -o jsonpath={.spec.template.spec.containers[0].image}"), "nginx:2");
    assert.match(await refused("apply --server-side -f -", DEPLOYMENT), /Apply failed with \d+ conflicts?/);
    const other = DEPLOYMENT.replace("name: web, labels", "name: other, labels");
    assert.equal(await k("apply --server-side -f -", other), "deployment.apps/other serverside-applied\n");
    assert.match(
      await refused("apply --server-side --validate=ignore -f -", other.replace(/( +)env:/, "$1what: 1\n$1env:")),
      /typed patch object \(default\/other; apps\/v1, Kind=Deployment\): \.spec\.template\.spec\.containers\[name="\w+"\]\.what: field not declared in schema/,
    );
    await k("scale deployment other --replicas=4");
    assert.match(
      await refused("apply --server-side -f -", other),
      /conflict with "kubectl" with subresource "scale" using apps\/v1: \.spec\.replicas/,
    );
    await k("apply --server-side --force-conflicts -f -", other.replace(/\n +env:.*/, ""));
    const container = JSON.parse(await k("get deploy other -o jsonpath={.spec.template.spec.containers[0]}")) as {
      env?: unknown;
    };
    assert.equal(container.env, undefined, "what is no longer applied goes");
    assert.match(
      await k("explain deployment.spec.template.spec.containers.ports"),
      /containerPort\t<integer> -required-/,
    );
    assert.match(
      await k("explain pod.spec.containers.imagePullPolicy"),
      /FIELD: imagePullPolicy <string>\nENUM:\n {4}Always\n {4}IfNotPresent\n {4}Never\n/,
    );
    assert.match(await k("explain pv.spec.accessModes"), /accessModes <\[\]string>/);
    assert.match(
      await refused("apply -f -", DEPLOYMENT.replace("replicas: 2", "replicaz: 2")),
      /unknown field "spec\.replicaz"/,
    );
    await k("wait --for=jsonpath={.spec.replicas}=2 deployment/other");
    await k("delete deployment other web");
  });

  test("a list in a file is checked and created, and an unknown kind is told as one", async () => {
    const item = (name: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { a: "1" } });
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: [item("listed-1"), item("listed-2")] });
    assert.equal(await k("create -f -", list), "configmap/listed-1 created\nconfigmap/listed-2 created\n");
    const unknown = await refused("create -f -", JSON.stringify({ ...item("x"), apiVersion: "nothing.example/v1" }));
    assert.match(unknown, /no matches for kind "ConfigMap" in version "nothing.example\/v1"/);
  });

  test("custom resources: created, served, checked, scaled, explained and gone", async () => {
    await k("apply -f -", CRD);
    await k("wait --for=condition=Established crd/things.example.com");
    const thing = (name: string, spec: string) =>
      `{apiVersion: example.com/v1, kind: Thing, metadata: {name: ${name}}, spec: ${spec}}`;
    await k("apply -f -", thing("a", "{size: 3}"));
    assert.equal(await k("get th"), "NAME   SIZE\na      3\n");
    assert.equal(await k("get th a -o jsonpath={.spec}"), '{"color":"red","size":3}');
    const wrong = await refused("apply -f -", thing("b", "{size: 0, color: green}"));
    assert.match(wrong, /spec\.color: Unsupported value: "green": supported values: "red", "blue"/);
    assert.match(wrong, /spec\.size: Invalid value: 0: spec\.size in body should be greater than or equal to 1/);
    await k("scale th a --replicas=2");
    assert.equal(await k("get th a -o jsonpath={.spec.replicas}/{.metadata.generation}"), "2/2");
    assert.match(await k("explain th.spec --recursive"), /size\t<integer> -required-/);
    await k("delete crd things.example.com");
    assert.match(await refused("get th"), /could not find the requested resource|doesn't have a resource type/);
  });

  test("services get addresses and ports, and namespaces go with what is in them", async () => {
    await k("create namespace gone");
    await k("create deployment web --image=nginx -n gone");
    await k("expose deployment web --port=80 --type=NodePort -n gone");
    assert.match(await k("get svc web -n gone"), /\nweb +NodePort +10\.96\.\d+\.\d+ +<none> +80:3\d{4}\/TCP +/);
    await k("run pod --image=busybox -n gone");
    assert.match(await k("get all -n gone"), /pod\/pod +0\/1 +Pending/);
    assert.match(await refused("logs pod -n gone"), /pod pod does not have a host assigned/);
    assert.match(await k("describe pod pod -n gone"), /QoS Class: +BestEffort/);
    await k("delete namespace gone");
    assert.match(await refused("get ns gone"), /not found/);
  });

  test("who may what", async () => {
    assert.equal(await k("auth can-i create pods"), "yes\n");
    assert.match(await k("auth whoami"), /kubernetes-admin/);
    assert.match(await refused("get pods --as ann"), /User "ann" cannot list resource "pods" in API group ""/);
    await k("create rolebinding ann --clusterrole=view --user=ann");
    assert.equal(await k("auth can-i list pods --as ann"), "yes\n");
    assert.match(await k("auth can-i --list --as ann"), /deployments\.apps +\[\] +\[\] +\[get list watch\]/);
    await k("delete rolebinding ann");
    assert.match(
      await k("api-resources --api-group=apps -o name"),
      /^controllerrevisions\.apps\ndaemonsets\.apps\ndeployments\.apps\n/,
    );
    assert.match(await k("version"), /Server Version: v1\.36/);
  });

  test("get -w tells changes as rows", async () => {
    await k("create configmap seen");
    const child = spawn(program ?? "", ["get", "cm", "seen", "-w", "--no-headers"], {
      env: { ...process.env, KUBECONFIG: api.kubeconfig, HOME: api.directory.join("home") },
    });
    try {
      let text = "";
      child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
      await once(child.stdout, "data");
      await run(["patch", "cm", "seen", "-p", '{"data":{"x":"1"}}']);
      while (!/\nseen +1 /.test(text)) await once(child.stdout, "data");
    } finally {
      child.kill();
      await once(child, "close");
    }
  });
});
