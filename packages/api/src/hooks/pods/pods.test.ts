import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../../object/json.ts";
import { problemsOf, warningsOf } from "../../testing/problems-of.ts";

const container = (more: JsonObject = {}, name = "c"): JsonObject => ({ name, image: "i", ...more });
const pod = (spec: JsonObject): JsonObject => ({ spec: { containers: [container()], ...spec } });
const wrong = (spec: JsonObject): readonly string[] => problemsOf("pods", pod(spec));
const withContainer = (more: JsonObject): readonly string[] => wrong({ containers: [container(more)] });
const C = "spec.containers[0]";

test("a pod that says much of itself is taken", () => {
  const probe = { httpGet: { path: "/", port: "web" } };
  const rich = {
    volumes: [
      { name: "a" },
      { name: "b", configMap: { name: "m", items: [{ key: "k", path: "p" }] } },
      {
        name: "c",
        projected: {
          sources: [{ downwardAPI: { items: [{ path: "l", fieldRef: { fieldPath: "metadata.labels" } }] } }],
        },
      },
      { name: "d", persistentVolumeClaim: { claimName: "x" } },
    ],
    containers: [
      container({
        ports: [{ name: "web", containerPort: 80 }],
        env: [
          { name: "A", value: "1" },
          { name: "B", valueFrom: { fieldRef: { fieldPath: "metadata.annotations['a.io/b']" } } },
          { name: "C", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "1m" } } },
        ],
        envFrom: [{ prefix: "P_", secretRef: { name: "s" } }],
        resources: { requests: { cpu: "1", memory: "1Gi" }, limits: { memory: "1Gi", "a.io/gpu": "1" } },
        volumeMounts: [{ name: "a", mountPath: "/a", subPath: "b/c" }],
        volumeDevices: [{ name: "d", devicePath: "/dev/d" }],
        livenessProbe: probe,
        readinessProbe: { grpc: { port: 90 } },
        lifecycle: { preStop: { sleep: { seconds: 5 } } },
        securityContext: { runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
      }),
    ],
    initContainers: [container({ restartPolicy: "Always", startupProbe: { exec: { command: ["x"] } } }, "side")],
    securityContext: { fsGroup: 1, sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }] },
    topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" }],
    tolerations: [{ key: "a", operator: "Exists", effect: "NoExecute", tolerationSeconds: 5 }],
    dnsConfig: { nameservers: ["10.0.0.1"], searches: ["a.b", "_x.c."], options: [{ name: "ndots" }] },
    hostAliases: [{ ip: "10.0.0.2", hostnames: ["h"] }],
    overhead: { cpu: "1m" },
    schedulingGates: [{ name: "a.io/b" }],
    readinessGates: [{ conditionType: "a.io/c" }],
  };
  assert.deepEqual(wrong(rich), []);
});

