import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { kubectl } from "@boxship/testkit";
import { type Answer, type ApiUnderTest, type Loose, startApi } from "../testing/api-under-test.ts";

describe("admission", () => {
  let api: ApiUnderTest;
  let count = 0;
  const send = (method: string, path: string, body?: object): Promise<Answer> => api.call(method, path, { body });
  const make = async (path: string, body: object): Promise<Loose> => {
    const made = await send("POST", path, body);
    assert.equal(made.status, 201, made.text);
    return made.json;
  };
  const refused = async (path: string, body: object, code: number, words: string): Promise<void> => {
    const answer = await send("POST", path, body);
    assert.equal(answer.status, code, answer.text);
    assert.ok(answer.json["message"].includes(words), `${answer.json["message"]}\nhas not\n${words}`);
  };
  /** A namespace of the test's own. */
  const namespace = async (labels: Record<string, string> = {}): Promise<string> => {
    const name = `ns-${count++}`;
    await make("/api/v1/namespaces", { metadata: { name, labels } });
    return `/api/v1/namespaces/${name}`;
  };
  const pod = (spec: object = {}, container: object = {}, name = `pod-${count++}`) => ({
    metadata: { name },
    spec: { containers: [{ name: "a", image: "a", ...container }], ...spec },
  });
  before(async () => {
    api = await startApi();
  });
  after(() => api?.[Symbol.asyncDispose]());

  test("claims and volumes are held from the beginning, and pods know where their node is", async () => {
    const at = await namespace();
    const size = { storage: "1Gi" };
    const claim = await make(`${at}/persistentvolumeclaims`, {
      metadata: { name: "held", finalizers: ["example.com/own"] },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: size } },
    });
    assert.deepEqual(claim.metadata.finalizers, ["example.com/own", "kubernetes.io/pvc-protection"]);
    const volume = await make("/api/v1/persistentvolumes", {
      metadata: { name: "held" },
      spec: { accessModes: ["ReadWriteOnce"], capacity: size, hostPath: { path: "/x" } },
    });
    assert.deepEqual(volume.metadata.finalizers, ["kubernetes.io/pv-protection"]);
    const zone = { "topology.kubernetes.io/zone": "z1" };
    const region = { "topology.kubernetes.io/region": "r1" };
    await make("/api/v1/nodes", { metadata: { name: "placed", labels: { ...zone, ...region, other: "x" } } });
    const bare = { metadata: { name: "bound", labels: { "topology.kubernetes.io/region": "own" } } };
    await make(`${at}/pods`, { ...pod(), ...bare });
    await make(`${at}/pods/bound/binding`, { metadata: { name: "bound" }, target: { kind: "Node", name: "placed" } });
    const { metadata } = (await send("GET", `${at}/pods/bound`)).json;
    assert.deepEqual(metadata.labels, { ...zone, "topology.kubernetes.io/region": "own" });
    const direct = await make(`${at}/pods`, pod({ nodeName: "placed" }));
    assert.deepEqual(direct.metadata.labels, { ...zone, ...region });
    await make(`${at}/pods`, pod({ nodeName: "nowhere" }));
  });

  test("pods run as an account that exists, with its token at hand", async () => {
    const at = await namespace();
    const made = await make(`${at}/pods`, pod());
    assert.equal(made.spec.serviceAccountName, "default");
    const [volume] = made.spec.volumes;
    assert.match(volume.name, /^kube-api-access-[a-z0-9]{5}$/);
    assert.deepEqual(
      volume.projected.sources.map((source: object) => Object.keys(source)[0]),
      ["serviceAccountToken", "configMap", "downwardAPI"],
    );
    assert.deepEqual(made.spec.containers[0].volumeMounts, [
      { name: volume.name, readOnly: true, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" },
    ]);
    const bare = await make(`${at}/pods`, pod({ automountServiceAccountToken: false }));
    assert.equal(bare.spec.volumes, undefined);
    const accounts = {
      metadata: { name: "shy" },
      automountServiceAccountToken: false,
      imagePullSecrets: [{ name: "p" }],
    };
    await make(`${at}/serviceaccounts`, accounts);
    const shy = await make(`${at}/pods`, pod({ serviceAccountName: "shy" }));
    assert.deepEqual([shy.spec.volumes, shy.spec.imagePullSecrets], [undefined, [{ name: "p" }]]);
    const words = `error looking up service account ${at.split("/").at(-1)}/none: serviceaccount "none" not found`;
    await refused(`${at}/pods`, pod({ serviceAccountName: "none" }), 403, words);
    await refused("/api/v1/namespaces/nowhere/pods", pod(), 404, 'namespaces "nowhere" not found');
  });

  test("limit ranges give what is missing, and refuse what is too much", async () => {
    const at = await namespace();
    await make(`${at}/limitranges`, {
      metadata: { name: "limits" },
      spec: {
        limits: [
          {
            type: "Container",
            max: { cpu: "2", memory: "1Gi" },
            min: { cpu: "100m" },
            defaultRequest: { cpu: "200m" },
          },
          { type: "Pod", max: { cpu: "3" } },
          { type: "PersistentVolumeClaim", min: { storage: "1Gi" }, max: { storage: "2Gi" } },
        ],
      },
    });
    const made = await make(`${at}/pods`, pod());
    assert.deepEqual(made.spec.containers[0].resources, {
      requests: { cpu: "200m", memory: "1Gi" },
      limits: { cpu: "2", memory: "1Gi" },
    });
    assert.match(
      made.metadata.annotations["kubernetes.io/limit-ranger"],
      /^LimitRanger plugin set: cpu, memory request for container a; cpu, memory limit for container a$/,
    );
    const limits = (cpu: string) => ({ resources: { limits: { cpu } } });
    await refused(
      `${at}/pods`,
      pod({}, limits("4")),
      403,
      "[maximum cpu usage per Container is 2, but limit is 4, maximum cpu usage per Pod is 3, but limit is 4]",
    );
    await refused(
      `${at}/pods`,
      pod({}, limits("50m")),
      403,
      "minimum cpu usage per Container is 100m, but request is 50m",
    );
    const claim = (storage: string) => ({
      metadata: { name: `c-${count++}` },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } },
    });
    await make(`${at}/persistentvolumeclaims`, claim("2Gi"));
    await refused(
      `${at}/persistentvolumeclaims`,
      claim("3Gi"),
      403,
      "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi",
    );
    const wrong = {
      metadata: { name: "w" },
      spec: { limits: [{ type: "Container", min: { cpu: "2" }, max: { cpu: "1" } }] },
    };
    await refused(`${at}/limitranges`, wrong, 422, "min value 2 is greater than max value 1");
  });

  test("as many are let in at once as a quota has room for, however often it is counted meanwhile", async () => {
    const at = await namespace();
    const quota = `${at}/resourcequotas/q`;
    await make(`${at}/resourcequotas`, { metadata: { name: "q" }, spec: { hard: { "count/configmaps": "9" } } });
    await make(`${at}/secrets`, { metadata: { name: "s" } });
    const until = async (used: string): Promise<void> => {
      for (let tries = 0; ; tries++) {
        const { json } = await send("GET", quota);
        if (json["status"]?.used?.["count/configmaps"] === used) return;
        assert.ok(tries < 500, JSON.stringify(json["status"]));
        await wait(20);
      }
    };
    await until("1");
    for (let round = 0; round < 6; round++) {
      const made = Array.from({ length: 24 }, (_, index) => `c-${round}-${index}`);
      // What changes in the namespace has the quota counted.
      const changes = [0, 1, 2, 3].map(async (change) => {
        await wait(change * 15);
        const { status } = await send("PUT", `${at}/secrets/s`, {
          metadata: { name: "s", labels: { at: `${round}-${change}` } },
        });
        assert.equal(status, 200);
      });
      const answers = await Promise.all(made.map((name) => send("POST", `${at}/configmaps`, { metadata: { name } })));
      await Promise.all(changes);
      assert.equal(answers.filter(({ status }) => status === 201).length, 8);
      await until("9");
      await Promise.all(made.map((name) => send("DELETE", `${at}/configmaps/${name}`)));
      await until("1");
    }
  });

  test("quotas count, hold under many writers at once, and give back what is deleted", async () => {
    const at = await namespace();
    const quotas = `${at}/resourcequotas`;
    const hard = { pods: "5", "requests.cpu": "1", "count/configmaps": "3", "services.nodeports": "1" };
    await make(quotas, { metadata: { name: "q" }, spec: { hard } });
    const used = async (): Promise<Loose> => (await send("GET", `${quotas}/q`)).json["status"]?.used;
    const until = async (wanted: Record<string, string>): Promise<void> => {
      for (let tries = 0; ; tries++) {
        const now = await used();
        if (Object.entries(wanted).every(([name, value]) => now?.[name] === value)) return;
        assert.ok(tries < 500, `used ${JSON.stringify(now)}, wanted ${JSON.stringify(wanted)}`);
        await wait(20);
      }
    };
    const asks = (cpu: string) => ({ resources: { requests: { cpu } } });
    await refused(`${at}/pods`, pod(), 403, "failed quota: q: must specify requests.cpu for: a");
    await make(`${at}/pods`, pod({}, asks("600m"), "one"));
    const more = `exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1`;
    await refused(`${at}/pods`, pod({}, asks("600m")), 403, more);
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => send("POST", `${at}/pods`, pod({}, asks("10m")))),
    );
    assert.equal(
      answers.filter(({ status }) => status === 201).length,
      4,
      "of twelve at once as many as there is room for",
    );
    await until({ pods: "5", "requests.cpu": "640m", "count/configmaps": "1" });
    await send("DELETE", `${at}/pods/one?gracePeriodSeconds=0`);
    await until({ pods: "4", "requests.cpu": "40m" });
    const dry = await send("POST", `${at}/pods?dryRun=All`, pod({}, asks("900m")));
    assert.equal(dry.status, 201);
    await make(`${at}/pods`, pod({}, asks("900m")));
    await make(`${at}/services`, { metadata: { name: "s" }, spec: { type: "NodePort", ports: [{ port: 80 }] } });
    const service = { metadata: { name: "t" }, spec: { ports: [{ port: 80 }] } };
    const made = await make(`${at}/services`, service);
    const changed = await send("PUT", `${at}/services/t`, { ...made, spec: { ...made.spec, type: "NodePort" } });
    assert.deepEqual(
      [changed.status, /exceeded quota: q, requested: services\.nodeports=1/.test(changed.text)],
      [403, true],
    );
    await send("PATCH", `${quotas}/q`, undefined);
    const grown = { metadata: { name: "q" }, spec: { hard: { ...hard, secrets: "1" } } };
    await send("PUT", `${quotas}/q`, grown);
    await make(`${at}/secrets`, { metadata: { name: "a" } });
    await refused(
      `${at}/secrets`,
      { metadata: { name: "b" } },
      403,
      "exceeded quota: q, requested: secrets=1, used: secrets=1, limited: secrets=1",
    );
    await make(quotas, { metadata: { name: "b" }, spec: { hard: { pods: "0" }, scopes: ["BestEffort"] } });
    await send("DELETE", `${quotas}/q`);
    await make(`${at}/pods`, pod({}, asks("1")));
    await refused(`${at}/pods`, pod(), 403, "exceeded quota: b, requested: pods=1, used: pods=0, limited: pods=0");
  });

  test("pods are bound once, and not while gates hold them or when they are about to go", async () => {
    const at = await namespace();
    const target = { apiVersion: "v1", kind: "Node", name: "n1" };
    const bind = (more: object = {}, name = "bound", to: object = target) => ({
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name, ...more },
      target: to,
    });
    const { uid } = (await make(`${at}/pods`, pod({}, {}, "bound"))).metadata;
    const path = `${at}/pods/bound/binding`;
    await refused(path, bind({}, "other"), 400, "name in URL does not match name in Binding object");
    const nowhere =
      'target.kind: Unsupported value: "Place": supported values: "Node", "<empty>", target.name: Required value';
    await refused(path, bind({}, "bound", { kind: "Place" }), 422, nowhere);
    await refused(path, bind({ uid: "other" }), 409, `UID in precondition: other, UID in object meta: ${uid}`);
    assert.equal((await send("POST", path, bind({ uid, annotations: { by: "us" } }))).status, 201);
    const { metadata, spec, status } = (await send("GET", `${at}/pods/bound`)).json;
    assert.deepEqual([metadata.generation, spec.nodeName, metadata.annotations], [1, "n1", { by: "us" }]);
    assert.deepEqual(
      status.conditions.map((one: Loose) => [one.type, one.status]),
      [["PodScheduled", "True"]],
    );
    await refused(path, bind(), 409, 'pod bound is already assigned to node "n1"');
    await make(`${at}/pods`, pod({ schedulingGates: [{ name: "x.io/wait" }] }, {}, "gated"));
    await refused(`${at}/pods/gated/binding`, bind({}, "gated"), 409, "pod gated has non-empty .spec.schedulingGates");
    const held = pod({}, {}, "going");
    await make(`${at}/pods`, { ...held, metadata: { ...held.metadata, finalizers: ["x.io/held"] } });
    await send("DELETE", `${at}/pods/going`);
    await refused(
      `${at}/pods/going/binding`,
      bind({}, "going"),
      409,
      "pod going is being deleted, cannot be assigned to a host",
    );
  });

  test("priorities, default classes, tolerations, taints, runtime classes", async () => {
    const at = await namespace();
    const classes = "/apis/scheduling.k8s.io/v1/priorityclasses";
    await make(classes, { metadata: { name: "usual" }, value: 7, globalDefault: true, preemptionPolicy: "Never" });
    const made = await make(`${at}/pods`, pod());
    assert.deepEqual(
      [made.spec.priority, made.spec.priorityClassName, made.spec.preemptionPolicy],
      [7, "usual", "Never"],
    );
    assert.deepEqual(
      made.spec.tolerations.map((one: Loose) => [one.key, one.tolerationSeconds]),
      [
        ["node.kubernetes.io/not-ready", 300],
        ["node.kubernetes.io/unreachable", 300],
      ],
    );
    const second = { metadata: { name: "other" }, value: 8, globalDefault: true };
    await refused(classes, second, 403, "PriorityClass usual is already marked as default. Only one default can exist");
    await refused(`${at}/pods`, pod({ priorityClassName: "x" }), 403, "no PriorityClass with name x was found");
    await refused(
      `${at}/pods`,
      pod({ priority: 3 }),
      403,
      "the integer value of priority (3) must not be provided in pod spec",
    );
    await send("DELETE", `${classes}/usual`);
    const storage = "/apis/storage.k8s.io/v1/storageclasses";
    const marked = { "storageclass.kubernetes.io/is-default-class": "true" };
    await make(storage, { metadata: { name: "fast", annotations: marked }, provisioner: "x" });
    const claim = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
    const claims = `${at}/persistentvolumeclaims`;
    assert.equal((await make(claims, { metadata: { name: "a" }, spec: claim })).spec.storageClassName, "fast");
    const none = await make(claims, { metadata: { name: "b" }, spec: { ...claim, storageClassName: "" } });
    assert.equal(none.spec.storageClassName, "");
    const node = await make("/api/v1/nodes", { metadata: { name: "fresh" } });
    assert.deepEqual(node.spec.taints, [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }]);
    await make("/apis/node.k8s.io/v1/runtimeclasses", {
      metadata: { name: "vm" },
      handler: "vm",
      overhead: { podFixed: { cpu: "1" } },
      scheduling: { nodeSelector: { vm: "yes" } },
    });
    const heavy = await make(`${at}/pods`, pod({ runtimeClassName: "vm" }));
    assert.deepEqual([heavy.spec.overhead, heavy.spec.nodeSelector], [{ cpu: "1" }, { vm: "yes" }]);
    await refused(`${at}/pods`, pod({ runtimeClassName: "x" }), 403, 'pod rejected: RuntimeClass "x" not found');
  });

  test("pods are as safe as their namespace asks for, at all three levels", async () => {
    const label = "pod-security.kubernetes.io";
    const restricted = await namespace({ [`${label}/enforce`]: "restricted" });
    const safe = {
      allowPrivilegeEscalation: false,
      runAsNonRoot: true,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    };
    await make(`${restricted}/pods`, pod({}, { securityContext: safe }));
    await refused(
      `${restricted}/pods`,
      pod(),
      403,
      'is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    );
    const path = { volumes: [{ name: "h", hostPath: { path: "/" } }] };
    await refused(
      `${restricted}/pods`,
      pod(path, { securityContext: safe }),
      403,
      'hostPath volumes (volume "h"), restricted volume types (volume "h" uses restricted volume type "hostPath")',
    );
    const root = { securityContext: { ...safe, runAsUser: 0 } };
    await refused(`${restricted}/pods`, pod({}, root), 403, 'runAsUser=0 (container "a" must not set runAsUser=0)');
    const baseline = await namespace({ [`${label}/enforce`]: "baseline", [`${label}/warn`]: "restricted" });
    const warned = await send("POST", `${baseline}/pods`, pod());
    assert.equal(warned.status, 201);
    assert.match(String(warned.headers["warning"]), /would violate PodSecurity \\"restricted:latest\\"/);
    const cases: readonly [object, object, string][] = [
      [{ hostNetwork: true, hostPID: true }, {}, "host namespaces (hostNetwork=true, hostPID=true)"],
      [
        {},
        { securityContext: { privileged: true } },
        'privileged (container "a" must not set securityContext.privileged=true)',
      ],
      [{}, { ports: [{ containerPort: 1, hostPort: 80 }] }, 'hostPort (container "a" uses hostPort 80)'],
      [
        {},
        { securityContext: { capabilities: { add: ["SYS_ADMIN"] } } },
        'non-default capabilities (container "a" must not include "SYS_ADMIN" in securityContext.capabilities.add)',
      ],
      [
        { securityContext: { seLinuxOptions: { type: "spc_t", user: "u" } } },
        {},
        'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
      ],
      [
        { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } },
        {},
        "forbidden sysctls (kernel.msgmax)",
      ],
      [
        { securityContext: { seccompProfile: { type: "Unconfined" } } },
        {},
        'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
      ],
      [
        { hostNetwork: true, securityContext: { windowsOptions: { hostProcess: true } } },
        {},
        "host namespaces (hostNetwork=true), hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
      ],
      [
        {},
        { livenessProbe: { tcpSocket: { host: "other", port: 1 } } },
        'probe or lifecycle host (container "a" uses probe or lifecycle host "other")',
      ],
      [
        { securityContext: { appArmorProfile: { type: "Unconfined" } } },
        {},
        'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")',
      ],
    ];
    for (const [spec, container, words] of cases)
      await refused(`${baseline}/pods`, pod(spec, container), 403, `violates PodSecurity "baseline:latest": ${words}`);
    const deployments = restricted.replace("/api/v1", "/apis/apps/v1");
    const template = { metadata: { labels: { a: "b" } }, spec: pod().spec };
    const deployment = { metadata: { name: "d" }, spec: { selector: { matchLabels: { a: "b" } }, template } };
    const made = await send("POST", `${deployments}/deployments`, deployment);
    assert.deepEqual([made.status, /would violate PodSecurity/.test(String(made.headers["warning"]))], [201, true]);
    const open = await namespace();
    await make(`${open}/pods`, pod({ hostNetwork: true }, {}, "old"));
    const stricter = await api.call("PATCH", open, {
      body: { metadata: { labels: { [`${label}/enforce`]: "baseline" } } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    assert.match(
      String(stricter.headers["warning"]),
      /violate the new PodSecurity enforce level \\"baseline:latest\\".*old: host namespaces/,
    );
    await refused(
      "/api/v1/namespaces",
      { metadata: { name: "bad", labels: { [`${label}/enforce`]: "high" } } },
      422,
      "must be one of privileged, baseline, restricted",
    );
  });

  test("pod security's checks are those of the version that a label names", async () => {
    const label = "pod-security.kubernetes.io/enforce";
    const security = (securityContext: object) => ({ securityContext });
    const sysctl = (name: string) => security({ sysctls: [{ name, value: "1" }] });
    const probe = { livenessProbe: { tcpSocket: { host: "1.2.3.4", port: 1 } } };
    const cases: readonly [level: string, version: string, pod: object, container: object, allowed: boolean][] = [
      ["baseline", "v1.26", sysctl("net.ipv4.ip_local_reserved_ports"), {}, false],
      ["baseline", "v1.27", sysctl("net.ipv4.ip_local_reserved_ports"), {}, true],
      ["baseline", "v1.31", sysctl("net.ipv4.tcp_rmem"), {}, false],
      ["baseline", "latest", sysctl("net.ipv4.tcp_rmem"), {}, true],
      ["baseline", "v1.33", {}, probe, true],
      ["baseline", "v1.34", {}, probe, false],
      ["baseline", "v1.30", security({ seLinuxOptions: { type: "container_engine_t" } }), {}, false],
      ["baseline", "v1.31", security({ seLinuxOptions: { type: "container_engine_t" } }), {}, true],
      ["restricted", "v1.18", security({ runAsNonRoot: true }), security({ allowPrivilegeEscalation: false }), true],
      ["restricted", "v1.19", security({ runAsNonRoot: true }), security({ allowPrivilegeEscalation: false }), false],
    ];
    for (const [index, [level, version, own, container, allowed]] of cases.entries()) {
      const name = `ps-${index}`;
      await make("/api/v1/namespaces", {
        metadata: { name, labels: { [label]: level, [`${label}-version`]: version } },
      });
      const spec = { ...own, containers: [{ name: "a", image: "a", ...container }] };
      const answer = await send("POST", `/api/v1/namespaces/${name}/pods`, { metadata: { name: "p" }, spec });
      assert.equal(answer.status, allowed ? 201 : 403, `${level} ${version} ${answer.text}`);
    }
  });

  const request = (subject: string): string => {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "/dev/null"];
    return execFileSync("openssl", ["req", "-new", "-subj", subject, ...key], {
      stdio: ["ignore", "pipe", "ignore"],
    }).toString("base64");
  };

  test("nobody asks for a client certificate of the masters", async () => {
    const path = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    const spec = (subject: string) => ({
      request: request(subject),
      signerName: "kubernetes.io/kube-apiserver-client",
      usages: ["client auth"],
    });
    const body = { metadata: { name: "masters" }, spec: spec("/O=system:masters/CN=me") };
    await refused(
      path,
      body,
      403,
      "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed",
    );
    await make(path, { metadata: { name: "others" }, spec: spec("/O=people/CN=me") });
  });

  test("approving a certificate needs the right to do so for its signer", async () => {
    const path = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    const spec = { request: request("/CN=ann"), signerName: "example.com/one", usages: ["client auth"] };
    const made = await make(path, { metadata: { name: "c" }, spec });
    await make("/apis/rbac.authorization.k8s.io/v1/clusterroles", {
      metadata: { name: "approver" },
      rules: [
        { apiGroups: ["certificates.k8s.io"], resources: ["certificatesigningrequests/approval"], verbs: ["update"] },
      ],
    });
    await make("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      metadata: { name: "approver" },
      roleRef: { kind: "ClusterRole", name: "approver" },
      subjects: [{ kind: "User", name: "ann" }],
    });
    const body = { ...made, status: { conditions: [{ type: "Approved", status: "True", reason: "x", message: "x" }] } };
    const approve = (headers: Record<string, string>) => api.call("PUT", `${path}/c/approval`, { body, headers });
    const answer = await approve({ "impersonate-user": "ann" });
    assert.deepEqual(
      [answer.status, /not permitted to approve requests with signerName/.test(answer.text)],
      [403, true],
    );
    assert.equal((await approve({})).status, 200);
  });

  test("kubectl shows quotas, and says what was refused", async (t) => {
    const run = kubectl(api.kubeconfig, api.directory.join("home"));
    if (run === undefined) return t.skip("kubectl cannot be had here");
    await run(["create", "namespace", "counted"]);
    await run(["create", "quota", "small", "--hard=pods=1,count/deployments.apps=2", "-n", "counted"]);
    assert.equal((await run(["run", "a", "--image=a", "-n", "counted"])).status, 0);
    const over = await run(["run", "b", "--image=b", "-n", "counted"]);
    assert.match(
      over.stderr,
      /pods "b" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1/,
    );
    const described = await run(["describe", "quota", "small", "-n", "counted"]);
    assert.match(described.stdout, /pods +1 +1/);
  });
});
