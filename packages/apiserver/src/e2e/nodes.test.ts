import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Answer, type ApiUnderTest, startApi } from "../testing/api-under-test.ts";

const CORE = "/api/v1/namespaces/default";
const LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
const MERGE = { "content-type": "application/merge-patch+json" };

describe("a node", () => {
  let api: ApiUnderTest;
  const as =
    (node: string) =>
    (method: string, path: string, body?: unknown, headers: object = {}): Promise<Answer> =>
      api.call(method, path, {
        ...(body === undefined ? {} : { body }),
        headers: { "impersonate-user": `system:node:${node}`, "impersonate-group": "system:nodes", ...headers },
      });
  const one = as("one");
  const two = as("two");
  const made = async (path: string, body: unknown): Promise<void> => {
    const { status, text } = await api.call("POST", path, { body });
    assert.equal(status, 201, text);
  };
  const statuses = async (...calls: readonly Promise<Answer>[]): Promise<readonly number[]> =>
    (await Promise.all(calls)).map(({ status }) => status);

  before(async () => {
    api = await startApi();
    for (const name of ["used", "elsewhere", "unused"]) await made(`${CORE}/secrets`, { metadata: { name } });
    for (const name of ["used", "unused"]) await made(`${CORE}/configmaps`, { metadata: { name } });
    await made(`${CORE}/serviceaccounts`, { metadata: { name: "robot" } });
    const pod = (name: string, nodeName: string, spec: object) => ({
      metadata: { name },
      spec: { nodeName, containers: [{ name: "c", image: "i" }], ...spec },
    });
    const env = [{ name: "E", valueFrom: { configMapKeyRef: { name: "used", key: "k" } } }];
    await made(
      `${CORE}/pods`,
      pod("first", "one", {
        serviceAccountName: "robot",
        containers: [{ name: "c", image: "i", env }],
        volumes: [
          { name: "s", secret: { secretName: "used" } },
          { name: "p", persistentVolumeClaim: { claimName: "claim" } },
          { name: "t", projected: { sources: [{ serviceAccountToken: { path: "t", audience: "vault" } }] } },
          { name: "d", csi: { driver: "disks.example.com" } },
        ],
      }),
    );
    await made(`${CORE}/pods`, pod("second", "two", { volumes: [{ name: "s", secret: { secretName: "elsewhere" } }] }));
    const size = { storage: "1Gi" };
    await made(`${CORE}/persistentvolumeclaims`, {
      metadata: { name: "claim" },
      spec: {
        accessModes: ["ReadWriteOnce"],
        resources: { requests: size },
        volumeName: "volume",
        storageClassName: "",
      },
    });
    await made("/api/v1/persistentvolumes", {
      metadata: { name: "volume" },
      spec: { accessModes: ["ReadWriteOnce"], capacity: size, hostPath: { path: "/x" } },
    });
  });
  after(() => api[Symbol.asyncDispose]());

  test("makes itself, writes its own status and lease, and nothing that others trust it by", async () => {
    const node = (labels: object = {}) => ({
      metadata: { name: "one", labels: { "kubernetes.io/hostname": "one", ...labels } },
    });
    const bad = await one("POST", "/api/v1/nodes", node({ "node-restriction.kubernetes.io/x": "y" }));
    assert.deepEqual(
      [bad.status, /not allowed to set the following labels: node-restriction/.test(bad.text)],
      [403, true],
    );
    assert.equal((await one("POST", "/api/v1/nodes", { metadata: { name: "two" } })).status, 403);
    assert.equal((await one("POST", "/api/v1/nodes", node())).status, 201);
    assert.equal((await two("POST", "/api/v1/nodes", { metadata: { name: "two" } })).status, 201);
    const patch = (call: typeof one, path: string, body: object) => call("PATCH", path, body, MERGE);
    const own = "/api/v1/nodes/one";
    assert.deepEqual(
      await statuses(
        patch(one, `${own}/status`, { status: { nodeInfo: { kernelVersion: "6" } } }),
        patch(one, own, {
          metadata: { labels: { "node.kubernetes.io/instance-type": "small", "example.com/a": "b" } },
        }),
        patch(one, own, { metadata: { labels: { "node-role.kubernetes.io/control-plane": "" } } }),
        patch(one, own, { spec: { taints: [] } }),
        patch(two, `${own}/status`, { status: { nodeInfo: { kernelVersion: "7" } } }),
        one("DELETE", own),
      ),
      [200, 200, 403, 403, 403, 403],
    );
    assert.deepEqual(
      await statuses(
        one("GET", own),
        one("GET", "/api/v1/nodes/two"),
        one("GET", "/api/v1/nodes"),
        one("GET", "/api/v1/nodes?fieldSelector=metadata.name%3Done"),
      ),
      [200, 403, 403, 200],
    );
    const lease = (name: string) => ({ metadata: { name }, spec: { holderIdentity: name } });
    assert.deepEqual(
      await statuses(
        one("POST", LEASES, lease("one")),
        one("POST", LEASES, lease("two")),
        one("POST", LEASES.replace("kube-node-lease", "default"), lease("one")),
      ),
      [201, 403, 403],
    );
    assert.deepEqual(await statuses(one("GET", `${LEASES}/one`), two("GET", `${LEASES}/one`)), [200, 403]);
  });

  test("reads what its pods need, by name", async () => {
    const watch = "watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3D";
    assert.deepEqual(
      await statuses(
        one("GET", `${CORE}/secrets/used`),
        one("GET", `${CORE}/secrets?${watch}used`),
        one("GET", `${CORE}/configmaps/used`),
        one("GET", `${CORE}/persistentvolumeclaims/claim`),
        one("GET", "/api/v1/persistentvolumes/volume"),
        one("GET", `${CORE}/services`),
      ),
      [200, 200, 200, 200, 200, 200],
    );
    assert.deepEqual(
      await statuses(
        one("GET", `${CORE}/secrets`),
        one("GET", `${CORE}/secrets/elsewhere`),
        one("GET", `${CORE}/secrets/unused`),
        one("GET", `${CORE}/secrets?${watch}elsewhere`),
        one("GET", `${CORE}/configmaps/unused`),
        one("PUT", `${CORE}/secrets/used`, { metadata: { name: "used" } }),
        two("GET", "/api/v1/persistentvolumes/volume"),
        two("GET", `${CORE}/secrets/used`),
        one("GET", "/apis/apps/v1/deployments"),
      ),
      [403, 403, 403, 403, 403, 403, 403, 403, 403],
    );
    assert.match(
      (await one("GET", `${CORE}/secrets/elsewhere`)).json.message,
      /no relationship found between node 'one' and this object$/,
    );
  });

  test("has its own pods, and tokens for them alone", async () => {
    const selected = (node: string) => `/api/v1/pods?fieldSelector=spec.nodeName%3D${node}`;
    assert.deepEqual(
      await statuses(
        one("GET", selected("one")),
        one("GET", selected("two")),
        one("GET", "/api/v1/pods"),
        one("GET", `${CORE}/pods/first`),
        one("GET", `${CORE}/pods/second`),
      ),
      [200, 403, 403, 200, 403],
    );
    const status = { status: { phase: "Running" } };
    assert.deepEqual(
      await statuses(
        one("PATCH", `${CORE}/pods/first/status`, status, MERGE),
        one("PATCH", `${CORE}/pods/second/status`, status, MERGE),
        one("DELETE", `${CORE}/pods/second`),
      ),
      [200, 403, 403],
    );
    const mirror = (name: string, spec: object, annotations: object) => ({
      metadata: { name, annotations },
      spec: { nodeName: "one", containers: [{ name: "c", image: "i" }], ...spec },
    });
    const marked = { "kubernetes.io/config.mirror": "x" };
    assert.deepEqual(
      await statuses(
        one("POST", `${CORE}/pods`, mirror("static", {}, marked)),
        one("POST", `${CORE}/pods`, mirror("plain", {}, {})),
        one("POST", `${CORE}/pods`, mirror("foreign", { nodeName: "two" }, marked)),
        one("POST", `${CORE}/pods`, mirror("needy", { imagePullSecrets: [{ name: "used" }] }, marked)),
      ),
      [201, 403, 403, 403],
    );
    const { uid } = (await api.call("GET", `${CORE}/pods/first`)).json.metadata;
    const bound = { spec: { boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "first", uid } } };
    assert.deepEqual(
      await statuses(
        one("POST", `${CORE}/serviceaccounts/robot/token`, bound),
        one("POST", `${CORE}/serviceaccounts/robot/token`, { spec: {} }),
        two("POST", `${CORE}/serviceaccounts/robot/token`, bound),
      ),
      [201, 403, 403],
    );
    await made("/apis/storage.k8s.io/v1/csidrivers", {
      metadata: { name: "disks.example.com" },
      spec: { tokenRequests: [{ audience: "disks" }] },
    });
    const forAudience = (...audiences: readonly string[]) =>
      one("POST", `${CORE}/serviceaccounts/robot/token`, { spec: { ...bound.spec, audiences } });
    assert.deepEqual(
      await statuses(forAudience("vault"), forAudience("disks"), forAudience("vault", "disks")),
      [201, 201, 403],
    );
    assert.equal(
      (await forAudience("bank")).json.message,
      'serviceaccounts "robot" is forbidden: audience "bank" not found in pod spec volume, system:node:one is not authorized to request tokens for this audience',
    );
    const rbac = "/apis/rbac.authorization.k8s.io/v1";
    const verbs = ["request-serviceaccounts-token-audience"];
    await made(`${rbac}/clusterroles`, {
      metadata: { name: "bankers" },
      rules: [{ apiGroups: [""], resources: ["bank"], verbs, resourceNames: ["robot"] }],
    });
    await made(`${rbac}/clusterrolebindings`, {
      metadata: { name: "bankers" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "bankers" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "system:nodes" }],
    });
    assert.equal((await forAudience("bank")).status, 201);
    const eviction = (name: string) => ({ apiVersion: "policy/v1", kind: "Eviction", metadata: { name } });
    assert.deepEqual(
      await statuses(
        one("POST", `${CORE}/pods/second/eviction`, eviction("second")),
        one("POST", `${CORE}/pods/first/eviction`, eviction("first")),
      ),
      [403, 201],
    );
  });

  test("of another name's group is nobody", async () => {
    const headers = { "impersonate-user": "system:node:one", "impersonate-group": "others" };
    assert.equal((await api.call("GET", `${CORE}/secrets/used`, { headers })).status, 403);
  });

  test("what is no pod's address is reached by no proxy", async () => {
    const refusal = async (path: string): Promise<readonly unknown[]> => {
      const { status, json } = await api.call("GET", `${CORE}/${path}/proxy/`);
      return [status, json.message];
    };
    const pod = { metadata: { name: "sly" }, spec: { schedulerName: "none", containers: [{ name: "c", image: "i" }] } };
    await made(`${CORE}/pods`, pod);
    assert.deepEqual(await refusal("pods/sly"), [400, "address not allowed"]);
    const setAddress = (ip: string) => {
      const status = { podIPs: [{ ip }], podIP: ip };
      return api.call("PATCH", `${CORE}/pods/sly/status`, { body: { status }, headers: MERGE });
    };
    assert.equal((await setAddress("::ffff:127.0.0.1")).status, 422);
    for (const ip of ["169.254.169.254", "0.0.0.0", "::1", "fe80::1", "127.0.0.1"]) {
      const patched = await setAddress(ip);
      assert.equal(patched.status, 200, patched.text);
      assert.deepEqual(await refusal("pods/sly"), [400, "address not allowed"], ip);
    }
    for (const port of ["0", "65536", "web", "1e3", "-1"]) {
      const [status, message] = await refusal(`pods/sly:${port}`);
      assert.equal(status, 400, String(message));
    }
    await made(`${CORE}/services`, { metadata: { name: "sly" }, spec: { ports: [{ port: 80 }] } });
    const targetRef = { kind: "Pod", name: "sly", namespace: "default" };
    const endpoints = [
      { addresses: ["10.0.0.9"] },
      { addresses: ["10.0.0.9"], targetRef },
      { addresses: ["127.0.0.1"], targetRef },
      { addresses: ["10.0.0.9"], targetRef: { ...targetRef, namespace: "kube-system" } },
    ];
    for (const endpoint of endpoints) {
      await made("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {
        metadata: { generateName: "sly-", labels: { "kubernetes.io/service-name": "sly" } },
        addressType: "IPv4",
        ports: [{ name: "", port: api.port }],
        endpoints: [endpoint],
      });
    }
    assert.deepEqual(await refusal("services/sly:80"), [503, 'no endpoints available for service "sly:80"']);
  });
});