test("volumes are of one type, complete, and below where they are mounted", () => {
  const at = (volume: JsonObject) => wrong({ volumes: [{ name: "v", ...volume }] });
  const V = "spec.volumes[0]";
  assert.deepEqual(at({ emptyDir: {}, hostPath: { path: "/" } }), [
    `${V}.hostPath: Forbidden: may not specify more than 1 volume type`,
  ]);
  assert.deepEqual(at({ hostPath: { path: "/a/../b", type: "Hole" } }), [
    `${V}.hostPath.path: Invalid value: "/a/../b": must not contain '..'`,
    `${V}.hostPath.type: Unsupported value: "Hole": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"`,
  ]);
  assert.deepEqual(at({ secret: { secretName: "", defaultMode: 512, items: [{ key: "k", path: "..x" }] } }), [
    `${V}.secret.secretName: Required value`,
    `${V}.secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive`,
    `${V}.secret.items[0].path: Invalid value: "..x": must not start with '..'`,
  ]);
  assert.deepEqual(at({ nfs: { server: "", path: "p" } }), [
    `${V}.nfs.server: Required value`,
    `${V}.nfs.path: Invalid value: "p": must be an absolute path`,
  ]);
  const token = { path: "t", expirationSeconds: 60 };
  assert.deepEqual(at({ projected: { sources: [{ serviceAccountToken: token, secret: { name: "s" } }] } }), [
    `${V}.projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes`,
    `${V}.projected.sources[0]: Forbidden: may not specify more than 1 volume type per source`,
    `${V}.projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set`,
  ]);
  assert.deepEqual(
    at({ downwardAPI: { items: [{ path: "a", fieldRef: { fieldPath: "status.podIP" } }, { path: "b" }] } }),
    [
      `${V}.downwardAPI.fieldRef.fieldPath: Unsupported value: "status.podIP": supported values: "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"`,
      `${V}.downwardAPI: Required value: one of fieldRef and resourceFieldRef is required`,
    ],
  );
  assert.deepEqual(at({ ephemeral: { volumeClaimTemplate: { spec: { accessModes: ["ReadWriteOncePod", "Odd"] } } } }), [
    `${V}.ephemeral.volumeClaimTemplate.spec.accessModes: Unsupported value: "Odd": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"`,
    `${V}.ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value`,
  ]);
  assert.deepEqual(at({ iscsi: { targetPortal: "", iqn: "x", lun: 300 } }), [
    `${V}.iscsi.targetPortal: Required value`,
    `${V}.iscsi.iqn: Invalid value: "x": must be valid format starting with iqn, eui, or naa`,
    `${V}.iscsi.lun: Invalid value: 300: must be between 0 and 255, inclusive`,
  ]);
});

test("mounts and devices are of volumes that are there, each in its place", () => {
  const volumes = [{ name: "a", emptyDir: {} }];
  const mounts = [
    { name: "a", mountPath: "/m", subPath: "/x", mountPropagation: "Bidirectional" },
    { name: "b", mountPath: "/m", recursiveReadOnly: "Enabled" },
  ];
  const volumeDevices = [{ name: "a", devicePath: "/m" }];
  assert.deepEqual(wrong({ volumes, containers: [container({ volumeMounts: mounts, volumeDevices })] }), [
    `${C}.volumeMounts[0].name: Invalid value: "a": must not already exist in volumeDevices`,
    `${C}.volumeMounts[0].mountPath: Invalid value: "/m": must not already exist as a path in volumeDevices`,
    `${C}.volumeMounts.subPath: Invalid value: "/x": must be a relative path`,
    `${C}.volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers`,
    `${C}.volumeMounts[1].name: Not found: "b"`,
    `${C}.volumeMounts[1].mountPath: Invalid value: "/m": must be unique`,
    `${C}.volumeMounts[1].mountPath: Invalid value: "/m": must not already exist as a path in volumeDevices`,
    `${C}.volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true`,
    `${C}.volumeDevices[0].name: Invalid value: "a": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode`,
    `${C}.volumeDevices[0].name: Invalid value: "a": must not already exist in volumeMounts`,
    `${C}.volumeDevices[0].devicePath: Invalid value: "/m": must not already exist as a path in volumeMounts`,
  ]);
});

test("ports, variables, probes and hooks of a container", () => {
  const ports = [
    { name: "Web", containerPort: 80 },
    { containerPort: 81, hostPort: 90 },
    { containerPort: 82, hostPort: 90 },
    { name: "x", containerPort: 70_000 },
  ];
  assert.deepEqual(withContainer({ ports }), [
    `${C}.ports[0].name: Invalid value: "Web": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`,
    `${C}.ports[3].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive`,
    `${C}.ports[2].hostPort: Duplicate value: "TCP//90"`,
  ]);
  const both = { fieldRef: { fieldPath: "metadata.name" }, secretKeyRef: { name: "s", key: "k" } };
  const env = [
    { name: "A=B" },
    { name: "A", valueFrom: {} },
    { name: "B", value: "1", valueFrom: { secretKeyRef: { name: "s", key: "" } } },
    { name: "C", valueFrom: both },
    { name: "D", valueFrom: { fieldRef: { fieldPath: "spec.restartPolicy" } } },
    { name: "E", valueFrom: { fieldRef: { fieldPath: "spec.nowhere" } } },
  ];
  assert.deepEqual(withContainer({ env, envFrom: [{}] }), [
    `${C}.env[0].name: Invalid value: "A=B": a valid environment variable name must consist only of printable ASCII characters other than '='`,
    `${C}.env[1].valueFrom: Invalid value: "": must specify one of: \`fieldRef\`, \`resourceFieldRef\`, \`configMapKeyRef\`, \`secretKeyRef\` or \`fileKeyRef\``,
    `${C}.env[2].valueFrom.secretKeyRef.key: Required value`,
    `${C}.env[2].valueFrom: Invalid value: "": may not be specified when \`value\` is not empty`,
    `${C}.env[3].valueFrom: Invalid value: "": may not have more than one field specified at a time`,
    `${C}.env[4].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.restartPolicy": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"`,
    `${C}.env[5].valueFrom.fieldRef.fieldPath: Invalid value: "spec.nowhere": error converting fieldPath: field label not supported: spec.nowhere`,
    `${C}.envFrom: Invalid value: "": must specify one of: \`configMapRef\` or \`secretRef\``,
  ]);
  const more = {
    livenessProbe: { successThreshold: 2, periodSeconds: -1 },
    readinessProbe: { tcpSocket: { port: 0 }, terminationGracePeriodSeconds: 1 },
    startupProbe: { exec: {}, httpGet: { port: 80 } },
    lifecycle: { preStop: { sleep: { seconds: 40 } }, postStart: {} },
  };
  assert.deepEqual(withContainer(more), [
    `${C}.lifecycle.postStart: Required value: must specify a handler type`,
    `${C}.lifecycle.preStop.sleep: Invalid value: 40: must be non-negative and less than terminationGracePeriodSeconds (30)`,
    `${C}.livenessProbe: Required value: must specify a handler type`,
    `${C}.livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0`,
    `${C}.livenessProbe.successThreshold: Invalid value: 2: must be 1`,
    `${C}.readinessProbe.tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive`,
    `${C}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 1: must not be set for readinessProbes`,
    `${C}.startupProbe.exec.command: Required value`,
    `${C}.startupProbe.httpGet: Forbidden: may not specify more than 1 handler type`,
  ]);
});

test("resources: names, amounts, huge pages, limits, and what a pod takes as a whole", () => {
  const resources = {
    limits: { cpu: "1", "hugepages-2Mi": "3Mi", "a.io/gpu": "1" },
    requests: { cpu: "2", "a.io/gpu": "2", "requests.cpu": "1", "b.io/x": "1" },
  };
  const R = `${C}.resources`;
  assert.deepEqual(withContainer({ resources }), [
    `${R}.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi`,
    `${R}.requests: Invalid value: "2": must be less than or equal to cpu limit of 1`,
    `${R}.requests: Invalid value: "2": must be equal to a.io/gpu limit of 1`,
    `${R}.requests[requests.cpu]: Invalid value: "requests.cpu": must be a standard resource for containers`,
    `${R}.limits: Required value: Limit must be set for non overcommitable resources`,
    `${R}.requests[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi`,
  ]);
  assert.deepEqual(withContainer({ resources: { limits: { "hugepages-2Mi": "2Mi" }, claims: [{ name: "g" }] } }), [
    `${R}: Forbidden: HugePages require cpu or memory`,
    `${R}.claims[0]: Not found: "g": must be one of the names in pod.spec.resourceClaims which is empty`,
  ]);
  const own = container({ resources: { requests: { cpu: "2" }, limits: { cpu: "3" } } });
  assert.deepEqual(
    wrong({ containers: [own], resources: { requests: { cpu: "1" }, limits: { cpu: "2", storage: "1" } } }),
    [
      'spec.resources.limits[storage]: Unsupported value: "storage": supported values: "cpu", "hugepages-", "memory"',
      'spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 2',
      'spec.resources.containers[0][cpu].limits: Invalid value: "3": must be less than or equal to pod limits of 2',
    ],
  );
  const resizePolicy = [
    { resourceName: "cpu", restartPolicy: "RestartContainer" },
    { resourceName: "disk", restartPolicy: "NotRequired" },
  ];
  assert.deepEqual(wrong({ restartPolicy: "Never", containers: [container({ resizePolicy })] }), [
    `${C}.resizePolicy: Invalid value: "RestartContainer": must be 'NotRequired' when pod \`restartPolicy\` is 'Never'`,
    `${C}.resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory"`,
  ]);
});

test("containers before the others, with their own rules of starting again", () => {
  const initContainers = [
    container({ livenessProbe: {}, lifecycle: {} }, "c"),
    container({ restartPolicy: "Odd" }, "d"),
  ];
  assert.deepEqual(wrong({ initContainers }), [
    'spec.initContainers[0].name: Duplicate value: "c"',
    "spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always",
    "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
    'spec.initContainers[1].restartPolicy: Unsupported value: "Odd": supported values: "Always", "Never", "OnFailure"',
  ]);
  const restartPolicyRules = [{ action: "Fly" }, { action: "Restart", exitCodes: { operator: "Near", values: [1] } }];
  assert.deepEqual(withContainer({ restartPolicyRules }), [
    `${C}.restartPolicy: Required value: must specify restartPolicy when restart rules are used`,
    `${C}.restartPolicyRules[0].action: Unsupported value: "Fly": supported values: "Restart", "RestartAllContainers"`,
    `${C}.restartPolicyRules[0].exitCodes: Required value: must be specified`,
    `${C}.restartPolicyRules[1].exitCodes.operator: Unsupported value: "Near": supported values: "In", "NotIn"`,
  ]);
  assert.deepEqual(wrong({ ephemeralContainers: [container({}, "e")] }), [
    "spec.ephemeralContainers: Forbidden: cannot be set on create",
  ]);
});

test("security contexts of pods and containers, and what goes with a system", () => {
  const own = {
    runAsUser: -1,
    procMount: "Unmasked",
    privileged: true,
    allowPrivilegeEscalation: false,
    seccompProfile: { type: "Localhost" },
    appArmorProfile: { type: "Unconfined", localhostProfile: "x" },
  };
  const S = `${C}.securityContext`;
  assert.deepEqual(withContainer({ securityContext: own }), [
    `${S}.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive`,
    `${S}.procMount: Invalid value: "Unmasked": \`hostUsers\` must be false to use \`Unmasked\``,
    `${S}.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost`,
    `${S}: Invalid value: ${JSON.stringify(own)}: cannot set \`allowPrivilegeEscalation\` to false and \`privileged\` to true`,
    `${S}.appArmorProfile.localhostProfile: Invalid value: "x": can only be set when AppArmor type is Localhost`,
  ]);
  const security = { fsGroupChangePolicy: "Often", sysctls: [{ name: "net.a" }, { name: "A" }, { name: "net.a" }] };
  assert.deepEqual(
    wrong({ hostNetwork: true, hostPID: true, shareProcessNamespace: true, securityContext: security }),
    [
      "spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled",
      "spec.securityContext.sysctls[0].name: Invalid value: \"net.a\": may not be specified when 'hostNetwork' is true",
      'spec.securityContext.sysctls[1].name: Invalid value: "A": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$',
      'spec.securityContext.sysctls[2].name: Duplicate value: "net.a"',
      "spec.securityContext.sysctls[2].name: Invalid value: \"net.a\": may not be specified when 'hostNetwork' is true",
      'spec.securityContext.fsGroupChangePolicy: Unsupported value: "Often": supported values: "Always", "OnRootMismatch"',
    ],
  );
  assert.deepEqual(wrong({ os: { name: "windows" }, hostPID: true, securityContext: { runAsUser: 1 } }), [
    "spec.hostPID: Forbidden: cannot be set for a windows pod",
    "spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod",
  ]);
  assert.deepEqual(wrong({ os: { name: "plan9" }, hostUsers: false, hostIPC: true }), [
    "spec.HostIPC: Forbidden: when `hostUsers` is false",
    'spec.os: Unsupported value: "plan9": supported values: "linux", "windows"',
  ]);
});

test("where a pod may be: affinity, spread, names of hosts and servers", () => {
  const required = "requiredDuringSchedulingIgnoredDuringExecution";
  const preferred = "preferredDuringSchedulingIgnoredDuringExecution";
  const affinity = {
    nodeAffinity: {
      [required]: { nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "Gt", values: [] }] }] },
      [preferred]: [{ weight: 0, preference: { matchFields: [{ key: "spec.x", operator: "In", values: ["n"] }] } }],
    },
    podAntiAffinity: { [required]: [{ topologyKey: "", matchLabelKeys: ["a"] }] },
  };
  const N = "spec.affinity.nodeAffinity";
  const P = `spec.affinity.podAntiAffinity.${required}[0]`;
  assert.deepEqual(wrong({ affinity }).slice(0, 5), [
    `${N}.${required}.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified single value when \`operator\` is 'Lt' or 'Gt'`,
    `${N}.${preferred}[0].weight: Invalid value: 0: must be in the range 1-100`,
    `${N}.${preferred}[0].preference.matchFields[0].key: Invalid value: "spec.x": not a valid field selector key`,
    `${P}.matchLabelKeys: Forbidden: must not be specified when labelSelector is not set`,
    `${P}.topologyKey: Required value: can not be empty`,
  ]);
  const constraint = { maxSkew: 0, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway", minDomains: 1 };
  const T = "spec.topologySpreadConstraints";
  assert.deepEqual(
    wrong({ topologySpreadConstraints: [constraint, { ...constraint, maxSkew: 1, minDomains: null }] }),
    [
      `${T}[0].maxSkew: Invalid value: 0: must be greater than zero`,
      `${T}[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, ScheduleAnyway}"`,
      `${T}[0].minDomains: Invalid value: 1: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway`,
    ],
  );
  const nameservers = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "x"];
  assert.deepEqual(wrong({ dnsPolicy: "None", hostname: "a.b", activeDeadlineSeconds: 0 }), [
    "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None",
    'spec.hostname: Invalid value: "a.b": must not contain dots',
    "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
  ]);
  assert.deepEqual(wrong({ dnsConfig: { nameservers, options: [{}] } }), [
    `spec.dnsConfig.nameservers: Invalid value: ${JSON.stringify(nameservers)}: must not have more than 3 nameservers`,
    'spec.dnsConfig.nameservers[3]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    "spec.dnsConfig.options[0]: Required value: must not be empty",
  ]);
});

test("of a pod that is there little changes, and what was wrong with it before may stay", () => {
  const before = pod({ tolerations: [{ key: "a", operator: "Exists" }], activeDeadlineSeconds: 10 });
  const changed = (spec: JsonObject) => problemsOf("pods", pod({ activeDeadlineSeconds: 10, ...spec }), before);
  assert.deepEqual(
    changed({
      tolerations: [
        { key: "a", operator: "Exists" },
        { key: "b", operator: "Exists" },
      ],
    }),
    [],
  );
  assert.deepEqual(changed({ tolerations: [], activeDeadlineSeconds: 20 }), [
    "spec.activeDeadlineSeconds: Invalid value: 20: must be less than or equal to previous value",
  ]);
  assert.deepEqual(changed({}), [
    "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
  ]);
  const gate = { schedulingGates: [{ name: "a.io/g" }] };
  assert.deepEqual(problemsOf("pods", pod(gate), pod({})), [
    "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'a.io/g'",
  ]);
  const odd = { containers: [container({ workingDir: "/" }), container({ ports: [{ containerPort: 0 }] }, "d")] };
  assert.deepEqual(problemsOf("pods", pod(odd), pod(odd)), []);
});

test("a template may not have what a pod has later", () => {
  const template = {
    metadata: { labels: { a: "b" }, annotations: { "a b": "" } },
    spec: { containers: [container()], ephemeralContainers: [container({}, "e")] },
  };
  const [annotation, ephemeral, ...rest] = problemsOf("deployments", {
    spec: { selector: { matchLabels: { a: "b" } }, template },
  });
  assert.match(annotation ?? "", /^spec\.template\.annotations: Invalid value: "a b": name part must consist/);
  assert.equal(
    ephemeral,
    "spec.template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template",
  );
  assert.deepEqual(rest, []);
});

test("what is odd in a pod is told, and it is kept", () => {
  const variable = (value: string): JsonObject => ({ name: "A", value });
  const odd = container({
    env: [variable("1"), variable("$(A)2"), variable("3")],
    ports: [
      { containerPort: 80, name: "a" },
      { containerPort: 80, name: "b" },
    ],
    resources: { limits: { memory: "1500m" } },
  });
  const spec = {
    containers: [odd],
    nodeSelector: { "beta.kubernetes.io/os": "linux" },
    topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway" }],
    volumes: [{ name: "v", rbd: { monitors: ["m"], image: "i" } }],
    terminationGracePeriodSeconds: -1,
  };
  assert.deepEqual(warningsOf("pods", pod(spec)), [
    'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
    "spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod",
    "spec.volumes[0].rbd: deprecated in v1.28, non-functional in v1.31+",
    `${C}.resources.limits[memory]: fractional byte value "1500m" is invalid, must be an integer`,
    `${C}.resources.requests[memory]: fractional byte value "1500m" is invalid, must be an integer`,
    `${C}.env[2]: hides previous definition of "A", which may be dropped when using apply`,
    `${C}.ports[1]: duplicate port definition with ${C}.ports[0]`,
    "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1",
  ]);
  const places = [
    [0, ""],
    [90, ""],
    [90, "10.0.0.1"],
    [90, "10.0.0.2"],
    [91, "10.0.0.1"],
    [0, "10.0.0.1"],
    [90, ""],
  ] as const;
  const clashing = places.map(([hostPort, hostIP]) => ({ containerPort: 80, hostPort, hostIP }));
  const word = (one: number, other: number): string => {
    const [[host, ip], [host2, ip2]] = [places[one] ?? [0, ""], places[other] ?? [0, ""]];
    if (host === host2 && ip === ip2) return "duplicate";
    if (host === 0 || host2 === 0) return "overlapping";
    return host === host2 && (ip === "") !== (ip2 === "") ? "dangerously ambiguous" : "";
  };
  assert.deepEqual(
    warningsOf("pods", pod({ containers: [container({ ports: clashing })] })),
    places.flatMap((_, one) =>
      places.flatMap((__, other) =>
        other < one && word(one, other) !== ""
          ? [`${C}.ports[${one}]: ${word(one, other)} port definition with ${C}.ports[${other}]`]
          : [],
      ),
    ),
  );
  // Fifteen thousand of one number are a hundred million pairs.
  const same = Array.from({ length: 15_000 }, () => ({ containerPort: 80 }));
  assert.equal(warningsOf("pods", pod({ containers: [container({ ports: same })] })).length, 1000);
  const template = { metadata: { labels: { a: "b" } }, spec: { containers: [container()], imagePullSecrets: [{}] } };
  const deployment = { spec: { selector: { matchLabels: { a: "b" } }, template } };
  assert.deepEqual(warningsOf("deployments", deployment), [
    'spec.template.spec.imagePullSecrets[0].name: invalid empty name ""',
  ]);
  assert.deepEqual(warningsOf("deployments", deployment, deployment), []);
});
